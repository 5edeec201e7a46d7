// What an ASGI application sends to a WebSocket, looked through: websocket.accept,
// websocket.send, websocket.close, and the response that refuses it
// (websocket.http.response.start and .body).
#ifndef GB_WEBSOCKET_MESSAGE_H
#define GB_WEBSOCKET_MESSAGE_H

#include "message.h"

// Makes the keys. False with the exception set.
bool gb_websocket_message_prepare(void);

// Looks through a message of this type; as gb_message_take, or GB_MESSAGE_UNKNOWN.
enum gb_message_kind gb_websocket_message(struct gb_call *c, const char *type, Py_ssize_t size, PyObject *message,
                                          struct gb_piece *piece);

#endif
