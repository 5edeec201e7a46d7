// The crew: a worker's request threads and how they share one inbox.
//
// Idle threads all sleep on the doorbell, in one edge-triggered epoll set: each
// ring wakes one of them, the one that fell asleep last. A thread that wakes is
// "up" until it has looked into the inbox with the GIL in its hands; only then
// does it take a hint, so that no claimed request waits for the GIL while another
// thread could have run it. While one is up the front need not ring.
#ifndef GB_CREW_H
#define GB_CREW_H

#include "segment.h"

// Runs `threads` request threads, this one among them, until the worker drains and the inbox is empty; the others have
// ended then. The GIL is held. NULL, or what was wrong before the first request was taken.
const char *gb_crew_run(struct gb_segment *s, unsigned threads);

// In a fork of the worker: closes what the crew holds.
void gb_crew_left(void);

#endif
