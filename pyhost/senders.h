// The line of a call's messages that are not out yet, in the order in which the application has
// sent them, and the begin of a message, which may stand in it or not.
//
// The GIL is held in all of these.
#ifndef GB_SENDERS_H
#define GB_SENDERS_H

#include "sending.h"

enum gb_begun {
    GB_BEGUN_SENT,
    GB_BEGUN_LEFT,   // *rest is what is left of it, in the loop's memory but for the piece, which is the caller's
    GB_BEGUN_RAISED, // an exception is set
};

// Begins a message that nothing stands before.
enum gb_begun gb_senders_begin(struct gb_call *c, PyObject *message, struct gb_outgoing *rest);

// A gobridge.Send in line: for what is left of a message, which is taken over, or, if `rest` is
// NULL, for a message that waits behind others. A new reference, or NULL with the exception set.
PyObject *gb_senders_add(struct gb_call *c, PyObject *message, struct gb_outgoing *rest);

// There is news of the call's stream: what waits for room goes on.
void gb_senders_news(struct gb_call *c);

// Drops what waits for room: the answer is to be cut.
void gb_senders_drop(struct gb_call *c);

#endif
