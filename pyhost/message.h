// What an ASGI application sends, looked through: http.response.start, http.response.body, and
// what the extensions have beside and instead of them. What it sends to a WebSocket is
// websocket_message.c's.
#ifndef GB_MESSAGE_H
#define GB_MESSAGE_H

#include "call.h"
#include "piece.h"

enum gb_message_kind {
    GB_MESSAGE_WRONG,   // an exception is set
    GB_MESSAGE_NOTED,   // nothing is to be written now, like a start, whose head is made
    GB_MESSAGE_PIECE,   // *piece is set, and the caller's
    GB_MESSAGE_UNKNOWN, // its type is none of these; not of gb_message_take
};

// Makes the keys. False with the exception set.
bool gb_message_prepare(void);

// Looks through a message; the call has its stream. Unknown keys are left alone.
enum gb_message_kind gb_message_take(struct gb_call *c, PyObject *message, struct gb_piece *piece);

// Parts of messages, for who looks through other ones. Each of them is false, or -1, with the
// exception set.

// Is this the type's name?
bool gb_message_is(const char *type, Py_ssize_t size, const char *name);

// The flag under a name: 0 too if it is not there.
int gb_message_flag(PyObject *message, PyObject *name);

// Adds the message's headers, if it has some, to the head.
bool gb_message_headers(struct gb_call *c, PyObject *message, struct gb_head *h);

// A response's start, which is kept in the exchange, and a piece of its body.
enum gb_message_kind gb_message_start(struct gb_call *c, PyObject *message);
enum gb_message_kind gb_message_body(struct gb_call *c, PyObject *message, struct gb_piece *piece);

// The bytes of a bytes-like object, which is borrowed.
bool gb_message_bytes(PyObject *data, struct gb_piece *piece);

#endif
