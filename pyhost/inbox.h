// The inbox: hints of streams for this worker. The front puts, this worker takes.
//
// A hint is only a hint: whoever swaps the stream's word owns the stream.
//
// gb_inbox_take and the two that change the sleeping flag are called by one
// thread at a time (the crew's lock, or the seats'); gb_inbox_waiting by any. No function here
// sleeps or needs the GIL.
#ifndef GB_INBOX_H
#define GB_INBOX_H

#include <stdint.h>

#include "segment.h"

enum gb_taken {
    GB_INBOX_EMPTY,
    GB_INBOX_HINT,   // *hint is a copy; nothing about it is checked
    GB_INBOX_BROKEN, // the front's counter cannot be
};

enum gb_taken gb_inbox_take(struct gb_segment *s, struct gb_hint *hint);

// How many hints are there that nobody has taken?
uint32_t gb_inbox_waiting(const struct gb_segment *s);

// Set before the last look and the sleep, cleared after it: while it is set the
// front rings the doorbell for whatever it puts.
void gb_inbox_sleep(struct gb_segment *s);
void gb_inbox_wake(struct gb_segment *s);

#endif
