#include "application.h"

#include <string.h>

#include "control.h"

int gb_application_raised(const char *what)
{
    PyObject *exception = gb_python_take_exception();
    PyObject *reported = exception != NULL ? gb_python_help("report", "sO", "", exception) : NULL;
    gb_py.PyErr_Clear();
    gb_py.Py_DecRef(reported);
    gb_py.Py_DecRef(exception);
    gb_failed(what);
    return -1;
}

// The helper has said why there is none.
static int refused(PyObject *why)
{
    const char *text = gb_py.PyUnicode_AsUTF8AndSize(why, NULL);
    gb_py.PyErr_Clear();
    gb_failed(text != NULL ? text : "the application could not be loaded");
    return -1;
}

// The helper's load returns the application and its interface, or a str that says why there
// is none.
int gb_application_load(struct gb_application *a, const struct gb_worker_settings *s)
{
    const char *interface;
    PyObject *loaded = gb_python_help("load", "sss", s->application, s->chdir, s->interface);
    if (loaded == NULL)
        return gb_application_raised("the application could not be loaded");
    int result = -1;
    if (gb_py.PyObject_IsInstance(loaded, gb_py.PyUnicode_Type) == 1) {
        result = refused(loaded);
    } else if (!gb_py.PyArg_ParseTuple(loaded, "Os", &a->callable, &interface)) {
        result = gb_application_raised("the application could not be loaded");
    } else {
        gb_py.Py_IncRef(a->callable);
        bool wsgi = strcmp(interface, "wsgi") == 0;
        a->interface = wsgi ? GB_INTERFACE_WSGI : GB_INTERFACE_ASGI;
        a->interface_name = wsgi ? "wsgi" : strcmp(interface, "asgi2") == 0 ? "asgi2" : "asgi";
        result = 0;
    }
    gb_py.Py_DecRef(loaded);
    return result;
}
