// The segment as one worker sees it: a private copy of the header's numbers,
// every one checked against the mapping, and pointers made from that copy. The
// shared header is never looked at again.
#ifndef GB_SEGMENT_H
#define GB_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

struct gb_segment {
    uint8_t *base;
    size_t size;

    uint32_t workers;
    uint32_t reactors;
    uint32_t streams;
    uint32_t pipe_size;
    uint32_t inbox_entries;
    uint32_t summary_words;
    uint32_t spin_ns;
    uint64_t news_stride;

    uint32_t slot;        // this worker's
    uint32_t incarnation; // this worker's

    struct gb_reactor *reactor; // `reactors` of them
    struct gb_worker *worker;   // this worker's own block
    uint8_t *news;              // this worker's bitmaps, news_stride apart
    struct gb_stream *stream;   // `streams` of them
    uint8_t *pipes;

    uint32_t taken; // hints taken from the inbox: the number that counts, worker->taken is its copy

    // The last answer was the only one that its reactor waited for.
    atomic_bool alone;
    _Atomic uint32_t unrung; // news given since this worker last rang a reactor

    bool left; // this process is a fork of the worker: nothing of the segment is mapped here

    int control;                           // this worker's control socket, or -1
    int doorbell;                          // this worker's eventfd, or -1
    int reactor_doorbell[GB_MAX_REACTORS]; // eventfds, or -1
};

// Looks at `size` bytes of memory as a segment, for the worker in `slot`. Returns
// NULL, or what is wrong with it (a constant text). The memory stays the caller's.
// Doorbells are set to -1.
const char *gb_segment_adopt(struct gb_segment *s, void *base, size_t size, uint32_t slot, uint32_t incarnation);

// Maps the memfd and adopts it. The mapping is not inherited by forks and not in
// core dumps; `fd` stays the caller's to close.
const char *gb_segment_map(struct gb_segment *s, int fd, uint32_t slot, uint32_t incarnation);

// The pipes' bytes of a stream; `stream` is below s->streams.
static inline uint8_t *gb_segment_request_bytes(const struct gb_segment *s, uint32_t stream)
{
    return s->pipes + (size_t)2 * stream * s->pipe_size;
}

static inline uint8_t *gb_segment_response_bytes(const struct gb_segment *s, uint32_t stream)
{
    return gb_segment_request_bytes(s, stream) + s->pipe_size;
}

#endif
