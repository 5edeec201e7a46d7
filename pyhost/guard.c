#include "guard.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#define GUARD_STACK ((size_t)256 << 10) // it calls nothing deep

static struct {
    int control;
    int stop; // an eventfd: rung when the guard is to go; -1 while there is none
    pthread_t thread;
} guard = {.control = -1, .stop = -1};

static void *watch(void *unused)
{
    struct pollfd both[] = {{.fd = guard.control, .events = POLLIN}, {.fd = guard.stop, .events = POLLIN}};
    prctl(PR_SET_NAME, "gb-guard");
    while (poll(both, 2, -1) < 0 && errno == EINTR)
        ;
    // Until the import is over the front has nothing to say but that it ends.
    if (both[0].revents != 0)
        _exit(0);
    return unused;
}

const char *gb_guard_start(int control)
{
    pthread_attr_t attributes;
    sigset_t all, old;
    guard.control = control;
    guard.stop = eventfd(0, EFD_CLOEXEC);
    // Signals are for the application's threads.
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool started = guard.stop >= 0 && pthread_attr_init(&attributes) == 0 &&
                   pthread_attr_setstacksize(&attributes, GUARD_STACK) == 0 &&
                   pthread_create(&guard.thread, &attributes, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return started ? NULL : "the thread that guards the import cannot be started";
}

void gb_guard_stop(void)
{
    eventfd_write(guard.stop, 1);
    pthread_join(guard.thread, NULL);
    gb_guard_left();
}

void gb_guard_left(void)
{
    if (guard.stop >= 0)
        close(guard.stop);
    guard.stop = -1;
}
