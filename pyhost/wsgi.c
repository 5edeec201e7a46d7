#include "wsgi.h"

#include <string.h>
#include <time.h>

#include "application.h"
#include "environ.h"
#include "errors.h"
#include "input.h"
#include "python_api.h"
#include "request.h"
#include "response.h"
#include "start_response.h"

static PyObject *application;

int gb_wsgi_prepare(const struct gb_worker_settings *s, const struct gb_application *a)
{
    if (!gb_input_prepare() || !gb_start_response_prepare() || !gb_environ_prepare(s))
        return gb_application_raised("the host's own objects could not be made");
    application = a->callable;
    gb_py.Py_IncRef(application);
    return 0;
}

static void begin(struct gb_request *r, struct gb_claim *c, const uint8_t *variables)
{
    r->claim = c;
    r->serial++;
    r->variables = variables;
    r->started = false;
    r->head_sent = false;
    r->gone = false;
    r->too_long = false;
    r->body_sent = 0;
    gb_head_reset(&r->head);
    r->ahead.size = r->ahead_at = 0;
}

static bool is_inside(struct gb_request *r)
{
    return atomic_load(&r->inside[GB_READING]) || atomic_load(&r->inside[GB_SENDING]);
}

// Returns when no thread of the application is inside the request any more.
static void drive_out(struct gb_request *r)
{
    const struct timespec moment = {.tv_nsec = 200000};
    PyThreadState *state = gb_py.PyEval_SaveThread();
    while (!r->claim->segment->left && is_inside(r)) {
        gb_claim_wake(r->claim);
        nanosleep(&moment, NULL);
    }
    gb_py.PyEval_RestoreThread(state);
}

static void end(struct gb_request *r)
{
    r->serial++; // whoever still has the request's objects finds it over
    if (is_inside(r))
        drive_out(r);
    r->variables = NULL;
    gb_head_trim(&r->head);
    gb_bytes_clear(&r->ahead, 65536);
}

static uint32_t call(struct gb_request *r, PyObject *environ, PyObject *start_response)
{
    PyObject *returned = NULL;
    if (environ != NULL && start_response != NULL)
        returned = gb_py.PyObject_CallFunctionObjArgs(application, environ, start_response, NULL);
    uint32_t outcome = gb_response_run(r, returned);
    gb_py.Py_DecRef(returned);
    return outcome;
}

void gb_wsgi_run(struct gb_claim *c)
{
    uint8_t *variables;
    struct gb_request *r = gb_request_here();
    if (r == NULL || gb_request_head(c, &variables) != 0) {
        gb_py.PyErr_Clear();
        gb_claim_finish(c, GB_ABORTED);
        return;
    }
    begin(r, c, variables);
    PyObject *input = gb_input_new(r), *start_response = gb_start_response_new(r);
    PyObject *environ = input != NULL ? gb_environ_new(r, input) : NULL;
    uint32_t outcome = call(r, environ, start_response);
    end(r);
    gb_claim_finish(c, outcome);
    gb_py.Py_DecRef(environ);
    gb_py.Py_DecRef(start_response);
    gb_py.Py_DecRef(input);
    gb_errors_end(r);
}
