#include "awaitable.h"

#include <stddef.h>

PyObject *gb_awaitable_self(PyObject *self)
{
    gb_py.Py_IncRef(self);
    return self;
}

PyObject *gb_awaitable_send(PyObject *self, PyObject *(*step)(PyObject *))
{
    PyObject *yielded = step(self);
    if (yielded == NULL && !gb_py.PyErr_Occurred())
        gb_py.PyErr_SetObject(*gb_py.PyExc_StopIteration, gb_py._Py_NoneStruct);
    return yielded;
}

void gb_awaitable_throw(PyObject *arguments)
{
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!gb_py.PyArg_ParseTuple(arguments, "O|OO", &type, &value, &traceback))
        return;
    if (gb_py.PyObject_IsInstance(type, *gb_py.PyExc_BaseException) != 1) {
        gb_py.PyErr_SetObject(type, value);
        return;
    }
    PyObject *kind = gb_py.PyObject_Type(type);
    gb_py.PyErr_SetObject(kind, type);
    gb_py.Py_DecRef(kind);
}

PyObject *gb_awaitable_return(PyObject *result)
{
    if (result != NULL)
        gb_py.PyErr_SetObject(*gb_py.PyExc_StopIteration, result);
    gb_py.Py_DecRef(result);
    return NULL;
}

#define NAMES(X) X(create_future) X(set_result) X(done)
GB_NAMES(name, NAMES);

bool gb_awaitable_prepare(void)
{
    return GB_MAKE_NAMES(name);
}

bool gb_waiting_begin(struct gb_waiting *w, PyObject *loop)
{
    gb_waiting_drop(w);
    w->future = gb_py.PyObject_CallMethodObjArgs(loop, name.create_future, NULL);
    w->iterator = w->future != NULL ? gb_py.PyObject_GetIter(w->future) : NULL; // as __await__()
    return w->iterator != NULL;
}

PyObject *gb_waiting_step(struct gb_waiting *w)
{
    PyObject *yielded = gb_py.PyIter_Next(w->iterator);
    if (yielded == NULL)
        gb_waiting_drop(w);
    return yielded;
}

void gb_waiting_wake(const struct gb_waiting *w)
{
    if (w->future == NULL)
        return;
    PyObject *done = gb_py.PyObject_CallMethodObjArgs(w->future, name.done, NULL), *set = NULL;
    if (done != NULL && gb_py.PyObject_IsTrue(done) == 0)
        set = gb_py.PyObject_CallMethodObjArgs(w->future, name.set_result, gb_py._Py_NoneStruct, NULL);
    gb_py.Py_DecRef(set);
    gb_py.Py_DecRef(done);
    gb_py.PyErr_Clear(); // the loop is closed: nobody goes on
}

void gb_waiting_drop(struct gb_waiting *w)
{
    PyObject *future = w->future, *iterator = w->iterator;
    *w = (struct gb_waiting){0};
    gb_py.Py_DecRef(iterator);
    gb_py.Py_DecRef(future);
}
