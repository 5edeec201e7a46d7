// A front for tests: it makes a small segment in ordinary memory and plays the Go
// side of the bridge, step by step as layout.h says.
#ifndef GB_TEST_FRONT_H
#define GB_TEST_FRONT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../claim.h"
#include "../inbox.h"
#include "../layout.h"
#include "../news.h"
#include "../segment.h"

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #condition);                      \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

struct front {
    uint8_t *base;
    size_t size;
    struct gb_header *header;
    struct gb_worker *worker; // slot 0
    struct gb_stream *stream;
    uint64_t sequence;
};

enum { INCARNATION = 7, PIPE = 4096, STREAMS = 128, INBOX = 8, REACTORS = 2 };

// A segment of one worker, and that worker's view of it.
void front_open(struct front *f, struct gb_segment *s);
void front_close(struct front *f);

// Gives the stream a new word and puts a hint of it.
struct gb_hint front_queue(struct front *f, uint32_t stream);

// Writes bytes into the request pipe; returns how many fitted. Wakes the worker.
size_t front_write(struct front *f, uint32_t stream, const void *from, size_t n);
// Takes bytes from the response pipe. Wakes the worker.
size_t front_read(struct front *f, uint32_t stream, void *to, size_t n);
void front_set(struct front *f, uint32_t stream, uint32_t flags);

// Has the worker news of this stream for this reactor? Takes all of its bits.
int front_news(struct front *f, uint32_t reactor, uint32_t stream);

#endif
