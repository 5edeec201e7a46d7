#include "news.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "inbox.h"
#include "steps.h"

struct bitmap {
    _Atomic uint64_t *summary; // one bit for each word of bits
    _Atomic uint64_t *bits;    // one bit for each stream
};

static struct bitmap bitmap_of(const struct gb_segment *s, uint32_t reactor, uint32_t direction)
{
    uint8_t *at = s->news + (2 * (uint64_t)reactor + direction) * s->news_stride;
    size_t summary = ((size_t)s->summary_words * 8 + 63) & ~(size_t)63;
    return (struct bitmap){(_Atomic uint64_t *)at, (_Atomic uint64_t *)(at + summary)};
}

void gb_ring(int eventfd)
{
    static const uint64_t one = 1;
    if (eventfd < 0)
        return;
    int saved = errno;
    while (write(eventfd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    errno = saved;
}

// A reactor that only dozes comes back by itself; it is rung when nothing else
// keeps this worker busy, so that a busy worker's answers are taken in batches.
static void ring_sleeper(struct gb_segment *s, uint32_t reactor)
{
    uint32_t sleeping = atomic_load(&s->reactor[reactor].sleeping);
    atomic_store_explicit(&s->alone, sleeping == GB_ASLEEP || sleeping == GB_WATCHING, memory_order_relaxed);
    if (sleeping == GB_ASLEEP || (sleeping == GB_DOZING && !gb_inbox_waiting(s)))
        gb_ring(s->reactor_doorbell[reactor]);
    GB_STEP(news_rung);
}

void gb_news_give(struct gb_segment *s, uint32_t reactor, uint32_t stream)
{
    struct bitmap b = bitmap_of(s, reactor, GB_TO_FRONT);
    uint32_t word = stream / 64;
    atomic_fetch_or(&b.bits[word], UINT64_C(1) << (stream % 64));
    GB_STEP(news_bit);
    atomic_fetch_or(&b.summary[word / 64], UINT64_C(1) << (word % 64));
    GB_STEP(news_summary);
    ring_sleeper(s, reactor);
}

bool gb_news_waiting(const struct gb_segment *s)
{
    for (uint32_t r = 0; r < s->reactors; r++) {
        struct bitmap b = bitmap_of(s, r, GB_TO_WORKER);
        for (uint32_t i = 0; i < s->summary_words; i++)
            if (atomic_load(&b.summary[i]) != 0)
                return true;
    }
    return false;
}

size_t gb_news_take(struct gb_segment *s, uint32_t reactor, void (*each)(void *self, uint32_t stream), void *self)
{
    struct bitmap b = bitmap_of(s, reactor, GB_TO_WORKER);
    uint32_t words = s->streams / 64;
    size_t count = 0;
    for (uint32_t i = 0; i < s->summary_words; i++) {
        if (atomic_load(&b.summary[i]) == 0)
            continue;
        uint64_t summary = atomic_exchange(&b.summary[i], 0);
        for (; summary != 0; summary &= summary - 1) {
            uint32_t word = i * 64 + (uint32_t)__builtin_ctzll(summary);
            if (word >= words)
                break;
            uint64_t bits = atomic_exchange(&b.bits[word], 0);
            for (; bits != 0; bits &= bits - 1, count++)
                each(self, word * 64 + (uint32_t)__builtin_ctzll(bits));
        }
    }
    return count;
}
