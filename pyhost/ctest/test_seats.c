// Tests of the seats of several event loops: threads that do what loop.c does with them, and a
// front that rings only when it must. A wake-up that is lost ends in a deadline.
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../claim.h"
#include "../drain.h"
#include "../seats.h"
#include "../worker.h"
#include "front.h"
#include "test_seats.h"

enum { LOOPS = 3, USED = 16, USES = 20000, STUCK_EVERY = 50, OTHERS = 20, PATIENCE_S = 120 };

static struct front front;
static struct gb_segment segment;
static atomic_bool draining;
static atomic_bool asked[USED]; // by its loop, for news of this use of the stream
static atomic_int over, begun;  // uses
static atomic_flag stuck;       // a loop is
static atomic_int times_stuck;
static _Thread_local struct gb_claim *mine; // by stream: claims of this loop
static _Thread_local int has;

// What seats.c takes of the rest of the host, which has Python.
bool gb_draining(void)
{
    return atomic_load(&draining);
}

void gb_drain_begin(const struct gb_segment *s)
{
    atomic_store(&draining, true);
    gb_ring(s->doorbell);
}

void gb_worker_fail(int exit_code, const char *text)
{
    fprintf(stderr, "%s\n", text);
    exit(exit_code);
}

static void expect_in_time(time_t since)
{
    CHECK(time(NULL) - since < PATIENCE_S);
}

// ---- A loop.

// Its news: the request is over.
static void on_news(void *self, uint32_t stream)
{
    (void)self;
    if (stream >= USED || mine[stream].word == 0)
        return; // late
    has--;
    gb_claim_finish(&mine[stream], GB_FINISHED);
}

// Sometimes it does not come back from the application before others have done much more.
static void run_application(void)
{
    int number = atomic_fetch_add(&begun, 1);
    if (number % STUCK_EVERY != 0 || has > 2 || number > USES - 10 * OTHERS || atomic_flag_test_and_set(&stuck))
        return;
    time_t since = time(NULL);
    for (int before = atomic_load(&over); atomic_load(&over) < before + OTHERS; usleep(50))
        expect_in_time(since);
    atomic_fetch_add(&times_stuck, 1);
    atomic_flag_clear(&stuck);
}

static void take_hints(struct gb_seat *seat)
{
    struct gb_hint hint;
    while (gb_seat_take(seat, &hint) == GB_INBOX_HINT) {
        struct gb_claim *c = &mine[hint.stream];
        CHECK(gb_claim_take(c, &hint));
        gb_seat_own(seat, hint.stream);
        gb_seat_has(seat, (size_t)++has);
        atomic_store(&asked[hint.stream], true);
        run_application();
    }
}

static bool is_drained(const struct gb_seat *seat)
{
    return gb_draining() && has == 0 && (seat != gb_seat_first() || gb_seats_ended());
}

static void *run_loop(void *argument)
{
    struct gb_seat *seat = argument;
    struct pollfd bell = {gb_seat_descriptor(seat), POLLIN, 0};
    struct gb_claim claims[USED];
    for (int i = 0; i < USED; i++)
        gb_claim_open(&claims[i], &segment);
    mine = claims;
    for (;;) {
        gb_seat_wake(seat);
        do {
            gb_seat_news(seat, on_news, NULL);
            take_hints(seat);
        } while (!gb_seat_rest(seat));
        if (is_drained(seat))
            break;
        CHECK(poll(&bell, 1, PATIENCE_S * 1000) == 1);
        gb_seat_hear(seat);
    }
    gb_seat_leave(seat);
    if (seat != gb_seat_first())
        gb_seat_end(seat);
    for (int i = 0; i < USED; i++)
        gb_claim_close(&claims[i]);
    return NULL;
}

// ---- The front.

static void ring(void)
{
    if (atomic_load(&front.worker->sleeping))
        gb_ring(segment.doorbell);
}

static void tell(uint32_t stream)
{
    uint32_t reactor = stream % REACTORS;
    uint8_t *at = front.base + front.header->news_at + (2 * reactor + GB_TO_WORKER) * front.header->news_stride;
    _Atomic uint64_t *summary = (_Atomic uint64_t *)at, *bits = (_Atomic uint64_t *)(at + 64);
    atomic_fetch_or(&bits[stream / 64], UINT64_C(1) << stream % 64);
    atomic_fetch_or(summary, UINT64_C(1) << stream / 64);
    ring();
}

static bool has_room(void)
{
    return atomic_load(&front.worker->put) - atomic_load(&front.worker->taken) < INBOX;
}

static void begin(uint32_t stream)
{
    struct gb_stream *s = &front.stream[stream];
    atomic_store(&asked[stream], false);
    memset((char *)s + sizeof s->word, 0, sizeof *s - sizeof s->word);
    front_queue(&front, stream);
    ring();
}

// Uses each stream again and again: a request, and when its loop has asked for them, news.
static void run_front(void)
{
    enum { FREE, QUEUED, TOLD } state[USED] = {FREE};
    int queued = 0;
    time_t since = time(NULL);
    while (atomic_load(&over) < USES) {
        for (uint32_t i = 0; i < USED; i++) {
            if (state[i] == FREE && queued < USES && has_room()) {
                begin(i);
                queued++;
                state[i] = QUEUED;
            } else if (state[i] == QUEUED && atomic_load(&asked[i])) {
                tell(i);
                state[i] = TOLD;
            } else if (state[i] == TOLD && atomic_load(&front.stream[i].word) >> GB_STATE_SHIFT == GB_DONE) {
                atomic_fetch_add(&over, 1);
                state[i] = FREE;
                since = time(NULL);
            }
        }
        expect_in_time(since);
        sched_yield();
    }
}

void loops_share_an_inbox_and_their_news(void)
{
    pthread_t thread[LOOPS];
    front_open(&front, &segment);
    segment.doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(gb_seats_open(&segment, LOOPS));
    for (unsigned i = 0; i < LOOPS; i++)
        CHECK(pthread_create(&thread[i], NULL, run_loop, gb_seat_at(i)) == 0);
    run_front();
    gb_drain_begin(&segment);
    for (unsigned i = 0; i < LOOPS; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK(atomic_load(&begun) == USES && atomic_load(&times_stuck) > 0);
    gb_seats_left();
    close(segment.doorbell);
    front_close(&front);
}
