#include "hints.h"

#include "headers.h"
#include "records.h"

// One object serves all requests, so that those which never call it pay nothing for it. It
// finds the request that its thread runs; other threads have none.
static struct gb_request *running(void)
{
    struct gb_request *r = gb_request_of_thread();
    if (r != NULL && r->variables != NULL)
        return r;
    gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError,
                          "wsgi.early_hints must be called in the thread of the request, while it runs");
    return NULL;
}

// Adds all headers that an iterable has. False with the exception set.
static bool take(struct gb_request *r, struct gb_head *hints, PyObject *headers)
{
    PyObject *iterator = gb_py.PyObject_GetIter(headers), *item;
    bool done = iterator != NULL;
    while (done && (item = gb_py.PyIter_Next(iterator)) != NULL) {
        done = gb_headers_add(r, hints, item);
        gb_py.Py_DecRef(item);
    }
    gb_py.Py_DecRef(iterator);
    if (!done || gb_py.PyErr_Occurred() != NULL)
        return false;
    if (hints->body_length == GB_LENGTH_UNKNOWN) // RFC 9110 section 8.6
        return true;
    gb_py.PyErr_SetString(*gb_py.PyExc_ValueError, "early hints have no body, and so no Content-Length");
    return false;
}

// Sends them, where the client can understand them and it is not too late. That a client
// has left is nothing that hints must tell.
static bool send_hints(struct gb_request *r, const struct gb_head *hints)
{
    if (hints->table.size == 0 || (r->claim->head.flags & GB_REQUEST_HTTP10))
        return true;
    if (!gb_request_enter(r, GB_SENDING))
        return false;
    enum gb_sent sent = r->head_sent ? GB_SENT : gb_records_hints(r, hints);
    gb_request_leave(r, GB_SENDING);
    return sent != GB_RAISED;
}

static PyObject *hints_call(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"headers", NULL};
    struct gb_head hints = {.status = 103, .body_length = GB_LENGTH_UNKNOWN};
    PyObject *headers;
    (void)self;
    if (!gb_py.PyArg_ParseTupleAndKeywords(arguments, keywords, "O:early_hints", names, &headers))
        return NULL;
    struct gb_request *r = running();
    bool done = r != NULL && take(r, &hints, headers) && send_hints(r, &hints);
    gb_head_free(&hints);
    return done ? gb_none() : NULL;
}

PyObject *gb_hints_new(void)
{
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, (void *)gb_python_dealloc},
        {Py_tp_call, (void *)hints_call},
        {0, NULL},
    };
    PyTypeObject *type = gb_python_type("gobridge.EarlyHints", 0, slots);
    PyObject *callable = type != NULL ? gb_py.PyType_GenericAlloc(type, 0) : NULL;
    gb_py.Py_DecRef((PyObject *)type); // the instance has its own
    return callable;
}
