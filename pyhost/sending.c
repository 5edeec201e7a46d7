#include "sending.h"

#include "loop.h"

static PyTypeObject *type;

PyObject *gb_sending_done(const struct gb_loop *l)
{
    PyObject *self = gb_py.PyType_GenericAlloc(type, 0);
    if (self != NULL)
        *gb_sending_of(self) = (struct gb_sending){.loop = l};
    return self;
}

PyObject *gb_sending_new(PyObject *call)
{
    const struct gb_call *c = gb_python_own(call);
    PyObject *self = gb_sending_done(c->loop);
    if (self == NULL)
        return NULL;
    gb_py.Py_IncRef(call);
    gb_sending_of(self)->call = call;
    return self;
}

void gb_sending_settle(PyObject *self)
{
    struct gb_sending *s = gb_sending_of(self);
    PyObject *call = s->call;
    s->call = NULL;
    s->exception = gb_python_take_exception();
    gb_py.Py_DecRef(s->message);
    gb_outgoing_drop(&s->rest);
    s->message = NULL;
    gb_waiting_wake(&s->waiting);
    gb_py.Py_DecRef(call);
}

// ---- The awaitable.

static PyObject *sending_step(PyObject *self)
{
    struct gb_sending *s = gb_sending_of(self);
    PyObject *yielded;
    if (!gb_loop_is_here(s->loop))
        return NULL;
    if (s->pauses) {
        s->pauses = false;
        gb_py.Py_DecRef(s->call);
        s->call = NULL;
        return gb_none();
    }
    while (s->call != NULL || s->waiting.iterator != NULL) {
        const struct gb_call *c = s->call != NULL ? gb_python_own(s->call) : NULL;
        if (s->waiting.iterator == NULL && !gb_waiting_begin(&s->waiting, c->loop->loop))
            return NULL;
        if ((yielded = gb_waiting_step(&s->waiting)) != NULL)
            return yielded;
        if (gb_py.PyErr_Occurred())
            return NULL;
    }
    PyObject *exception = s->exception;
    if (exception != NULL) {
        s->exception = NULL;
        PyObject *kind = gb_py.PyObject_Type(exception);
        gb_py.PyErr_SetObject(kind, exception);
        gb_py.Py_DecRef(kind);
        gb_py.Py_DecRef(exception);
    }
    return NULL;
}

static PyObject *sending_send(PyObject *self, PyObject *value)
{
    (void)value;
    return gb_awaitable_send(self, sending_step);
}

// What was begun goes out all the same: only the wait for it ends.
static PyObject *sending_throw(PyObject *self, PyObject *arguments)
{
    if (!gb_loop_is_here(gb_sending_of(self)->loop))
        return NULL;
    gb_waiting_drop(&gb_sending_of(self)->waiting);
    gb_awaitable_throw(arguments);
    return NULL;
}

static PyObject *sending_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (!gb_loop_is_here(gb_sending_of(self)->loop))
        return NULL;
    gb_waiting_drop(&gb_sending_of(self)->waiting);
    return gb_none();
}

static void sending_dealloc(PyObject *self)
{
    struct gb_sending *s = gb_sending_of(self);
    gb_waiting_drop(&s->waiting);
    gb_py.Py_DecRef(s->call);
    gb_py.Py_DecRef(s->message);
    gb_outgoing_drop(&s->rest);
    gb_py.Py_DecRef(s->exception);
    gb_python_dealloc(self);
}

bool gb_sending_prepare(void)
{
    static PyMethodDef methods[] = {
        {"send", sending_send, METH_O, NULL},
        {"throw", sending_throw, METH_VARARGS, NULL},
        {"close", sending_close, METH_NOARGS, NULL},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, (void *)sending_dealloc},
        {Py_tp_iter, (void *)gb_awaitable_self},
        {Py_tp_iternext, (void *)sending_step},
        {Py_am_await, (void *)gb_awaitable_self},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    type = gb_python_type("gobridge.Send", sizeof(struct gb_sending), slots);
    return type != NULL;
}
