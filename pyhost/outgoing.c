#include "outgoing.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "layout.h"
#include "loop.h"

// A piece up to this size is put together with what stands before it, and written as one.
#define SMALL 32768u
#define LONGEST ((size_t)1 << 30) // bytes of a record: its size has 32 bits

// Is it as long as the head has announced? False with the exception set. Of a response
// without a body none of it goes out.
static bool check_length(struct gb_exchange *x, struct gb_piece *p)
{
    uint64_t announced = x->head.body_length, left = announced - x->body_sent;
    if (gb_head_bodiless(&x->head, x->claim.head.flags)) {
        p->size = 0;
        return true;
    }
    if (announced == GB_LENGTH_UNKNOWN || (p->last ? p->size == left : p->size <= left))
        return true;
    gb_py.PyErr_Format(*gb_py.PyExc_RuntimeError, "the body is %s than its Content-Length of %llu bytes",
                       p->size > left ? "longer" : "shorter", (unsigned long long)announced);
    return false;
}

// Does the piece of a body go with its head? False with the exception set.
static bool check_body(struct gb_exchange *x, struct gb_piece *p)
{
    if (!x->head_sent && p->last && !gb_head_announce(&x->head, x->claim.head.flags, p->size))
        return false;
    return check_length(x, p);
}

// The header of the next record of a piece.
static struct gb_record next_record(const struct gb_piece *p)
{
    struct gb_record header = {p->kind, (uint32_t)p->size};
    if (p->size <= LONGEST)
        return header;
    header.size = LONGEST;
    if (p->kind != GB_RECORD_BODY)
        header.kind |= GB_RECORD_MORE;
    return header;
}

// Adds the bytes of a piece to `out`, or only what stands before them. Returns how many of
// them are to follow in the same record; -1 with the exception set.
static Py_ssize_t add_bytes(struct gb_piece *p, struct gb_bytes *out)
{
    struct gb_record header = next_record(p);
    bool together = p->size <= SMALL;
    if (p->size == 0 && p->kind == GB_RECORD_BODY)
        return 0;
    if (!gb_bytes_add(out, &header, sizeof header) || (together && !gb_bytes_add(out, p->data, p->size)))
        return -1;
    if (together)
        p->size = 0;
    return together ? 0 : (Py_ssize_t)header.size;
}

// What one file adds to the response pipe.
struct named {
    struct gb_record record;
    struct gb_file file;
} __attribute__((packed));

// Has the front send the file of a piece, if it has taken the one before: gives it the
// descriptor, and makes the record, which must be written next behind `ahead` bytes more.
static bool name_file(struct gb_exchange *x, struct gb_piece *p, size_t ahead, struct named *named)
{
    if (gb_file_watch(&x->claim) != GB_READY)
        return false;
    if (!gb_file_pass(&x->claim, p->file)) {
        x->claim.broken = true;
        return false;
    }
    *named = (struct named){{GB_RECORD_FILE, sizeof(struct gb_file)}, {p->offset, p->size}};
    gb_file_named(&x->claim, ahead + sizeof *named);
    gb_piece_spend(p);
    return true;
}

// Adds a file's piece to `out`: its bytes if they are few and at hand, else its record, unless
// that must wait. False with the exception set.
static bool add_file(struct gb_exchange *x, struct gb_piece *p, struct gb_bytes *out)
{
    struct gb_record header = {GB_RECORD_BODY, (uint32_t)p->size};
    struct named named;
    if (p->size < x->claim.segment->pipe_size) {
        if (!gb_bytes_room(out, sizeof header + p->size))
            return false;
        if (gb_piece_load(p, out->data + out->size + sizeof header)) {
            memcpy(out->data + out->size, &header, sizeof header);
            out->size += sizeof header + p->size;
            x->burst += p->size;
            gb_piece_spend(p);
            return true;
        }
    }
    if (!gb_bytes_room(out, sizeof named)) // also for gb_outgoing_go_on, which puts it there later
        return false;
    return !name_file(x, p, out->size, &named) || gb_bytes_add(out, &named, sizeof named);
}

// Adds a piece of a response, with the head if that is not out. Returns as add_bytes does.
static Py_ssize_t add_response(struct gb_exchange *x, struct gb_piece *p, struct gb_bytes *out)
{
    if (!check_body(x, p) || (!x->head_sent && !gb_head_record(&x->head, out)))
        return -1;
    x->body_sent += p->size;
    if (p->kind == GB_RECORD_TRAILERS)
        return gb_head_trailers(&x->extra, out) ? 0 : -1;
    if (p->kind == GB_RECORD_FILE && p->size > 0)
        return add_file(x, p, out) ? 0 : -1;
    if (p->kind == GB_RECORD_FILE)
        gb_piece_spend(p);
    x->burst += p->size;
    return add_bytes(p, out);
}

// Puts together what goes out first of a piece, in the loop's memory. Returns as add_bytes does.
static Py_ssize_t add_first(struct gb_exchange *x, struct gb_piece *p, struct gb_bytes *out)
{
    Py_ssize_t record = 0;
    switch (p->kind) {
    case GB_RECORD_HINTS:
        return gb_head_hints(&x->extra, out) ? 0 : -1;
    case GB_RECORD_BODY:
    case GB_RECORD_FILE:
    case GB_RECORD_TRAILERS:
        record = add_response(x, p, out);
        break;
    case GB_RECORD_ACCEPT:
        record = gb_head_accept(&x->head, out) ? 0 : -1;
        gb_head_free(&x->head); // a WebSocket may live long, and needs no head any more
        break;
    default:
        x->burst += p->size;
        record = add_bytes(p, out);
    }
    if (record >= 0)
        x->head_sent = true;
    return record;
}

bool gb_outgoing_begin(struct gb_call *c, struct gb_outgoing *o)
{
    struct gb_exchange *x = c->exchange;
    struct gb_piece *p = &o->piece;
    struct gb_bytes *out = &c->loop->out;
    out->size = 0;
    Py_ssize_t record = add_first(x, p, out);
    if (record < 0)
        return false;
    o->before = out->data;
    o->before_size = out->size;
    o->before_at = gb_response_try(&x->claim, out->data, out->size, p->last && p->size == 0);
    o->record = (size_t)record;
    x->amid = !x->head_sent && o->before_at < out->size;
    return true;
}

bool gb_outgoing_keep(struct gb_outgoing *o)
{
    size_t left = o->before_size - o->before_at;
    char *own = malloc(left > sizeof(struct named) ? left : sizeof(struct named));
    if (own == NULL) {
        gb_piece_drop(&o->piece);
        *o = (struct gb_outgoing){0};
        gb_py.PyErr_NoMemory();
        return false;
    }
    memcpy(own, o->before + o->before_at, left);
    o->before = own;
    o->before_size = left;
    o->before_at = 0;
    return true;
}

bool gb_outgoing_go_on(struct gb_exchange *x, struct gb_outgoing *o)
{
    struct gb_piece *p = &o->piece;
    for (;;) {
        if (o->before_at < o->before_size) {
            size_t left = o->before_size - o->before_at;
            size_t n = gb_response_try(&x->claim, o->before + o->before_at, left, p->last && p->size == 0);
            o->before_at += n;
            if (n < left)
                return false;
            x->amid = false;
        }
        if (p->size == 0)
            return true;
        if (p->kind == GB_RECORD_FILE) { // `before` always has room for its record, and for the next header
            struct named named;
            if (!name_file(x, p, 0, &named))
                return false;
            memcpy(o->before, &named, sizeof named);
            o->before_size = sizeof named;
            o->before_at = 0;
            continue;
        }
        if (o->record == 0) { // the next record of a very long piece
            struct gb_record header = next_record(p);
            memcpy(o->before, &header, sizeof header);
            o->before_size = sizeof header;
            o->before_at = 0;
            o->record = header.size;
            continue;
        }
        size_t n = gb_response_try(&x->claim, p->data, o->record, p->last && o->record == p->size);
        bool full = n < o->record;
        p->data += n;
        p->size -= n;
        o->record -= n;
        if (full)
            return false;
    }
}

enum gb_wait gb_outgoing_watch(struct gb_exchange *x, const struct gb_outgoing *o)
{
    bool file = o->before_at == o->before_size && o->piece.kind == GB_RECORD_FILE;
    return (file ? gb_file_watch : gb_response_watch)(&x->claim);
}

void gb_outgoing_drop(struct gb_outgoing *o)
{
    gb_piece_drop(&o->piece);
    free(o->before);
    *o = (struct gb_outgoing){0};
}
