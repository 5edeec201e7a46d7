// Whether a thread that finds nothing to do looks for a moment longer before it sleeps.
//
// With one request at a time in the whole server, most of the time between a request and
// its answer is the waking of a process, twice: of the worker and of the front. A worker
// that looks into its inbox for some microseconds more is there when the next request
// comes. That takes a processor from others, so it is done only after a row of waits that
// were each short, each ended by a single request, and each behind the only answer that
// the front waited for; and the first look in vain ends the row. Still that may be a client
// that has more to do than its processor allows and would use ours: so the thread offers it
// again and again, and when somebody takes it, does not look any more for a long while.
#ifndef GB_SPIN_H
#define GB_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct gb_spin {
    int64_t since;  // when the wait began, CLOCK_MONOTONIC, in nanoseconds
    unsigned taken; // requests since the last wait
    int row;        // short waits so far; below zero, those that must come before the count
    bool waiting;
};

// Called when nothing was found. True, once in a wait, if it is worth to look for up to
// `limit` nanoseconds. `alone`: the last answer was the only one waited for.
bool gb_spin_try(struct gb_spin *s, int64_t limit, bool alone);

// Called for each request that was taken.
void gb_spin_found(struct gb_spin *s, int64_t limit);

// Offers the processor to others. False if one of them took it: there are more processes that
// want to run than processors, and a look is not worth it.
bool gb_spin_offer(struct gb_spin *s);

// Nanoseconds of CLOCK_MONOTONIC.
int64_t gb_now_ns(void);

// Lets the processor's other thread go ahead for some ten nanoseconds.
static inline void gb_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
