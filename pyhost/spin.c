#include "spin.h"

#include <sched.h>
#include <time.h>

// Short waits after which it is taken for granted that the next one is short, too.
#define ROW 8

// And after a look in which somebody else was in need of the processor.
#define ROW_AFTER_TAKEN 2000

// An offer takes some hundred nanoseconds if nobody wants it.
#define TAKEN_NS 200000

int64_t gb_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void broken_row(struct gb_spin *s)
{
    if (s->row > 0)
        s->row = 0;
}

bool gb_spin_try(struct gb_spin *s, int64_t limit, bool alone)
{
    if (limit == 0)
        return false;
    if (s->waiting) { // one look is enough
        broken_row(s);
        return false;
    }
    if (s->taken != 1 || !alone)
        broken_row(s);
    s->taken = 0;
    s->waiting = true;
    s->since = gb_now_ns();
    return s->row >= ROW;
}

void gb_spin_found(struct gb_spin *s, int64_t limit)
{
    s->taken++;
    if (!s->waiting)
        return;
    s->waiting = false;
    if (gb_now_ns() - s->since < limit)
        s->row++;
    else
        broken_row(s);
}

bool gb_spin_offer(struct gb_spin *s)
{
    int64_t since = gb_now_ns();
    sched_yield();
    if (gb_now_ns() - since < TAKEN_NS)
        return true;
    s->row = ROW - ROW_AFTER_TAKEN;
    return false;
}
