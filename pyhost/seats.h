// The seats of a worker's event loops, where it has several (ASGI in a Python without a GIL): how
// those share the worker's one inbox, its doorbell and its news.
//
// Each loop has a thread and a bell of its own. Any of them takes hints; whoever does owns the
// stream, and so its news, which any of them may take, are handed to it. The doorbell can wake
// only one of them, or each ring would wake all: of those that rest one has the watch, the one
// with the fewest requests. Who goes to work while another one rests leaves the watch to that
// one; so the front finds the worker asleep, and rings, as long as a loop has nothing to do.
//
// No function here touches Python, and none sleeps but for the lock, under which nobody does.
// A seat's are its loop's thread's alone, except where it says otherwise.
#ifndef GB_SEATS_H
#define GB_SEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inbox.h"
#include "segment.h"

struct gb_seat;

// Makes them, for as many loops. The first is the main thread's. False: errno says why.
bool gb_seats_open(struct gb_segment *s, unsigned count);

struct gb_seat *gb_seat_at(unsigned number);

// The main thread's; NULL: there are none.
struct gb_seat *gb_seat_first(void);

unsigned gb_seat_number(const struct gb_seat *seat);

// What its asyncio loop watches: it becomes readable when the loop is to look.
int gb_seat_descriptor(const struct gb_seat *seat);

// The loop has been told so.
void gb_seat_hear(struct gb_seat *seat);

// The loop looks now, and need not be told.
void gb_seat_wake(struct gb_seat *seat);

// As gb_inbox_take. A loop that has left gets none: it would not hear of its news.
enum gb_taken gb_seat_take(const struct gb_seat *seat, struct gb_hint *hint);

// The stream is the seat's from now on, and so are its news.
void gb_seat_own(const struct gb_seat *seat, uint32_t stream);

// It has so many requests now.
void gb_seat_has(struct gb_seat *seat, size_t requests);

// Takes all news there are, and calls `each` for those of the seat's streams.
void gb_seat_news(struct gb_seat *seat, void (*each)(void *self, uint32_t stream), void *self);

// The loop has nothing to do and is to be told when there is something. False: there is.
bool gb_seat_rest(struct gb_seat *seat);

// The loop takes nothing any more and has no stream, or no thread that would care.
void gb_seat_leave(struct gb_seat *seat);

// Its thread is about to end; and, of the main thread's: have all others?
void gb_seat_end(struct gb_seat *seat);
bool gb_seats_ended(void);

// Has a loop look; any thread.
void gb_seat_ring(struct gb_seat *seat);

// In a fork of the worker: closes what they hold.
void gb_seats_left(void);

#endif
