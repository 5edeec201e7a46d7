#include "incoming.h"

#include <string.h>

// ---- Records.

// A header may come in pieces: a pipe can be full amid one.
static bool has_header(struct gb_incoming *in, struct gb_claim *c)
{
    size_t left = sizeof in->header - in->header_size;
    in->header_size += (uint32_t)gb_request_try(c, in->header + in->header_size, left);
    return in->header_size == sizeof in->header;
}

// Begins the record of the header, if there may be such a one here. A message may end with
// the connection: a CLOSE may come amid it.
static bool begin_record(struct gb_incoming *in)
{
    struct gb_record record;
    memcpy(&record, in->header, sizeof record);
    uint32_t kind = record.kind & ~GB_RECORD_MORE;
    bool more = kind != record.kind, fits = in->kind == 0 || in->kind == kind;
    if (kind == GB_RECORD_CLOSE)
        fits = !more && record.size >= sizeof(struct gb_close) && record.size <= sizeof in->close;
    else if (kind != GB_RECORD_TEXT && kind != GB_RECORD_BINARY)
        fits = false;
    if (!fits)
        return false;
    if (kind == GB_RECORD_CLOSE)
        gb_bytes_clear(&in->kept, 0);
    in->kind = kind;
    in->more = more;
    in->left = record.size;
    in->amid = true;
    return true;
}

static void end_record(struct gb_incoming *in)
{
    in->amid = false;
    in->header_size = 0;
}

// ---- What they hold.

static bool has_close(struct gb_incoming *in, struct gb_claim *c)
{
    size_t n = gb_request_try(c, in->close + in->close_size, in->left);
    in->close_size += (uint32_t)n;
    in->left -= (uint32_t)n;
    return in->left == 0;
}

// Keeps what there is of the record. False without memory, with the exception set.
static bool keep(struct gb_incoming *in, struct gb_claim *c, uint32_t used)
{
    size_t n = used < in->left ? used : in->left;
    if (!gb_bytes_room(&in->kept, n))
        return false;
    n = n > 0 ? gb_request_try(c, in->kept.data + in->kept.size, n) : 0;
    in->kept.size += n;
    in->left -= (uint32_t)n;
    return true;
}

enum gb_came gb_incoming_look(struct gb_incoming *in, struct gb_claim *c)
{
    for (;;) {
        if (!in->amid && !has_header(in, c))
            return GB_CAME_NOTHING;
        if (!in->amid && !begin_record(in))
            return GB_CAME_NONSENSE;
        if (in->kind == GB_RECORD_CLOSE)
            return has_close(in, c) ? GB_CAME_CLOSE : GB_CAME_NOTHING;
        uint32_t used = gb_request_used(c);
        if (in->left <= used && !in->more)
            return GB_CAME_MESSAGE;
        if (!keep(in, c, used))
            return GB_CAME_RAISED;
        if (in->left > 0)
            return GB_CAME_NOTHING;
        end_record(in);
    }
}

bool gb_incoming_take(struct gb_incoming *in, struct gb_claim *c, void *to)
{
    size_t kept = in->kept.size, left = in->left;
    if (kept > 0)
        memcpy(to, in->kept.data, kept);
    gb_bytes_clear(&in->kept, 0);
    end_record(in);
    in->kind = in->left = 0;
    return left == 0 || gb_request_try(c, (uint8_t *)to + kept, left) == left;
}

uint16_t gb_incoming_code(const struct gb_incoming *in)
{
    struct gb_close close;
    memcpy(&close, in->close, sizeof close);
    return close.code;
}

const char *gb_incoming_reason(const struct gb_incoming *in, size_t *size)
{
    *size = in->close_size - sizeof(struct gb_close);
    return (const char *)in->close + sizeof(struct gb_close);
}

void gb_incoming_drop(struct gb_incoming *in)
{
    gb_bytes_clear(&in->kept, 0);
}
