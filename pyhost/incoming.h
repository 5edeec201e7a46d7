// A WebSocket's messages on their way to the application: the records of the request pipe
// (GB_RECORD_TEXT and so on), taken apart and put together.
//
// Nothing is taken out of the pipe before somebody looks for it, so what nobody receives
// fills the pipe, and the front sees that. Of a message that is not whole yet the bytes that
// have come are kept here, as many as the front lets through, and given up with the message.
//
// No function here sleeps. The GIL is held.
#ifndef GB_INCOMING_H
#define GB_INCOMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "claim.h"
#include "layout.h"

#define GB_MAX_REASON 123u // bytes of a close frame's reason (RFC 6455 section 5.5)

// The zero value is the begin.
struct gb_incoming {
    uint8_t header[sizeof(struct gb_record)];
    uint32_t header_size; // bytes of it that were read
    bool amid;            // the record of this header is being read
    uint32_t kind;        // of the message that is being read, GB_RECORD_TEXT or GB_RECORD_BINARY; 0: none is
    bool more;            // the record is not the message's last
    uint32_t left;        // bytes of the record that were not read
    struct gb_bytes kept; // of the message: what was read
    uint8_t close[sizeof(struct gb_close) + GB_MAX_REASON];
    uint32_t close_size; // bytes of it that were read
};

enum gb_came {
    GB_CAME_NOTHING,  // nothing that is whole
    GB_CAME_MESSAGE,  // one of in->kind, of gb_incoming_size bytes: all of them are here
    GB_CAME_CLOSE,    // the end: gb_incoming_code, gb_incoming_reason
    GB_CAME_NONSENSE, // the pipe holds what cannot be
    GB_CAME_RAISED,   // no memory: an exception is set
};

// Looks what comes next. It says the same again until a message is taken; the end is the end.
enum gb_came gb_incoming_look(struct gb_incoming *in, struct gb_claim *c);

static inline size_t gb_incoming_size(const struct gb_incoming *in)
{
    return in->kept.size + in->left;
}

// Moves the message's bytes to where there is room for all of them. False: the pipe has lost
// some.
bool gb_incoming_take(struct gb_incoming *in, struct gb_claim *c, void *to);

// Of the end: its code, and its reason, which is in->close's.
uint16_t gb_incoming_code(const struct gb_incoming *in);
const char *gb_incoming_reason(const struct gb_incoming *in, size_t *size);

// Gives its memory back.
void gb_incoming_drop(struct gb_incoming *in);

#endif
