#include "inbox.h"

#include <stdatomic.h>
#include <string.h>

#include "steps.h"

enum gb_taken gb_inbox_take(struct gb_segment *s, struct gb_hint *hint)
{
    uint32_t waiting = atomic_load(&s->worker->put) - s->taken;
    if (waiting == 0)
        return GB_INBOX_EMPTY;
    if (waiting > s->inbox_entries)
        return GB_INBOX_BROKEN;
    memcpy(hint, &s->worker->inbox[s->taken & (s->inbox_entries - 1)], sizeof *hint);
    GB_STEP(inbox_seen);
    s->taken++;
    atomic_store(&s->worker->taken, s->taken);
    GB_STEP(inbox_taken);
    return GB_INBOX_HINT;
}

// Reads the shared copy of `taken`: the private one belongs to the taking thread.
uint32_t gb_inbox_waiting(const struct gb_segment *s)
{
    return atomic_load(&s->worker->put) - atomic_load(&s->worker->taken);
}

void gb_inbox_sleep(struct gb_segment *s)
{
    atomic_store(&s->worker->sleeping, 1);
    GB_STEP(sleep_flag);
}

void gb_inbox_wake(struct gb_segment *s)
{
    GB_STEP(sleep_over);
    atomic_store(&s->worker->sleeping, 0);
}
