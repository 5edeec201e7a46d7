// The ASGI interface (asgiref, HTTP & WebSocket 2.5, lifespan 2.0): one application, an event
// loop in the worker's main thread, without a GIL others beside it, and a task for each request.
#ifndef GB_ASGI_H
#define GB_ASGI_H

#include "application.h"
#include "segment.h"
#include "worker.h"

// Makes what the requests of an application need, which stays the caller's, before workers
// are forked. The GIL is held. 0, or -1 and gb_failure says why.
int gb_asgi_prepare(const struct gb_worker_settings *s, const struct gb_application *a);

// Makes the loop and has the application start (lifespan). The GIL is held. Returns the
// loop's name, or NULL and gb_failure says why. *loops is how many there will be: `threads` of
// them where threads run Python at once, else one.
const char *gb_asgi_start(struct gb_segment *s, unsigned threads, unsigned *loops);

// Starts the other loops, and returns when all of them run. The GIL is held; it is released
// meanwhile. NULL, or what is wrong; a loop that does not start ends the process.
const char *gb_asgi_start_others(void);

// Serves until the worker drains and the application has shut down. The GIL is held.
void gb_asgi_run(void);

#endif
