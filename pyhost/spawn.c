#include "spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "python_api.h"
#include "worker.h"

// While this thread makes a fork of the host's own, and in what is born of it.
static _Thread_local bool ours;

bool gb_fork_is_ours(void)
{
    return ours;
}

pid_t gb_fork(void)
{
    gb_py.PyOS_BeforeFork();
    ours = true;
    pid_t pid = fork();
    if (pid == 0)
        return 0;
    int saved = errno;
    ours = false;
    gb_py.PyOS_AfterFork_Parent();
    errno = saved;
    return pid;
}

void gb_fork_born(void)
{
    ours = false;
    gb_py.PyOS_AfterFork_Child();
}

// Until the middle process is gone, and the front (or init) is our parent.
static void wait_for_other_parent(pid_t middle)
{
    const struct timespec moment = {.tv_nsec = 50000};
    while (getppid() == middle)
        nanosleep(&moment, NULL);
}

void gb_die_with_parent(bool die)
{
    prctl(PR_SET_PDEATHSIG, die ? SIGKILL : 0);
}

// In the middle process: forks the one that is to stay, and ends. That one says its name
// before Python's hooks run: one that hangs there must be known, to be killed. Without a front
// to do that the kernel does; a front that was gone before has nobody take the HELLO.
_Noreturn static void be_in_between(int control, int own, const struct gb_packet *request, gb_life *life)
{
    pid_t middle = getpid();
    pid_t last = fork();
    if (last == 0) {
        close(control);
        wait_for_other_parent(middle);
        gb_die_with_parent(true);
        gb_worker_hello(own, (uint32_t)request->message.a);
        gb_fork_born();
        life(own, request);
    }
    _exit(last < 0 ? 1 : 0);
}

// True if the new process is there and its first parent has gone.
static bool fork_twice(int control, int own, const struct gb_packet *request, gb_life *life)
{
    int status = -1;
    pid_t middle = gb_fork(), waited;
    if (middle == 0)
        be_in_between(control, own, request, life);
    if (middle < 0)
        return false;
    do
        waited = waitpid(middle, &status, 0);
    while (waited < 0 && errno == EINTR);
    // An application that has its children ignored, or reaps them itself, takes the status
    // away. If the second fork failed, the front sees the new socket's end.
    if (waited < 0 && errno == ECHILD)
        return true;
    errno = EAGAIN; // why the second fork fails, in all likelihood
    return status == 0;
}

void gb_spawn(int control, struct gb_packet *request, gb_life *life)
{
    uint32_t incarnation = (uint32_t)request->message.a;
    int own = gb_packet_take(request, 0);
    struct gb_message spawned = {.kind = GB_MSG_SPAWNED, .a = incarnation};
    gb_packet_drop(request);
    if (own >= 0 && fork_twice(control, own, request, life)) {
        if (!gb_send(control, &spawned, NULL, -1))
            _exit(0);
    } else {
        char text[256];
        snprintf(text, sizeof text, "a process could not be forked: %s",
                 own < 0 ? "no socket for it" : strerror(errno));
        gb_send_failed(control, incarnation, GB_EXIT_HOST, text);
    }
    if (own >= 0)
        close(own);
}
