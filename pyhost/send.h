// send: the messages of an ASGI application, written into the stream's response pipe.
#ifndef GB_SEND_H
#define GB_SEND_H

#include "call.h"
#include "message.h"

// Makes the types. False with the exception set.
bool gb_send_prepare(void);

// send, bound to a call: a new reference, or NULL with the exception set.
PyObject *gb_send_function(PyObject *call);

// Makes a whole answer of ours, head and body: *piece, which the caller sends. `text` is a
// constant. False with the exception set.
bool gb_send_page(struct gb_call *c, unsigned status, const char *text, struct gb_piece *piece);

// Writes an answer of status 500. Nothing of another one is in the pipe. False if that fails,
// maybe with an exception set.
bool gb_send_500(struct gb_call *c);

// Sends a message as the application would that does not wait for it. False with the exception
// set.
bool gb_send_message(const struct gb_call *c, PyObject *message);

#endif
