// How long a request keeps a thread, for the front: it does not wake a worker for small requests
// while another one will soon be through with what it has. All that the thread waits for meanwhile
// counts: a slow client, a database, the GIL.
//
// Of every so many requests one is timed, since to look at the clock twice would be felt by the
// smallest. What is told is a running median: each sample moves it by a sixteenth, however
// far away it is, so a request that waits for something does not hide how quick the others are.
#ifndef GB_PACE_H
#define GB_PACE_H

#include <stdatomic.h>
#include <stdint.h>

#include "segment.h"
#include "spin.h"

#define GB_PACE_EVERY 16

// Called before a thread's n-th request; what gb_pace_end wants. 0: it is not timed.
static inline int64_t gb_pace_begin(unsigned n)
{
    return n % GB_PACE_EVERY == 0 ? gb_now_ns() : 0;
}

// Threads may come in between one another: then a sample is lost.
static inline void gb_pace_end(struct gb_segment *s, int64_t begun)
{
    if (begun == 0)
        return;
    int64_t took = gb_now_ns() - begun;
    uint32_t sample = took < 1 ? 1 : took > INT32_MAX ? INT32_MAX : (uint32_t)took;
    uint32_t pace = atomic_load_explicit(&s->worker->pace, memory_order_relaxed);
    if (pace == 0)
        pace = sample;
    else if (sample < pace)
        pace -= pace / 16;
    else
        pace += pace / 16 + 1;
    atomic_store_explicit(&s->worker->pace, pace, memory_order_relaxed);
}

#endif
