#include "zygote.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "python_api.h"
#include "signals.h"
#include "start.h"
#include "worker.h"
#include "wsgi.h"

static struct gb_packet packet;

_Noreturn static void fail(int control, const char *text)
{
    gb_send_failed(control, 0, GB_EXIT_HOST, text);
    _exit(GB_EXIT_HOST);
}

// ---- Boot.

// The whole file as a text that ends with a NUL, or NULL; the caller frees it.
static char *read_text(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return NULL;
    size_t size = (size_t)st.st_size, have = 0;
    char *text = malloc(size + 1);
    while (text != NULL && have < size) {
        ssize_t n = pread(fd, text + have, size - have, (off_t)have);
        if (n > 0)
            have += (size_t)n;
        else if (n == 0 || errno != EINTR)
            break;
    }
    if (text != NULL)
        text[have] = '\0';
    return text;
}

// In the interpreter host Python had read the environment before we could change it.
static void forget_variable(void)
{
    PyObject *os = gb_py.PyImport_ImportModule("os");
    PyObject *environ = os != NULL ? gb_py.PyObject_GetAttrString(os, "environ") : NULL;
    PyObject *pop = environ != NULL ? gb_py.PyObject_GetAttrString(environ, "pop") : NULL;
    if (pop != NULL)
        gb_py.Py_DecRef(gb_py.PyObject_CallFunction(pop, "ss", GB_HOST_FD_VARIABLE, ""));
    gb_py.PyErr_Clear();
    gb_py.Py_DecRef(pop);
    gb_py.Py_DecRef(environ);
    gb_py.Py_DecRef(os);
}

static const char *setting(const char *name)
{
    const char *value = gb_packet_setting(&packet, name);
    return value != NULL ? value : "";
}

static void boot(int control)
{
    char error[1024] = "";
    const char *library = setting("library"), *program = setting("program");
    int fd = gb_packet_take(&packet, 0);
    char *helper = fd >= 0 ? read_text(fd) : NULL;
    gb_packet_drop(&packet);
    if (helper == NULL)
        fail(control, "boot: not the message that was expected");
    close(fd);
    if (!gb_start_python(library, program, error, sizeof error))
        fail(control, error);
    forget_variable();
    if (gb_python_helper(helper) != 0)
        fail(control, gb_failure());
    free(helper);
    // Its table of handlers is made now, before ours are there: it would give None for them.
    gb_py.Py_DecRef(gb_py.PyImport_ImportModule("signal"));
    const char *version = gb_py.Py_GetVersion();
    struct gb_message booted = {.kind = GB_MSG_BOOTED, .size = (uint32_t)strlen(version)};
    if (!gb_send(control, &booted, version, -1))
        _exit(0);
}

// ---- Spawn.

// Until the middle process is gone, and the front (or init) is our parent.
static void wait_for_other_parent(pid_t middle)
{
    const struct timespec moment = {.tv_nsec = 50000};
    while (getppid() == middle)
        nanosleep(&moment, NULL);
}

_Noreturn static void become_worker(int control, int own, pid_t middle, uint32_t incarnation)
{
    close(control);
    wait_for_other_parent(middle);
    gb_py.PyOS_AfterFork_Child();
    gb_worker_main(own, incarnation);
}

// Forks twice, so that the worker is not this process's child. True if the worker
// is there and its first parent has gone.
static bool fork_worker(int control, int own, uint32_t incarnation)
{
    int status = -1;
    gb_py.PyOS_BeforeFork();
    pid_t middle = fork();
    if (middle == 0) {
        middle = getpid();
        pid_t worker = fork();
        if (worker == 0)
            become_worker(control, own, middle, incarnation);
        _exit(worker < 0 ? 1 : 0);
    }
    int saved = errno;
    gb_py.PyOS_AfterFork_Parent();
    if (middle < 0) {
        errno = saved;
        return false;
    }
    while (waitpid(middle, &status, 0) < 0 && errno == EINTR)
        ;
    errno = EAGAIN; // why the second fork fails, in all likelihood
    return status == 0;
}

static void spawn(int control)
{
    uint32_t incarnation = (uint32_t)packet.message.a;
    int own = gb_packet_take(&packet, 0);
    struct gb_message spawned = {.kind = GB_MSG_SPAWNED, .a = incarnation};
    if (own >= 0 && fork_worker(control, own, incarnation)) {
        if (!gb_send(control, &spawned, NULL, -1))
            _exit(0);
    } else {
        char text[256];
        snprintf(text, sizeof text, "a worker could not be forked: %s", own < 0 ? "no socket for it" : strerror(errno));
        gb_send_failed(control, incarnation, GB_EXIT_HOST, text);
    }
    if (own >= 0)
        close(own);
}

// ---- The loop.

static void obey(int control)
{
    int got = gb_receive(control, &packet);
    if (got <= 0)
        _exit(0); // the front is gone, or is through with us
    if (packet.message.kind == GB_MSG_SPAWN)
        spawn(control);
    gb_packet_drop(&packet);
}

void gb_zygote_main(int control)
{
    sigset_t before;
    prctl(PR_SET_NAME, "gobridge-zygote");
    gb_signals_block(&before);
    int got = gb_receive(control, &packet);
    if (got == 0)
        _exit(0);
    if (got < 0 || packet.message.kind != GB_MSG_BOOT)
        fail(control, "boot: not the message that was expected");
    boot(control);
    gb_signals_hold();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (;;)
        obey(control);
}
