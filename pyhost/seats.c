#include "seats.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bitmap.h"
#include "drain.h"
#include "news.h"
#include "worker.h"

struct gb_seat {
    unsigned number;
    int set;               // epoll set that the asyncio loop watches: the bell, and with the watch the doorbell
    int bell;              // eventfd
    atomic_bool rung;      // the bell, since the loop has heard it last
    atomic_bool idle;      // it rests; written under the lock
    atomic_size_t has;     // requests
    struct gb_bitmap news; // of its streams, which others have taken
    bool gone;             // under the lock
};

static struct {
    struct gb_segment *segment;
    struct gb_seat *all;
    unsigned count;
    _Atomic uint16_t *owner; // by stream: the number of the seat that had it last
    atomic_uint ended;       // threads
    atomic_bool told;        // everyone, of the drain

    pthread_mutex_t lock;            // for what follows, the inbox and the worker's sleep
    struct gb_seat *_Atomic watcher; // whom the doorbell wakes; read without the lock
    bool asleep;                     // the front is to ring: the watcher rests
} seats = {.lock = PTHREAD_MUTEX_INITIALIZER};

// ---- Their begin and their end.

static bool make_bitmap(struct gb_bitmap *b, const struct gb_segment *s)
{
    b->summary_words = s->summary_words;
    b->words = s->streams / 64;
    b->summary = calloc((size_t)b->summary_words + b->words, sizeof *b->summary);
    b->bits = b->summary + b->summary_words;
    return b->summary != NULL;
}

// The doorbell is in every set, and wakes from none but the watcher's: to change that is less
// work than to put it in and take it out.
static bool control(const struct gb_seat *seat, int how, int descriptor, bool wakes)
{
    struct epoll_event event = {.events = wakes ? EPOLLIN : 0};
    return epoll_ctl(seat->set, how, descriptor, &event) == 0;
}

static bool open_seat(struct gb_seat *seat, unsigned number)
{
    seat->number = number;
    seat->set = epoll_create1(EPOLL_CLOEXEC);
    seat->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return make_bitmap(&seat->news, seats.segment) && seat->set >= 0 && seat->bell >= 0 &&
           control(seat, EPOLL_CTL_ADD, seat->bell, true) &&
           control(seat, EPOLL_CTL_ADD, seats.segment->doorbell, number == 0);
}

bool gb_seats_open(struct gb_segment *s, unsigned count)
{
    seats.segment = s;
    seats.all = calloc(count, sizeof *seats.all);
    seats.owner = calloc(s->streams, sizeof *seats.owner);
    if (seats.all == NULL || seats.owner == NULL)
        return false;
    for (; seats.count < count; seats.count++)
        if (!open_seat(&seats.all[seats.count], seats.count))
            return false;
    seats.watcher = &seats.all[0];
    return true;
}

struct gb_seat *gb_seat_at(unsigned number)
{
    return &seats.all[number];
}

struct gb_seat *gb_seat_first(void)
{
    return seats.all;
}

unsigned gb_seat_number(const struct gb_seat *seat)
{
    return seat->number;
}

int gb_seat_descriptor(const struct gb_seat *seat)
{
    return seat->set;
}

void gb_seats_left(void)
{
    for (unsigned i = 0; i < seats.count; i++) {
        close(seats.all[i].set);
        close(seats.all[i].bell);
        seats.all[i].set = seats.all[i].bell = -1; // the numbers are the application's now
    }
    seats.count = 0;
}

// ---- Bells.

void gb_seat_ring(struct gb_seat *seat)
{
    if (!atomic_exchange(&seat->rung, true))
        gb_ring(seat->bell);
}

static void ring_all(void)
{
    for (unsigned i = 0; i < seats.count; i++)
        gb_seat_ring(&seats.all[i]);
}

// Whatever the doorbell was rung for, also if the watch is another's by now, is found by the
// look that follows. So is what somebody rings the bell for between its two steps.
void gb_seat_hear(struct gb_seat *seat)
{
    eventfd_t rung;
    eventfd_read(seat->bell, &rung);
    atomic_store(&seat->rung, false);
    if (atomic_load(&seats.watcher) == seat)
        eventfd_read(seats.segment->doorbell, &rung);
}

// ---- With the lock held.

// The one with the fewest requests of those that rest; of several this one, if it is one of
// them. NULL: nobody rests.
static struct gb_seat *idlest_locked(const struct gb_seat *rather)
{
    struct gb_seat *best = NULL;
    for (unsigned i = 0; i < seats.count; i++) {
        struct gb_seat *one = &seats.all[i];
        if (!atomic_load(&one->idle))
            continue;
        size_t has = atomic_load(&one->has), least = best != NULL ? atomic_load(&best->has) : 0;
        if (best == NULL || has < least || (has == least && one == rather))
            best = one;
    }
    return best;
}

static void watch_locked(struct gb_seat *seat)
{
    const struct gb_seat *old = atomic_load(&seats.watcher);
    if (old == seat)
        return;
    if (!control(seat, EPOLL_CTL_MOD, seats.segment->doorbell, true) ||
        !control(old, EPOLL_CTL_MOD, seats.segment->doorbell, false))
        gb_worker_fail(GB_EXIT_HOST,
                       "the doorbell cannot be watched: has the application closed descriptors that are not its own?");
    atomic_store(&seats.watcher, seat);
}

static void sleep_locked(struct gb_seat *watcher)
{
    watch_locked(watcher);
    seats.asleep = true;
    gb_inbox_sleep(seats.segment);
}

static void wake_locked(void)
{
    if (!seats.asleep)
        return;
    gb_inbox_wake(seats.segment);
    seats.asleep = false;
}

static bool is_waiting(void)
{
    return gb_inbox_waiting(seats.segment) || gb_news_waiting(seats.segment);
}

// Somebody goes to work: another one that rests is to hear of what comes, and of what has come.
static void share_locked(void)
{
    struct gb_seat *next = seats.asleep ? NULL : idlest_locked(NULL);
    if (next == NULL)
        return;
    sleep_locked(next);
    if (is_waiting())
        gb_seat_ring(next);
}

// ---- What a loop does.

void gb_seat_wake(struct gb_seat *seat)
{
    if (gb_draining() && !atomic_exchange(&seats.told, true))
        ring_all();
    if (!atomic_load(&seat->idle))
        return;
    pthread_mutex_lock(&seats.lock);
    atomic_store(&seat->idle, false);
    if (atomic_load(&seats.watcher) == seat)
        wake_locked(); // it is about to look
    pthread_mutex_unlock(&seats.lock);
}

enum gb_taken gb_seat_take(const struct gb_seat *seat, struct gb_hint *hint)
{
    pthread_mutex_lock(&seats.lock);
    enum gb_taken taken = seat->gone ? GB_INBOX_EMPTY : gb_inbox_take(seats.segment, hint);
    if (taken == GB_INBOX_HINT)
        share_locked();
    pthread_mutex_unlock(&seats.lock);
    return taken;
}

void gb_seat_own(const struct gb_seat *seat, uint32_t stream)
{
    atomic_store(&seats.owner[stream], (uint16_t)seat->number);
}

void gb_seat_has(struct gb_seat *seat, size_t requests)
{
    atomic_store_explicit(&seat->has, requests, memory_order_relaxed);
}

// For gb_news_take: who takes, and what is to be called for its own streams.
struct taker {
    const struct gb_seat *seat;
    void (*each)(void *self, uint32_t stream);
    void *self;
};

// Who does not rest looks before it does.
static void hand_over(struct gb_seat *seat, uint32_t stream)
{
    uint32_t word = stream / 64;
    atomic_fetch_or(&seat->news.bits[word], UINT64_C(1) << (stream % 64));
    atomic_fetch_or(&seat->news.summary[word / 64], UINT64_C(1) << (word % 64));
    if (atomic_load(&seat->idle))
        gb_seat_ring(seat);
}

static void deal(void *self, uint32_t stream)
{
    const struct taker *t = self;
    unsigned owner = atomic_load(&seats.owner[stream]);
    if (owner == t->seat->number)
        t->each(t->self, stream);
    else
        hand_over(&seats.all[owner], stream);
}

void gb_seat_news(struct gb_seat *seat, void (*each)(void *self, uint32_t stream), void *self)
{
    struct taker t = {seat, each, self};
    gb_bitmap_take(&seat->news, each, self);
    for (uint32_t r = 0; r < seats.segment->reactors; r++)
        gb_news_take(seats.segment, r, deal, &t);
}

bool gb_seat_rest(struct gb_seat *seat)
{
    bool more = false;
    pthread_mutex_lock(&seats.lock);
    if (!seat->gone) {
        atomic_store(&seat->idle, true);
        sleep_locked(idlest_locked(seat));
        more = is_waiting() || gb_bitmap_any(&seat->news);
    }
    if (more) {
        atomic_store(&seat->idle, false);
        wake_locked();
    }
    pthread_mutex_unlock(&seats.lock);
    return !more;
}

// ---- The end of a loop.

static struct gb_seat *successor_locked(void)
{
    struct gb_seat *one = idlest_locked(NULL), *each = seats.all;
    for (unsigned i = 0; one == NULL && each != NULL && i < seats.count; i++, each++)
        if (!each->gone)
            one = each;
    return one;
}

void gb_seat_leave(struct gb_seat *seat)
{
    pthread_mutex_lock(&seats.lock);
    seat->gone = true;
    atomic_store(&seat->idle, false);
    struct gb_seat *next = atomic_load(&seats.watcher) == seat ? successor_locked() : NULL;
    if (next != NULL) {
        wake_locked();
        watch_locked(next);
        gb_seat_ring(next); // for what came before
    }
    pthread_mutex_unlock(&seats.lock);
}

void gb_seat_end(struct gb_seat *seat)
{
    gb_seat_leave(seat);
    atomic_fetch_add(&seats.ended, 1);
    gb_seat_ring(&seats.all[0]);
}

bool gb_seats_ended(void)
{
    return atomic_load(&seats.ended) + 1 >= seats.count;
}
