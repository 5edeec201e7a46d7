// An event loop of a worker as the bridge sees it: an asyncio or uvloop loop that watches the
// worker's doorbell. When it is rung, one turn takes the news of the streams and the hints
// of the inbox, and calls the application for each.
//
// A worker has one in its main thread, or several, each in a thread of its own (seats.h).
// Everything of a loop, its requests and what their receive and send return, is its thread's
// alone: from others it is refused.
//
// The GIL is held in all of these.
#ifndef GB_LOOP_H
#define GB_LOOP_H

#include "bytes.h"
#include "call.h"
#include "rest.h"
#include "scope.h"
#include "seats.h"
#include "segment.h"

struct gb_loop {
    struct gb_segment *segment;
    struct gb_seat *seat;                 // NULL: it is the worker's only one
    PyObject *application;                // for all of these: owned
    PyObject *loop;                       // asyncio's
    PyObject *task_type, *task_arguments; // how a task is made that begins at once, where there is that
    PyObject *cancelled, *coroutine_type; // asyncio.CancelledError, types.CoroutineType
    PyObject *turn;                       // what the loop calls when a turn was not the last
    PyObject *sent;                       // what send returns when all is done
    struct gb_scope_kept *scope;

    struct gb_call **of_stream; // by stream: the call that has it, with a reference
    struct gb_call *newest;     // of those whose application has not returned, each with a reference
    size_t calls, streams;      // how many there are of both

    struct gb_rest rest;

    struct gb_exchange *spare; // that no call has
    size_t spares;
    struct gb_bytes out;  // what goes out is put together here
    struct gb_bytes text; // what comes in as text, before it is decoded

    uint8_t *variables; // memory for heads
    size_t variables_room;
    bool again; // the loop will call `turn`
};

// Makes what this thread's loop needs beside what is set in it already. False with the exception
// set.
bool gb_loop_open(struct gb_loop *l, struct gb_segment *s);

// What the asyncio loop is to watch, and to call when that becomes readable: a new reference.
int gb_loop_descriptor(const struct gb_loop *l);
PyObject *gb_loop_bell(void);

// What it is to call when it was stopped: a new reference. It says whether that was for good: a
// loop that the application has stopped is to run on until the worker has drained, because
// requests have their tasks in it.
PyObject *gb_loop_stopped(void);

// This thread's loop, or NULL.
struct gb_loop *gb_loop_here(void);

// Is the caller in the loop's thread? Else RuntimeError is set.
bool gb_loop_is_here(const struct gb_loop *l);

// What a function of a request returns in another thread: a coroutine that calls it, with an argument
// unless that is NULL, in the thread where it is awaited; a new reference. It takes over that to the
// function. NULL with the exception set, where that thread has a loop itself.
PyObject *gb_loop_defer(PyObject *function, PyObject *argument);

// A task whose coroutine is the call: a new reference, or NULL with the exception set.
PyObject *gb_loop_task(struct gb_loop *l, PyObject *call);

// Notes that a call's application is to be called, with its stream; and that it has returned.
void gb_loop_add(struct gb_loop *l, struct gb_call *c);
void gb_loop_remove(struct gb_loop *l, struct gb_call *c);

// Forgets who has the stream; the call may be gone then.
void gb_loop_forget(struct gb_loop *l, uint32_t stream);

// Takes an exchange back that no call has any more.
void gb_loop_give_back(struct gb_loop *l, struct gb_exchange *x);

#endif
