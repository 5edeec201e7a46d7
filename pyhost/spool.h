// The file of a request body that the front has taken in whole (GB_REQUEST_SPOOLED). Its
// descriptor comes through the control socket when the application first wants the body:
// the watcher receives it, and gives it to the thread whose request it is for.
//
// None of these functions needs the GIL.
#ifndef GB_SPOOL_H
#define GB_SPOOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct gb_spool {
    // Under the lock of spool.c.
    struct gb_spool *next; // in the list of those that are expected
    bool expected;
    uint32_t stream;
    uint64_t word;

    // Written by the watcher before `come`, then constant until the drop.
    int file;              // -1: it was lost on its way
    _Atomic uint32_t come; // 1: it has come, or was lost

    uint64_t read; // bytes, by the request's thread
};

// From now on the descriptor for this stream and word is kept when it comes. Calling it
// again does nothing. *s must stay where it is until the drop.
void gb_spool_expect(struct gb_spool *s, uint32_t stream, uint64_t word);

// Gives a descriptor, or -1 if it was lost, to whoever expects it; the descriptor is taken
// over, and closed if nobody does.
void gb_spool_come(uint64_t stream, uint64_t word, int file);

static inline bool gb_spool_here(struct gb_spool *s)
{
    return atomic_load(&s->come) != 0;
}

// Sleeps until it has come, for 100 ms at most.
void gb_spool_await(struct gb_spool *s);

// Reads the next bytes, at most n; may wait for the disk. -1, and errno: they cannot be
// read, or are not there.
ssize_t gb_spool_read(struct gb_spool *s, void *to, size_t n);

// Ends it: closes what has come and keeps nothing that still comes.
void gb_spool_drop(struct gb_spool *s);

// In a child that the application has forked: closes what it has inherited.
void gb_spool_left(void);

#endif
