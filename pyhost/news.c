#include "news.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "bitmap.h"
#include "inbox.h"
#include "steps.h"

static struct gb_bitmap bitmap_of(const struct gb_segment *s, uint32_t reactor, uint32_t direction)
{
    uint8_t *at = s->news + (2 * (uint64_t)reactor + direction) * s->news_stride;
    size_t summary = ((size_t)s->summary_words * 8 + 63) & ~(size_t)63;
    return (struct gb_bitmap){(_Atomic uint64_t *)at, (_Atomic uint64_t *)(at + summary), s->summary_words,
                              s->streams / 64};
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

// News for which a reactor that dozes is rung, though more is to come; but not before they are a
// quarter of what waits. Measured with one worker of small requests, which is where both have most
// to do at once: with 64 connections 16 make 4 to 8 % more requests at no more processor time, and
// 8 and 32 do not make more; with 512 they alone make 6 % fewer, and a quarter as many as without.
#define NEWS_FOR_RING 16

// A reactor that only dozes comes back by itself. It is rung when nothing else keeps this worker
// busy, so that a busy worker's answers are taken in batches; and when there is a batch, so that
// the reactor sends it while the worker goes on.
static bool wakes_dozer(const struct gb_segment *s, uint32_t unrung)
{
    uint32_t waiting = gb_inbox_waiting(s);
    return waiting == 0 || (unrung >= NEWS_FOR_RING && unrung >= waiting / 4);
}

static void ring_sleeper(struct gb_segment *s, uint32_t reactor)
{
    uint32_t sleeping = atomic_load(&s->reactor[reactor].sleeping);
    uint32_t unrung = atomic_fetch_add_explicit(&s->unrung, 1, memory_order_relaxed) + 1;
    atomic_store_explicit(&s->alone, sleeping == GB_ASLEEP || sleeping == GB_WATCHING, memory_order_relaxed);
    if (sleeping == GB_ASLEEP || (sleeping == GB_DOZING && wakes_dozer(s, unrung))) {
        atomic_store_explicit(&s->unrung, 0, memory_order_relaxed);
        gb_ring(s->reactor_doorbell[reactor]);
    }
    GB_STEP(news_rung);
}

void gb_news_give(struct gb_segment *s, uint32_t reactor, uint32_t stream)
{
    struct gb_bitmap b = bitmap_of(s, reactor, GB_TO_FRONT);
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
        struct gb_bitmap b = bitmap_of(s, r, GB_TO_WORKER);
        if (gb_bitmap_any(&b))
            return true;
    }
    return false;
}

size_t gb_news_take(struct gb_segment *s, uint32_t reactor, void (*each)(void *self, uint32_t stream), void *self)
{
    struct gb_bitmap b = bitmap_of(s, reactor, GB_TO_WORKER);
    return gb_bitmap_take(&b, each, self);
}
