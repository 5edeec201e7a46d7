#include "pipe.h"

#include <stdatomic.h>
#include <string.h>

#include "steps.h"

// `written` carries both of the writer's counters, so that the reader can never
// see the one without the other.
static inline uint64_t pack(uint32_t base, uint32_t write)
{
    return (uint64_t)base << 32 | write;
}

bool gb_reader_open(struct gb_reader *r, struct gb_pipe *pipe, const uint8_t *bytes, uint32_t size)
{
    uint32_t used;
    r->pipe = pipe;
    r->bytes = bytes;
    r->size = size;
    r->read = atomic_load(&pipe->read);
    return gb_reader_used(r, &used);
}

bool gb_reader_used(const struct gb_reader *r, uint32_t *used)
{
    *used = (uint32_t)atomic_load(&r->pipe->written) - r->read;
    return *used <= r->size;
}

bool gb_reader_take(struct gb_reader *r, void *to, size_t n, size_t *taken)
{
    *taken = 0;
    uint64_t written = atomic_load(&r->pipe->written);
    uint32_t used = (uint32_t)written - r->read;
#ifndef GB_PLANTED_BUG // the fuzz target must find its absence
    if (used > r->size)
        return false;
#endif
    if (n > used)
        n = used;
    if (n == 0)
        return true;
    uint32_t at = (r->read - (uint32_t)(written >> 32)) & (r->size - 1);
    size_t first = n < r->size - at ? n : r->size - at;
    memcpy(to, r->bytes + at, first);
    memcpy((uint8_t *)to + first, r->bytes, n - first);
    GB_STEP(request_copied);
    r->read += (uint32_t)n;
    atomic_store(&r->pipe->read, r->read);
    *taken = n;
    return true;
}

bool gb_writer_open(struct gb_writer *w, struct gb_pipe *pipe, uint8_t *bytes, uint32_t size)
{
    uint32_t room;
    uint64_t written = atomic_load(&pipe->written);
    w->pipe = pipe;
    w->bytes = bytes;
    w->size = size;
    w->base = (uint32_t)(written >> 32);
    w->write = (uint32_t)written;
    return gb_writer_room(w, &room);
}

bool gb_writer_room(const struct gb_writer *w, uint32_t *room)
{
    uint32_t used = w->write - atomic_load(&w->pipe->read);
    *room = w->size - used;
    return used <= w->size;
}

bool gb_writer_was_read(const struct gb_writer *w, uint32_t upto)
{
    uint32_t used = w->write - atomic_load(&w->pipe->read);
    return w->write - upto >= used;
}

bool gb_writer_put(struct gb_writer *w, const void *from, size_t n, size_t *put)
{
    uint32_t room;
    *put = 0;
    if (!gb_writer_room(w, &room))
        return false;
    if (n > room)
        n = room;
    if (n == 0)
        return true;
    if (room == w->size)
        w->base = w->write;
    uint32_t at = (w->write - w->base) & (w->size - 1);
    size_t first = n < w->size - at ? n : w->size - at;
    memcpy(w->bytes + at, from, first);
    memcpy(w->bytes, (const uint8_t *)from + first, n - first);
    GB_STEP(response_copied);
    w->write += (uint32_t)n;
    atomic_store(&w->pipe->written, pack(w->base, w->write));
    GB_STEP(response_written);
    *put = n;
    return true;
}
