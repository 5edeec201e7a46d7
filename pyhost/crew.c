#include "crew.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "claim.h"
#include "drain.h"
#include "inbox.h"
#include "leave.h"
#include "news.h"
#include "pace.h"
#include "python_api.h"
#include "signals.h"
#include "spin.h"
#include "steps.h"
#include "thread.h"
#include "worker.h"
#include "wsgi.h"

// Waiting longer for the GIL than this means that it was given up by force, not
// because its holder had to wait for something.
#define LONG_WAIT_NS 1000000

// One takes some ten nanoseconds.
#define SPINS_TO_OFFER 16

static struct {
    struct gb_segment *segment;
    int sleepers; // epoll set that holds the doorbell

    pthread_mutex_t lock; // for what follows and for taking; nobody waits for the GIL under it
    unsigned idle;        // threads that sleep, or go to sleep, on the doorbell
    unsigned up;          // threads between their sleep and their look into the inbox
    uint64_t taken;       // requests taken
    struct gb_spin spin;
} crew = {.sleepers = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

enum next { TAKEN, SPIN, SLEEP, LEAVE };

// ---- With the lock held.

static bool take_locked(struct gb_claim *c)
{
    struct gb_hint hint;
    for (;;) {
        switch (gb_inbox_take(crew.segment, &hint)) {
        case GB_INBOX_EMPTY:
            return false;
        case GB_INBOX_BROKEN:
            gb_worker_fail(GB_EXIT_HOST, "the inbox in shared memory holds what cannot be");
        case GB_INBOX_HINT:
            if (gb_claim_take(c, &hint)) {
                crew.taken++;
                gb_spin_found(&crew.spin, crew.segment->spin_ns);
                return true;
            }
        }
    }
}

// While threads sleep and none is up, the front must ring for what it puts. Set
// on their behalf; returns whether the last look found work.
static bool sleep_flag_locked(void)
{
    if (crew.idle == 0 || crew.up > 0)
        return false;
    gb_inbox_sleep(crew.segment);
    return gb_inbox_waiting(crew.segment) || gb_draining();
}

// Is a thread that found nothing to look again, and is up until then?
static bool spin_locked(void)
{
    bool alone = atomic_load_explicit(&crew.segment->alone, memory_order_relaxed);
    if (!gb_spin_try(&crew.spin, crew.segment->spin_ns, alone))
        return false;
    crew.up++;
    if (crew.idle > 0)
        gb_inbox_wake(crew.segment);
    return true;
}

static enum next look_locked(struct gb_claim *c, bool was_up)
{
    if (was_up)
        crew.up--;
    for (;;) {
        if (take_locked(c)) {
            if (was_up && sleep_flag_locked())
                gb_ring(crew.segment->doorbell); // more is waiting, and I am busy from now on
            return TAKEN;
        }
        if (gb_draining()) {
            if (crew.idle > 0)
                gb_ring(crew.segment->doorbell); // each who leaves wakes the next
            return LEAVE;
        }
        if (spin_locked())
            return SPIN;
        crew.idle++;
        if (!sleep_flag_locked())
            return SLEEP;
        if (--crew.idle == 0)
            gb_inbox_wake(crew.segment);
    }
}

// ---- Without it.

static enum next look(struct gb_claim *c, bool was_up)
{
    pthread_mutex_lock(&crew.lock);
    enum next next = look_locked(c, was_up);
    pthread_mutex_unlock(&crew.lock);
    return next;
}

// Sleeps on the doorbell, without the GIL, with *mask of signals blocked, or as it is for NULL; the
// thread is up then. True if a signal ended the sleep.
static bool sleep_on_doorbell(const sigset_t *mask)
{
    struct epoll_event event;
    bool interrupted = epoll_pwait(crew.sleepers, &event, 1, -1, mask) < 0;
    if (interrupted && errno != EINTR)
        gb_worker_fail(GB_EXIT_HOST,
                       "the doorbell is gone: has the application closed descriptors that are not its own?");
    pthread_mutex_lock(&crew.lock);
    crew.idle--;
    crew.up++;
    gb_inbox_wake(crew.segment);
    pthread_mutex_unlock(&crew.lock);
    return interrupted;
}

// Looks for a request for a moment, without the GIL; the thread is up then.
static void spin_on_inbox(void)
{
    void *state = gb_py.PyEval_SaveThread();
    int64_t end = gb_now_ns() + crew.segment->spin_ns;
    for (unsigned n = 1; !gb_inbox_waiting(crew.segment) && !gb_draining(); n++) {
        gb_pause();
        if (n % SPINS_TO_OFFER == 0 && (gb_now_ns() > end || !gb_spin_offer(&crew.spin)))
            break;
    }
    gb_py.PyEval_RestoreThread(state);
}

static uint64_t taken_so_far(void)
{
    pthread_mutex_lock(&crew.lock);
    uint64_t taken = crew.taken;
    pthread_mutex_unlock(&crew.lock);
    return taken;
}

// Takes the GIL. If that took a forced switch while the other threads took one
// request after the other, they do well without this one: it stands back, or
// every request would be cut in two by a switch and wait for all the others.
static void take_gil(void *state)
{
    for (;;) {
        int64_t since = gb_now_ns();
        uint64_t before = taken_so_far();
        gb_py.PyEval_RestoreThread(state);
        if (gb_now_ns() - since < LONG_WAIT_NS || taken_so_far() == before)
            return;
        state = gb_py.PyEval_SaveThread();
    }
}

// The application's own signal handlers run here when its main thread has nothing
// else to do. What they raise has nobody to catch it.
static void run_signal_handlers(void)
{
    if (gb_py.PyErr_CheckSignals() != 0)
        gb_py.PyErr_WriteUnraisable(NULL);
}

// The next request, with the GIL held on entry and return; false: leave.
static bool next_request(struct gb_claim *c, bool main)
{
    bool up = false;
    sigset_t mask;
    for (;;) {
        switch (look(c, up)) {
        case TAKEN:
            return true;
        case LEAVE:
            if (main)
                gb_drain_call();
            return false;
        case SPIN:
            spin_on_inbox();
            up = true;
            continue;
        case SLEEP:
            break;
        }
        if (main) {
            run_signal_handlers();
            gb_signals_hold_new(); // a request may have set handlers
            gb_signals_block_all(&mask);
            run_signal_handlers(); // of those that came meanwhile; the next one ends the sleep
        }
        void *state = gb_py.PyEval_SaveThread();
        bool interrupted = sleep_on_doorbell(main ? &mask : NULL);
        if (main)
            pthread_sigmask(SIG_SETMASK, &mask, NULL);
        take_gil(state);
        up = true;
        if (interrupted && main)
            run_signal_handlers();
    }
}

static void serve(bool main)
{
    struct gb_claim claim;
    gb_claim_open(&claim, crew.segment);
    for (unsigned n = 1; next_request(&claim, main); n++) {
        int64_t begun = gb_pace_begin(n);
        gb_wsgi_run(&claim);
        if (crew.segment->left)
            gb_leave_fork(NULL); // the application forked, and its child came back here, without the segment
        gb_pace_end(crew.segment, begun);
    }
    gb_claim_close(&claim);
}

static void *thread_main(void *unused)
{
    static atomic_uint others;
    char name[16];
    (void)unused;
    snprintf(name, sizeof name, "wsgi-%u", atomic_fetch_add(&others, 1) + 2);
    gb_thread_name(name);
    // One outer Ensure for the thread's whole life: its state, and with it what
    // the application keeps per thread, stays the same from request to request.
    int gil = gb_py.PyGILState_Ensure();
    gb_thread_introduce(name);
    serve(false);
    gb_py.PyGILState_Release(gil);
    return NULL;
}

// ---- The whole.

static bool watch_doorbell(void)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    crew.sleepers = epoll_create1(EPOLL_CLOEXEC);
    return crew.sleepers >= 0 && epoll_ctl(crew.sleepers, EPOLL_CTL_ADD, crew.segment->doorbell, &event) == 0;
}

// Starts the threads 2..n; how many there are then, this one included.
static unsigned start_threads(pthread_t *thread, unsigned threads)
{
    unsigned started = 1;
    while (started < threads && gb_thread_start(&thread[started], thread_main, NULL))
        started++;
    return started;
}

const char *gb_crew_run(struct gb_segment *s, unsigned threads)
{
    crew.segment = s;
    if (!watch_doorbell())
        return "the doorbell cannot be watched";
    const char *wrong = gb_drain_prepare();
    if (wrong != NULL)
        return wrong;
    pthread_t *thread = calloc(threads, sizeof *thread);
    if (thread == NULL || start_threads(thread, threads) < threads) {
        free(thread); // the process ends with this text, and those that did start with it
        return "the request threads cannot be started";
    }

    serve(true);

    void *state = gb_py.PyEval_SaveThread();
    for (unsigned i = 1; i < threads; i++)
        pthread_join(thread[i], NULL);
    gb_py.PyEval_RestoreThread(state);
    free(thread);
    return NULL;
}

void gb_crew_left(void)
{
    if (crew.sleepers >= 0)
        close(crew.sleepers);
    crew.sleepers = -1;
}
