#include "evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "python_api.h"

#define EVIDENCE_STACK ((size_t)256 << 10) // faulthandler's handler needs little
#define GIL_WAIT_MS 1000                   // a thread that runs Python gives the GIL up every 5 ms to who wants it

static struct {
    int fd;
    atomic_int number;         // of the signal; 0: stacks cannot be written
    atomic_bool asked;         // a thread collects them
    int control;               // whom it tells then
    _Atomic(const char *) why; // they cannot be written
    pthread_mutex_t lock;      // for what follows; who has the GIL may wait for it, and not the other way round
    pthread_cond_t changed;
    bool waiter; // a thread waits for the GIL
    bool wanted; // it is to have the stacks written when it has it
} evidence = {.fd = -1, .why = "the worker is not so far yet", .lock = PTHREAD_MUTEX_INITIALIZER};

static bool prepare_condition(void)
{
    pthread_condattr_t attributes;
    return pthread_condattr_init(&attributes) == 0 && pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(&evidence.changed, &attributes) == 0;
}

void gb_evidence_start(int fd)
{
    evidence.fd = fd;
    if (fd < 0 || !prepare_condition())
        return;
    PyObject *own = gb_py.PyLong_FromSsize_t(fd);
    PyObject *returned = own != NULL ? gb_python_help("evidence", "O", own) : NULL;
    Py_ssize_t number = returned != NULL ? gb_py.PyLong_AsSsize_t(returned) : -1;
    gb_py.Py_DecRef(returned);
    gb_py.Py_DecRef(own);
    if (number < 0)
        gb_py.PyErr_WriteUnraisable(NULL);
    atomic_store(&evidence.why, number == 0
                                    ? "this Python is free-threaded: its threads cannot be stopped to look at them"
                                    : "Python's faulthandler could not be set up");
    atomic_store(&evidence.number, number > 0 ? (int)number : 0);
}

void gb_evidence_left(void)
{
    int nowhere = evidence.fd >= 0 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (nowhere < 0)
        return;
    dup3(nowhere, evidence.fd, O_CLOEXEC);
    close(nowhere);
}

// ---- Stacks.

// Starts a thread that is not waited for. It begins with all signals blocked but ours.
static bool start(void *(*body)(void *))
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t most, old;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    sigfillset(&most);
    sigdelset(&most, atomic_load(&evidence.number));
    pthread_sigmask(SIG_SETMASK, &most, &old);
    bool started = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                   pthread_attr_setstacksize(&attributes, EVIDENCE_STACK) == 0 &&
                   pthread_create(&thread, &attributes, body, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

// faulthandler's handler runs in this thread and has written when it returns.
static void write_stacks(void)
{
    raise(atomic_load(&evidence.number));
}

// Waits for the GIL for as long as it takes.
static void *wait_for_gil(void *unused)
{
    prctl(PR_SET_NAME, "gb-gil");
    int gil = gb_py.PyGILState_Ensure();
    pthread_mutex_lock(&evidence.lock);
    if (evidence.wanted)
        write_stacks();
    evidence.wanted = evidence.waiter = false;
    pthread_cond_signal(&evidence.changed);
    pthread_mutex_unlock(&evidence.lock);
    gb_py.PyGILState_Release(gil);
    return unused;
}

static struct timespec from_now(long ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

// One that waits still, of the time before, is taken again.
static void *collect(void *unused)
{
    struct gb_message stacked = {.kind = GB_MSG_STACKED, .a = 1};
    struct timespec end = from_now(GIL_WAIT_MS);
    prctl(PR_SET_NAME, "gb-stacks");
    pthread_mutex_lock(&evidence.lock);
    evidence.wanted = true;
    if (!evidence.waiter)
        evidence.waiter = start(wait_for_gil);
    while (evidence.wanted && evidence.waiter &&
           pthread_cond_timedwait(&evidence.changed, &evidence.lock, &end) != ETIMEDOUT)
        ;
    if (evidence.wanted)
        write_stacks();
    evidence.wanted = false;
    pthread_mutex_unlock(&evidence.lock);
    atomic_store(&evidence.asked, false);
    gb_send(evidence.control, &stacked, NULL, -1);
    return unused;
}

void gb_evidence_ask(int control)
{
    const char *why;
    if (atomic_load(&evidence.number) > 0) {
        if (atomic_exchange(&evidence.asked, true))
            return; // the answer is on its way
        evidence.control = control;
        if (start(collect))
            return;
        atomic_store(&evidence.asked, false);
        why = "no thread could be started for it";
    } else {
        why = atomic_load(&evidence.why);
    }
    struct gb_message none = {.kind = GB_MSG_STACKED, .size = (uint32_t)strlen(why)};
    gb_send(control, &none, why, -1);
}
