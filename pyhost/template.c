#include "template.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"
#include "leave.h"
#include "python_api.h"
#include "spawn.h"
#include "threads.h"
#include "title.h"
#include "worker.h"

#define TRIAL_SECONDS 10 // for a child of the trial fork to come to its end

static struct {
    int control;
    bool forkable;
    bool looking;              // a trial fork is being made
    struct gb_threads threads; // that it would have left behind
    struct gb_packet packet;
} template = {.control = -1};

// ---- The trial fork. Libraries may stop their threads before a fork (OpenBLAS does) and
// start them again when they are needed: what counts is who is there when it happens.

#define ENDING_LOOKS 50 // 10 ms apart

// A handler that runs after every other one before a fork, because it was registered first.
// A thread that one of them has joined may take a moment to end.
static void before_fork(void)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    if (!template.looking || !gb_fork_is_ours())
        return;
    struct gb_threads *left = &template.threads;
    gb_threads_look(left);
    for (int looks = 1; looks < ENDING_LOOKS && left->size > 0; looks++) {
        nanosleep(&moment, NULL);
        gb_threads_look(left);
    }
}

// Waits for the trial's child, which ends at once unless a library's handler hangs in it.
static bool has_ended(pid_t child)
{
    const struct timespec moment = {.tv_nsec = 200000};
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (;;) {
        pid_t waited = waitpid(child, NULL, WNOHANG);
        if (waited == child || (waited < 0 && errno == ECHILD))
            return true;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - begin.tv_sec > TRIAL_SECONDS)
            break;
        nanosleep(&moment, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return false;
}

// NULL, or why a fork does not go well; the threads are known then.
static const char *try_fork(void)
{
    template.looking = true;
    pid_t own = getpid(), child = gb_fork();
    if (child == 0) {
        gb_die_with_parent(true);
        if (getppid() == own)
            gb_fork_born(); // as each worker will
        _exit(0);
    }
    template.looking = false;
    if (child < 0)
        return "the process cannot be forked";
    return has_ended(child) ? NULL : "a trial fork did not come to its end: a library's handler hangs in it";
}

// ---- The decision.

// The text of what a function of the helper returned, good as long as the object; what
// failed is told and speaks against forking.
static const char *text_of(PyObject *returned)
{
    const char *text = returned != NULL ? gb_py.PyUnicode_AsUTF8AndSize(returned, NULL) : NULL;
    if (text != NULL)
        return text;
    gb_py.PyErr_WriteUnraisable(NULL);
    return "what the import has left behind could not be looked at";
}

// Says what the import has left behind that speaks against forking; `before` is what was
// open then, or NULL. Whether the application is to be forked all the same is `forced`.
static void decide(PyObject *before, bool forced)
{
    const char *wrong = try_fork();
    PyObject *reasons = NULL;
    if (wrong == NULL) {
        reasons = before != NULL ? gb_python_help("reasons", "Os", before, template.threads.lines) : NULL;
        wrong = text_of(reasons);
    }
    template.forkable = forced || *wrong == '\0';
    if (template.forkable) {
        gb_py.Py_DecRef(gb_python_help("freeze", NULL));
        gb_py.PyErr_Clear();
    }
    gb_leave_flush(); // or each worker would write what is still in a buffer
    struct gb_message imported = {.kind = GB_MSG_IMPORTED, .size = (uint32_t)strlen(wrong), .a = template.forkable};
    if (!gb_send(template.control, &imported, wrong, -1))
        _exit(0);
    gb_py.Py_DecRef(reasons);
}

// ---- Its life.

static void be_worker(int own, const struct gb_packet *request)
{
    (void)own, (void)request;
    gb_worker_forked();
}

static void refuse(uint64_t incarnation)
{
    gb_send_failed(template.control, (uint32_t)incarnation, GB_EXIT_HOST, "this template is not to be forked");
}

// One that has been forked leaves without its application's exit handlers: what they would
// remove the workers may still use, and each of those runs them.
_Noreturn static void leave(void)
{
    if (!template.forkable)
        gb_leave();
    _exit(0);
}

static void obey(void)
{
    struct gb_packet *p = &template.packet;
    if (gb_receive(template.control, p) <= 0)
        _exit(0); // the front is gone
    switch (p->message.kind) {
    case GB_MSG_SPAWN:
        if (template.forkable)
            gb_spawn(template.control, p, be_worker);
        else
            refuse(p->message.a);
        break;
    case GB_MSG_SETUP:
        if (!template.forkable)
            gb_worker_become(p);
        break;
    case GB_MSG_DRAIN:
        leave();
    }
    gb_packet_drop(p);
}

void gb_template_main(int control, const struct gb_packet *request)
{
    const char *preload = gb_packet_setting(request, "preload");
    bool forced = preload != NULL && strcmp(preload, "on") == 0;
    template.control = control;
    gb_title_take(request);
    // First of all handlers, so that it runs last.
    bool registered = pthread_atfork(before_fork, NULL, NULL) == 0;
    gb_worker_begin("gobridge-template");
    if (!registered)
        gb_worker_fail(GB_EXIT_HOST, "pthread_atfork failed");
    const char *wrong = gb_guard_start(control);
    if (wrong != NULL)
        gb_worker_fail(GB_EXIT_HOST, wrong);
    PyObject *before = gb_python_help("opened", NULL);
    gb_py.PyErr_Clear();
    gb_worker_import(request);
    gb_guard_stop();
    decide(before, forced);
    gb_py.Py_DecRef(before);
    for (;;)
        obey();
}
