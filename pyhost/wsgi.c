#include "wsgi.h"

#include <string.h>
#include <time.h>

#include "environ.h"
#include "errors.h"
#include "input.h"
#include "python_api.h"
#include "request.h"
#include "response.h"
#include "start_response.h"

static PyObject *application;

// Keeps the text of a Python exception as the failure.
static int raised(const char *what)
{
    PyObject *exception = gb_python_take_exception();
    PyObject *reported = exception != NULL ? gb_python_help("report", "sO", "", exception) : NULL;
    gb_py.PyErr_Clear();
    gb_py.Py_DecRef(reported);
    gb_py.Py_DecRef(exception);
    gb_failed(what);
    return -1;
}

// The helper's load returns the application, or a str that says why there is none.
static int load(const struct gb_worker_settings *s)
{
    PyObject *loaded = gb_python_help("load", "ss", s->application, s->chdir);
    if (loaded == NULL)
        return raised("the application could not be loaded");
    if (gb_py.PyObject_IsInstance(loaded, gb_py.PyUnicode_Type) == 1) {
        const char *text = gb_py.PyUnicode_AsUTF8AndSize(loaded, NULL);
        gb_py.PyErr_Clear();
        gb_failed(text != NULL ? text : "the application could not be loaded");
        gb_py.Py_DecRef(loaded);
        return -1;
    }
    application = loaded;
    return 0;
}

int gb_wsgi_prepare(const struct gb_worker_settings *s)
{
    if (!gb_input_prepare() || !gb_start_response_prepare() || !gb_environ_prepare(s))
        return raised("the host's own objects could not be made");
    return load(s);
}

// Reads the head; without the GIL if it is not there whole.
static int read_head(struct gb_claim *c, uint8_t **variables)
{
    size_t size;
    uint32_t used, head = UINT32_MAX;
    if (gb_reader_used(&c->request, &used) && used >= sizeof head)
        memcpy(&head, c->request.bytes, sizeof head); // a stream's head begins at its pipe's beginning
    else
        used = 0;
    if (head <= used)
        return gb_claim_head(c, variables, &size);
    PyThreadState *state = gb_py.PyEval_SaveThread();
    int result = gb_claim_head(c, variables, &size);
    gb_py.PyEval_RestoreThread(state);
    return result;
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
    if (r == NULL || read_head(c, &variables) != 0) {
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
