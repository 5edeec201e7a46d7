// The drain: the front has told this worker to finish what it has and leave.
//
// The application's own handler of SIGTERM. The host's stands in its place, because a
// signal to the whole group must not end a worker before the front lets it; when the
// worker is told to drain, this calls it: once, in the main thread, even amid a request
// that runs there. What it raises ends nothing.
#ifndef GB_DRAIN_H
#define GB_DRAIN_H

#include <stdbool.h>

#include "segment.h"

// Notes that the end has come, and tells whoever runs the requests by the worker's
// doorbell. Any thread, without the GIL.
void gb_drain_begin(const struct gb_segment *s);

// Was that so?
bool gb_draining(void);

// The application has stopped an event loop, of this number from 1: tells the front, and begins the
// drain. Nothing, if the front has told of the end already: the application may have stopped it because
// of that. Any thread, without the GIL.
void gb_drain_ask(const struct gb_segment *s, unsigned loop);

// From here on the handler can be called. In the main thread, with the GIL held. NULL,
// or what is wrong.
const char *gb_drain_prepare(void);

// Has the main thread call it soon, also out of a sleep in the application; nothing
// happens if the application has none. Any thread, without the GIL.
void gb_drain_tell(void);

// Calls it now, unless that was done. In the main thread, with the GIL held.
void gb_drain_call(void);

#endif
