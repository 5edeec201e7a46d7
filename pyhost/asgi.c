#include "asgi.h"

#include "application.h"
#include "call.h"
#include "drain.h"
#include "loop.h"
#include "scope.h"
#include "signals.h"

static struct gb_loop loop;

static void own(PyObject **object)
{
    gb_py.Py_IncRef(*object);
}

int gb_asgi_prepare(const struct gb_worker_settings *s, const struct gb_application *a)
{
    if (!gb_call_prepare())
        return gb_application_raised("the host's own objects could not be made");
    PyObject *wrong = gb_python_help("asgi_prepare", "Osss", a->callable, a->interface_name, s->loop, s->lifespan);
    if (wrong == NULL)
        return gb_application_raised("the event loop could not be imported");
    const char *text = wrong != gb_py._Py_NoneStruct ? gb_py.PyUnicode_AsUTF8AndSize(wrong, NULL) : NULL;
    gb_py.PyErr_Clear();
    if (text != NULL)
        gb_failed(text);
    gb_py.Py_DecRef(wrong);
    return text != NULL ? -1 : 0;
}

// Takes what the helper's asgi_start has returned apart.
static const char *take_started(struct gb_segment *s, PyObject *started)
{
    const char *name, *version;
    PyObject *state;
    if (!gb_py.PyArg_ParseTuple(started, "sOsOOOOOO", &name, &loop.loop, &version, &state, &loop.task_type,
                                &loop.task_arguments, &loop.cancelled, &loop.coroutine_type, &loop.application))
        return NULL;
    own(&loop.loop);
    own(&loop.task_type);
    own(&loop.task_arguments);
    own(&loop.cancelled);
    own(&loop.coroutine_type);
    own(&loop.application);
    loop.scope = gb_scope_open(version, state);
    return loop.scope != NULL && gb_loop_open(&loop, s) ? name : NULL;
}

const char *gb_asgi_start(struct gb_segment *s)
{
    PyObject *started = gb_python_help("asgi_start", NULL);
    const char *text = NULL;
    if (started != NULL && gb_py.PyObject_IsInstance(started, gb_py.PyUnicode_Type) == 1) {
        text = gb_py.PyUnicode_AsUTF8AndSize(started, NULL);
        gb_py.PyErr_Clear();
        gb_failed(text != NULL ? text : "the application could not start");
        gb_py.Py_DecRef(started);
        return NULL;
    }
    const char *name = started != NULL ? take_started(s, started) : NULL;
    if (name == NULL)
        gb_application_raised("the event loop could not be started");
    return name; // it lives as long as the tuple, which is never given up
}

const char *gb_asgi_run(struct gb_segment *s)
{
    const char *wrong = gb_drain_prepare();
    if (wrong != NULL)
        return wrong;
    gb_signals_hold_new(); // the application's start may have set handlers
    PyObject *bell = gb_loop_bell();
    PyObject *served = bell != NULL ? gb_python_help("asgi_serve", "iO", s->doorbell, bell) : NULL;
    gb_py.Py_DecRef(bell);
    if (served == NULL)
        gb_application_raised("the event loop has failed");
    gb_py.Py_DecRef(served);
    return served != NULL ? NULL : "the event loop has failed";
}
