// A call whose request is a WebSocket's handshake (GB_REQUEST_WEBSOCKET): what its
// application receives, and how it ends. What it sends is websocket_message.c's.
//
// The stream is the call's until the application has sent its last message or has been told
// that the client is gone; what is received after that needs no stream.
//
// The GIL is held in all of these.
#ifndef GB_WEBSOCKET_H
#define GB_WEBSOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "incoming.h"

// What a message counts for, beside its bytes, when an application receives or sends one after
// the other and others are to have their turn: it is the calls that take the time.
#define GB_MESSAGE_BURST 4096u

// Codes (RFC 6455 section 7.4.1).
enum {
    GB_CLOSE_NORMAL = 1000,
    GB_CLOSE_NONE = 1005, // the client's close frame had none
    GB_CLOSE_LOST = 1006, // there was no close frame
    GB_CLOSE_FAILED = 1011,
};

enum gb_websocket_state {
    GB_WEBSOCKET_NEW,    // neither accepted nor refused
    GB_WEBSOCKET_OPEN,   // accepted
    GB_WEBSOCKET_DENIED, // websocket.http.response.start came
    GB_WEBSOCKET_CLOSED, // websocket.close came, or what stands for it
};

struct gb_websocket {
    enum gb_websocket_state state;
    bool connected; // websocket.connect was received
    bool ended;     // its application has ended before it was closed
    struct gb_incoming incoming;
    uint16_t code;    // websocket.disconnect's, once there is nothing but that
    PyObject *reason; // a str: owned

    // rest.c's.
    bool stirred, wide;        // it has written since the last look; it has pages to give back
    struct gb_call *next_wide; // of those that have some
};

// Makes the events. False with the exception set.
bool gb_websocket_prepare(void);

// Makes the call one of a WebSocket, and the scope of its request that of one. False with the
// exception set.
bool gb_websocket_begin(struct gb_call *c, PyObject *scope);

// Frees what the call has for it; NULL: nothing.
void gb_websocket_free(struct gb_websocket *w);

// The next event: a new reference. NULL: an exception is set, or there is none yet, and there
// will be news of the stream.
PyObject *gb_websocket_next(struct gb_call *c);

// Is there an event? Takes what has come of a message that is not whole.
bool gb_websocket_ready(struct gb_call *c);

// Notes with what it ends; takes over the reference to the reason, which may be NULL for none.
void gb_websocket_note(struct gb_websocket *w, uint16_t code, PyObject *reason);

// Was it accepted? Then it ends with a close frame, behind all that was sent.
static inline bool gb_websocket_accepted(const struct gb_call *c)
{
    return c->websocket != NULL &&
           (c->websocket->state == GB_WEBSOCKET_OPEN || c->websocket->state == GB_WEBSOCKET_CLOSED);
}

// Ends an accepted one whose application has returned or failed, with this code unless the
// application has closed it.
void gb_websocket_end(struct gb_call *c, uint16_t code);

#endif
