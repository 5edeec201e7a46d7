// A pipe of a stream: a ring of bytes in shared memory with one writer and one
// reader, in different processes.
//
// Each side keeps its own counters in private memory and only publishes them; of
// the other side's counter it loads one copy, checks it, and uses the copy. So
// whatever the other side writes, no access leaves the pipe's bytes.
//
// The worker reads the request pipe and writes the response pipe. No function
// here sleeps or needs the GIL.
#ifndef GB_PIPE_H
#define GB_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

struct gb_reader {
    struct gb_pipe *pipe;
    const uint8_t *bytes;
    uint32_t size; // a power of two
    uint32_t read;
};

struct gb_writer {
    struct gb_pipe *pipe;
    uint8_t *bytes;
    uint32_t size; // a power of two
    uint32_t base;
    uint32_t write;
};

// Begin where the pipe's own side left off. False if the counters cannot be.
bool gb_reader_open(struct gb_reader *r, struct gb_pipe *pipe, const uint8_t *bytes, uint32_t size);
bool gb_writer_open(struct gb_writer *w, struct gb_pipe *pipe, uint8_t *bytes, uint32_t size);

// Bytes that can be taken now; false if the writer's counter cannot be.
bool gb_reader_used(const struct gb_reader *r, uint32_t *used);

// Takes at most n bytes. *taken is 0 when the pipe is empty. False if the
// writer's counter cannot be.
bool gb_reader_take(struct gb_reader *r, void *to, size_t n, size_t *taken);

// Bytes that can be put now; false if the reader's counter cannot be.
bool gb_writer_room(const struct gb_writer *w, uint32_t *room);

// Has the reader taken all bytes up to an earlier value of `write`? Of one that is more than
// 2^32 bytes old it may seem not so as long as there are bytes in the pipe.
bool gb_writer_was_read(const struct gb_writer *w, uint32_t upto);

// Puts at most n bytes. *put is 0 when the pipe is full. False if the reader's
// counter cannot be.
bool gb_writer_put(struct gb_writer *w, const void *from, size_t n, size_t *put);

#endif
