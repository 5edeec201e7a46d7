// The head of a response, as the application has made it and as it goes into the pipe:
// status, checked header lines with a table of where they lie, the body's length.
#ifndef GB_HEAD_H
#define GB_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

struct gb_head {
    unsigned status;
    uint32_t flags;       // GB_HEAD_*
    uint64_t body_length; // Content-Length, or GB_LENGTH_UNKNOWN
    bool names_trailers;  // set by who lets trailers follow: the field Trailer is the application's
    bool trails;          // set by who makes trailers: not every field can be one (RFC 9110 section 6.5.1)
    struct gb_bytes reason, lines, table;
};

// Empties it; gb_head_trim also gives memory back that is more than a usual head needs.
void gb_head_reset(struct gb_head *h);
void gb_head_trim(struct gb_head *h);

enum gb_field {
    GB_FIELD_TAKEN,
    GB_FIELD_WRONG,    // an exception is set
    GB_FIELD_LEFT_OUT, // it is the server's business, not the application's
};

// Takes a header, if its name and value are valid (RFC 9110 section 5). White space around
// the value is no part of it. Of one that is left out, *tell is its name when this process
// has not left it out before, else NULL: an application that sets it will do so in each
// response.
enum gb_field gb_head_field(struct gb_head *h, const char *name, size_t name_size, const char *value, size_t value_size,
                            const char **tell);

// Adds a header line that is known to be valid. False with the exception set.
bool gb_head_line(struct gb_head *h, const char *name, const char *value, size_t value_size);

// Is this a token (RFC 9110 section 5.6.2)?
bool gb_head_is_token(const char *text, size_t size);

// May these bytes stand in a header's value or a reason (RFC 9110 section 5.5)?
bool gb_head_is_value(const char *text, size_t size);

// Has the response no body, by its status or because the request's flags (GB_REQUEST_*)
// say that the method is HEAD?
bool gb_head_bodiless(const struct gb_head *h, unsigned request_flags);

// Says the body's length, if the application has not. An empty body says nothing of the
// one that HEAD leaves out. False with the exception set.
bool gb_head_announce(struct gb_head *h, unsigned request_flags, size_t size);

// Adds it to `out` as a record: the response's head, or its header lines as early hints, as
// trailers, or with which a WebSocket is accepted. False with the exception set.
bool gb_head_record(const struct gb_head *h, struct gb_bytes *out);
bool gb_head_hints(const struct gb_head *h, struct gb_bytes *out);
bool gb_head_trailers(const struct gb_head *h, struct gb_bytes *out);
bool gb_head_accept(const struct gb_head *h, struct gb_bytes *out);

// Gives all its memory back.
void gb_head_free(struct gb_head *h);

#endif
