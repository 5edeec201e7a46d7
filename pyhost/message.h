// What an ASGI application sends, looked through: http.response.start, http.response.body
// and http.response.trailers.
#ifndef GB_MESSAGE_H
#define GB_MESSAGE_H

#include "call.h"

// A piece of the body.
struct gb_piece {
    PyObject *owner; // of the bytes: owned
    const char *data;
    size_t size;
    bool last;
};

enum gb_message_kind {
    GB_MESSAGE_WRONG, // an exception is set
    GB_MESSAGE_NOTED, // nothing is to be written yet: a start, whose head is made
    GB_MESSAGE_BODY,  // *piece is set
};

// Makes the keys. False with the exception set.
bool gb_message_prepare(void);

// Looks through a message; the call has its stream. Unknown keys are left alone.
enum gb_message_kind gb_message_take(struct gb_call *c, PyObject *message, struct gb_piece *piece);

#endif
