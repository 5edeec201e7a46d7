#include "bitmap.h"

bool gb_bitmap_any(const struct gb_bitmap *b)
{
    for (uint32_t i = 0; i < b->summary_words; i++)
        if (atomic_load(&b->summary[i]) != 0)
            return true;
    return false;
}

size_t gb_bitmap_take(const struct gb_bitmap *b, void (*each)(void *self, uint32_t bit), void *self)
{
    size_t count = 0;
    for (uint32_t i = 0; i < b->summary_words; i++) {
        if (atomic_load(&b->summary[i]) == 0)
            continue;
        uint64_t summary = atomic_exchange(&b->summary[i], 0);
        for (; summary != 0; summary &= summary - 1) {
            uint32_t word = i * 64 + (uint32_t)__builtin_ctzll(summary);
            if (word >= b->words)
                break;
            uint64_t bits = atomic_exchange(&b->bits[word], 0);
            for (; bits != 0; bits &= bits - 1, count++)
                each(self, word * 64 + (uint32_t)__builtin_ctzll(bits));
        }
    }
    return count;
}
