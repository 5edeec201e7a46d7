#include "start_response.h"

#include "headers.h"
#include "response.h"

static PyTypeObject *type;

// ---- The status: "NNN reason".

static bool take_status(struct gb_request *r, PyObject *status)
{
    struct gb_text t;
    if (!gb_text_open(&t, status, "the status"))
        return false;
    bool valid = t.size >= 4 && t.data[3] == ' ' && gb_head_is_value(t.data, t.size);
    unsigned code = 0;
    for (int i = 0; valid && i < 3; i++) {
        valid = t.data[i] >= '0' && t.data[i] <= '9';
        code = code * 10 + (unsigned)(t.data[i] - '0');
    }
    if (!valid || code < 200)
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "the status must be like \"200 OK\", and final (not 1xx): %R",
                           status);
    r->head.status = code;
    bool done = valid && code >= 200 && gb_bytes_add(&r->head.reason, t.data + 4, t.size - 4);
    gb_text_close(&t);
    return done;
}

bool gb_start_response_take(struct gb_request *r, PyObject *status, PyObject *headers)
{
    r->started = false;
    gb_head_reset(&r->head);
    if (!take_status(r, status))
        return false;
    if (gb_py.PyObject_IsInstance(headers, gb_py.PyList_Type) != 1) {
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "the headers must be a list, not %R", headers);
        return false;
    }
    Py_ssize_t count = gb_py.PyList_Size(headers);
    if (count < 0) // it only says that it is a list
        return false;
    if (count > UINT16_MAX - 8) {
        gb_py.PyErr_SetString(*gb_py.PyExc_ValueError, "there are too many headers");
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = gb_python_list_item(headers, i);
        bool done = item != NULL && gb_headers_add(r, &r->head, item);
        gb_py.Py_DecRef(item);
        if (!done)
            return false;
    }
    r->started = true;
    return true;
}

// ---- The callables.

// Raises what exc_info holds: the head is out, so the error cannot be told otherwise.
static void raise_again(PyObject *exc_info)
{
    PyObject *exception = gb_py.PyTuple_GetItem(exc_info, 1);
    if (exception == NULL)
        return; // IndexError says it
    if (gb_py.PyObject_IsInstance(exception, *gb_py.PyExc_BaseException) != 1) {
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "exc_info must be what sys.exc_info() returns, not %R", exc_info);
        return;
    }
    PyObject *kind = gb_py.PyObject_Type(exception);
    gb_py.PyErr_SetObject(kind, exception);
    gb_py.Py_DecRef(kind);
}

static bool may_start(struct gb_request *r, PyObject *exc_info)
{
    if (exc_info == NULL || exc_info == gb_py._Py_NoneStruct) {
        if (!r->started)
            return true;
        gb_py.PyErr_SetString(*gb_py.PyExc_AssertionError, "start_response was called a second time without exc_info");
        return false;
    }
    if (gb_py.PyObject_IsInstance(exc_info, gb_py.PyTuple_Type) != 1) {
        gb_py.PyErr_SetString(*gb_py.PyExc_TypeError, "exc_info must be what sys.exc_info() returns");
        return false;
    }
    if (!r->head_sent)
        return true;
    raise_again(exc_info);
    return false;
}

static PyObject *start_response_call(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"status", "headers", "exc_info", NULL};
    PyObject *status, *headers, *exc_info = NULL;
    if (!gb_py.PyArg_ParseTupleAndKeywords(arguments, keywords, "OO|O:start_response", names, &status, &headers,
                                           &exc_info))
        return NULL;
    struct gb_request *r = gb_handle_enter(self, GB_SENDING);
    if (r == NULL)
        return NULL;
    bool taken = may_start(r, exc_info) && gb_start_response_take(r, status, headers);
    gb_request_leave(r, GB_SENDING);
    if (!taken)
        return NULL;
    return gb_py.PyObject_GetAttrString(self, "write");
}

static PyObject *start_response_write(PyObject *self, PyObject *data)
{
    struct gb_request *r = gb_handle_enter(self, GB_SENDING);
    if (r == NULL)
        return NULL;
    enum gb_sent sent = gb_response_piece(r, data, false);
    gb_request_leave(r, GB_SENDING);
    switch (sent) {
    case GB_SENT:
        return gb_none();
    case GB_CLIENT_GONE:
        gb_py.PyErr_SetString(*gb_py.PyExc_ConnectionResetError, "the client left before its response was whole");
        return NULL;
    case GB_RAISED:
        break;
    }
    return NULL;
}

bool gb_start_response_prepare(void)
{
    static PyMethodDef methods[] = {
        {"write", start_response_write, METH_O, "write(data): send body bytes at once"},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, (void *)gb_python_dealloc},
        {Py_tp_call, (void *)start_response_call},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    type = gb_python_type("gobridge.StartResponse", sizeof(struct gb_handle), slots);
    return type != NULL;
}

PyObject *gb_start_response_new(struct gb_request *r)
{
    return gb_handle_new(type, r);
}
