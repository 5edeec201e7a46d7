// What send() returns: gobridge.Send. One that has something left stands in its call's line
// (senders.h); who comes after it waits behind it with its message.
//
// The GIL is held in all of these.
#ifndef GB_SENDING_H
#define GB_SENDING_H

#include "awaitable.h"
#include "outgoing.h"

struct gb_sending {
    const struct gb_loop *loop;
    PyObject *call;          // owned; NULL: over
    PyObject *message;       // owned; NULL: begun
    struct gb_outgoing rest; // of one that was begun: kept
    bool pauses;             // it has nothing left, and only goes through the loop once
    PyObject *exception;     // owned: what it is to raise
    struct gb_waiting waiting;
    PyObject *next; // in the line: owned
};

// Makes the type. False with the exception set.
bool gb_sending_prepare(void);

// A new one of a call: a new reference, or NULL with the exception set.
PyObject *gb_sending_new(PyObject *call);

// One that is over, which may be returned any number of times. As above.
PyObject *gb_sending_done(const struct gb_loop *l);

static inline struct gb_sending *gb_sending_of(PyObject *self)
{
    return gb_python_own(self);
}

// It has gone out, or failed with the exception that is set.
void gb_sending_settle(PyObject *self);

#endif
