// News: one bit a stream, "look at it again". The worker sets bits in its bitmap
// to the front and rings the reactor if that sleeps; the front sets bits in the
// bitmap to the worker, which takes them by exchange.
//
// A bit is never lost by a death between two steps, and repeated news are one.
// No function here sleeps or needs the GIL.
#ifndef GB_NEWS_H
#define GB_NEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segment.h"

// Tells `reactor` to look at `stream`; both are in range.
void gb_news_give(struct gb_segment *s, uint32_t reactor, uint32_t stream);

// Takes what `reactor` has told this worker and calls `each` for every stream
// named; returns how many. Bits that name no stream are dropped.
size_t gb_news_take(struct gb_segment *s, uint32_t reactor, void (*each)(void *self, uint32_t stream), void *self);

// Has a reactor told this worker anything that is not taken?
bool gb_news_waiting(const struct gb_segment *s);

// Adds one to an eventfd; a full counter rings just as well. -1 is no eventfd.
void gb_ring(int eventfd);

#endif
