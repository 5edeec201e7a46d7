// A bitmap of two levels, in which any thread sets bits and takes them: a bit for each stream,
// and above them a summary, a bit for each word of those.
#ifndef GB_BITMAP_H
#define GB_BITMAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gb_bitmap {
    _Atomic uint64_t *summary; // one bit for each word of bits
    _Atomic uint64_t *bits;
    uint32_t summary_words, words;
};

// Is there a bit that nobody has taken?
bool gb_bitmap_any(const struct gb_bitmap *b);

// Takes the bits that are set and calls `each` for every one; returns how many. Those of the
// summary that name no word are dropped.
size_t gb_bitmap_take(const struct gb_bitmap *b, void (*each)(void *self, uint32_t bit), void *self);

#endif
