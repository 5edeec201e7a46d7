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

#include "control.h"
#include "python_api.h"
#include "signals.h"

#define GUARD_STACK ((size_t)1 << 20) // faulthandler is called on it

static struct gb_packet packet; // the guard's

static struct {
    int control;
    int stop; // an eventfd: rung when the guard is to go; -1 while there is none
    pthread_t thread;
} guard = {.control = -1, .stop = -1};

// Takes the GIL, for as long as it is not given up for ever: who asks waits only so long.
static void show_stacks(void)
{
    struct gb_message stacked = {.kind = GB_MSG_STACKED, .a = 1};
    int fd = gb_packet_take(&packet, 0);
    int gil = gb_py.PyGILState_Ensure();
    PyObject *own = gb_py.PyLong_FromSsize_t(fd);
    gb_py.Py_DecRef(own != NULL ? gb_python_help("stacks", "O", own) : NULL);
    gb_py.PyErr_Clear();
    gb_py.Py_DecRef(own);
    gb_py.PyGILState_Release(gil);
    close(fd);
    gb_send(guard.control, &stacked, NULL, -1);
}

static void *watch(void *unused)
{
    struct pollfd both[] = {{.fd = guard.control, .events = POLLIN}, {.fd = guard.stop, .events = POLLIN}};
    prctl(PR_SET_NAME, "gb-guard");
    for (;;) {
        if (poll(both, 2, -1) < 0 && errno == EINTR)
            continue;
        if (both[0].revents == 0)
            return unused;
        // Until the import is over the front wants to know where it hangs, or to end it.
        if (gb_receive(guard.control, &packet) <= 0 || packet.message.kind != GB_MSG_STACKS)
            _exit(0);
        show_stacks();
        gb_packet_drop(&packet);
    }
}

const char *gb_guard_start(int control)
{
    pthread_attr_t attributes;
    sigset_t old;
    guard.control = control;
    guard.stop = eventfd(0, EFD_CLOEXEC);
    gb_signals_block_all(&old); // they are for the application's threads
    bool started = guard.stop >= 0 && pthread_attr_init(&attributes) == 0 &&
                   pthread_attr_setstacksize(&attributes, GUARD_STACK) == 0 &&
                   pthread_create(&guard.thread, &attributes, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return started ? NULL : "the thread that guards the import cannot be started";
}

void gb_guard_stop(void)
{
    eventfd_write(guard.stop, 1);
    PyThreadState *state = gb_py.PyEval_SaveThread(); // the guard may wait for the GIL, to show stacks
    pthread_join(guard.thread, NULL);
    gb_py.PyEval_RestoreThread(state);
    gb_guard_left();
}

void gb_guard_left(void)
{
    if (guard.stop >= 0)
        close(guard.stop);
    guard.stop = -1;
}
