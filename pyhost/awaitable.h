// What receive() and send() return: objects of ours that can be awaited, and that
// asyncio.create_task and its like take for a coroutine, because they have a coroutine's
// methods. Often their first step is the last one. When it is not, they wait on a future of
// the loop, and go on when that is woken.
//
// The GIL is held in all of these.
#ifndef GB_AWAITABLE_H
#define GB_AWAITABLE_H

#include <stdbool.h>

#include "python_api.h"

// Makes what the waits need. False with the exception set.
bool gb_awaitable_prepare(void);

// tp_iter and am_await: the object itself.
PyObject *gb_awaitable_self(PyObject *self);

// What a coroutine's send(value) does, whose step is the type's tp_iternext.
PyObject *gb_awaitable_send(PyObject *self, PyObject *(*step)(PyObject *));

// Sets the exception that a call of throw(type, value, traceback) or throw(exception) brings.
void gb_awaitable_throw(PyObject *arguments);

// Ends a step with a result; takes over the reference, NULL: an exception is set.
PyObject *gb_awaitable_return(PyObject *result);

// A wait on a future. The zero value is none.
struct gb_waiting {
    PyObject *future, *iterator; // owned
};

// Begins a wait on a new future of `loop`. False with the exception set.
bool gb_waiting_begin(struct gb_waiting *w, PyObject *loop);

// The step of who waits: what is to be yielded, a new reference. NULL: the wait is over; an
// exception is set if it was cancelled.
PyObject *gb_waiting_step(struct gb_waiting *w);

// Has the one who waits take its next step soon.
void gb_waiting_wake(const struct gb_waiting *w);

void gb_waiting_drop(struct gb_waiting *w);

#endif
