#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "application.h"
#include "asgi.h"
#include "control.h"
#include "crew.h"
#include "drain.h"
#include "evidence.h"
#include "guard.h"
#include "leave.h"
#include "python_api.h"
#include "seats.h"
#include "segment.h"
#include "signals.h"
#include "spawn.h"
#include "spool.h"
#include "title.h"
#include "wsgi.h"

#define WATCHER_STACK ((size_t)256 << 10) // it calls nothing deep
#define MAX_THREADS 1024
#define WORKER_NAME "gobridge-worker"

static struct {
    int control;
    uint32_t incarnation;
    struct gb_segment segment;
    int evidence; // descriptor of its file, until that is taken over
    struct gb_worker_settings settings;
    struct gb_application application;
    struct gb_packet packet; // the main thread's until the watcher starts, then the watcher's
} worker = {.control = -1, .segment = {.doorbell = -1}, .evidence = -1};

// ---- The ends.

void gb_worker_fail(int exit_code, const char *text)
{
    // Only one thread may tell, and a second must not leave before it has told.
    static pthread_mutex_t told = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&told);
    gb_send_failed(worker.control, worker.incarnation, exit_code, text);
    _exit(exit_code);
}

// ---- Forks by the application.

static void let_go_of_descriptors(void)
{
    gb_crew_left();
    gb_seats_left();
    gb_guard_left();
    gb_evidence_left();
    gb_spool_left();
    close(worker.control);
    if (worker.segment.doorbell >= 0)
        close(worker.segment.doorbell);
    for (uint32_t r = 0; r < worker.segment.reactors; r++)
        close(worker.segment.reactor_doorbell[r]);
}

// In the child: it has nothing to do with the bridge. The segment is not mapped
// there; what is left to do is to let go of the descriptors and the signals. A fork
// of the fork comes here too, when the descriptors' numbers are the application's. In a
// template it is told apart from the host's own.
static void in_application_fork(void)
{
    if (gb_fork_is_ours()) {
        gb_signals_in_parent(); // as it was
        return;
    }
    if (!worker.segment.left)
        let_go_of_descriptors();
    worker.segment.left = true;
    gb_signals_in_child();
}

// ---- The watcher: the one thread that a stuck application cannot hold up. It
// never touches Python.

static void heed(struct gb_packet *p)
{
    switch (p->message.kind) {
    case GB_MSG_STOPPING:
        gb_drain_tell();
        break;
    case GB_MSG_DRAIN:
        gb_drain_begin(&worker.segment);
        break;
    case GB_MSG_STACKS:
        gb_evidence_ask(worker.control);
        break;
    case GB_MSG_BODY: // without its descriptor if this process has too many open
        gb_spool_come(p->message.a, p->message.b, gb_packet_take(p, 0));
        break;
    }
}

static void *watch(void *unused)
{
    (void)unused;
    prctl(PR_SET_NAME, "gb-watcher");
    for (;;) {
        int got = gb_receive(worker.control, &worker.packet);
        if (got <= 0 && !(got < 0 && errno == EMFILE))
            _exit(0); // the front is gone, or wants this worker to be
        heed(&worker.packet);
        gb_packet_drop(&worker.packet);
    }
}

static const char *start_watcher(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t old;
    gb_signals_block_all(&old); // they are for the application's threads
    bool started = pthread_attr_init(&attributes) == 0 &&
                   pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                   pthread_attr_setstacksize(&attributes, WATCHER_STACK) == 0 &&
                   pthread_create(&thread, &attributes, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!started)
        return "the watcher thread cannot be started";
    gb_die_with_parent(false); // the watcher sees to it
    return NULL;
}

// ---- The setup.

void gb_worker_hello(int control, uint32_t incarnation)
{
    struct gb_message hello = {.kind = GB_MSG_HELLO, .a = (uint64_t)getpid()};
    worker.control = control;
    worker.incarnation = incarnation;
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (pidfd < 0)
        gb_worker_fail(GB_EXIT_HOST,
                       "pidfd_open failed: gobridge needs Linux 5.3 or newer, and a sandbox that allows it");
    if (!gb_send(worker.control, &hello, NULL, pidfd))
        _exit(0); // nobody is there to work for
    close(pidfd);
}

static char *keep(const char *text)
{
    char *copy = strdup(text != NULL ? text : "");
    if (copy == NULL)
        gb_worker_fail(GB_EXIT_HOST, "out of memory");
    return copy;
}

// Is the setting there, and a yes?
static bool is_set(const struct gb_packet *p, const char *name)
{
    const char *value = gb_packet_setting(p, name);
    return value != NULL && strcmp(value, "1") == 0;
}

static const char *read_settings(const struct gb_packet *p)
{
    const char *threads = gb_packet_setting(p, "threads");
    long n = threads != NULL ? strtol(threads, NULL, 10) : 1;
    if (n < 1 || n > MAX_THREADS)
        return "setup: number of threads";
    worker.settings = (struct gb_worker_settings){
        .application = keep(gb_packet_setting(p, "application")),
        .chdir = keep(gb_packet_setting(p, "chdir")),
        .interface = keep(gb_packet_setting(p, "interface")),
        .loop = keep(gb_packet_setting(p, "loop")),
        .lifespan = keep(gb_packet_setting(p, "lifespan")),
        .threads = (unsigned)n,
        .multiprocess = is_set(p, "multiprocess"),
        .pathsend = is_set(p, "pathsend"),
    };
    return NULL;
}

// Descriptors: the segment, this worker's doorbell, each reactor's doorbell, the file for
// evidence. The segment's is closed here: the mapping is all that is needed.
static const char *take_descriptors(void)
{
    struct gb_packet *p = &worker.packet;
    struct gb_segment *s = &worker.segment;
    int fd = gb_packet_take(p, 0);
    const char *wrong = gb_segment_map(s, fd, (uint32_t)p->message.a, worker.incarnation);
    close(fd);
    if (wrong != NULL)
        return wrong;
    if (p->descriptors != 3 + s->reactors)
        return "setup: number of descriptors";
    s->control = worker.control;
    s->doorbell = gb_packet_take(p, 1);
    for (uint32_t r = 0; r < s->reactors; r++)
        s->reactor_doorbell[r] = gb_packet_take(p, 2 + r);
    worker.evidence = gb_packet_take(p, 2 + s->reactors);
    return NULL;
}

static const char *wait_for_setup(void)
{
    int got = gb_receive(worker.control, &worker.packet);
    if (got == 0)
        _exit(0);
    return got < 0 ? "setup: not a message" : NULL;
}

// Takes what SETUP brings but for its settings, which are of use only to who has still to
// import; they stay in the packet.
static const char *set_up(void)
{
    struct gb_packet *p = &worker.packet;
    if (p->message.kind != GB_MSG_SETUP || p->message.b != worker.incarnation)
        return "setup: not the message that was expected";
    gb_title_take(p);
    const char *wrong = take_descriptors();
    gb_packet_drop(p);
    return wrong;
}

// ---- The process.

// When memory is short, a worker is to go before the front: it is replaced.
static void offer_to_oom_killer(void)
{
    char text[16] = "";
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    if (read(fd, text, sizeof text - 1) > 0) {
        long score = strtol(text, NULL, 10) + 100;
        dprintf(fd, "%ld", score < 1000 ? score : 1000);
    }
    close(fd);
}

// One arena for each thread would multiply an application's memory.
static void limit_arenas(void)
{
    if (getenv("MALLOC_ARENA_MAX") == NULL)
        mallopt(M_ARENA_MAX, 2);
}

static void fail_if(const char *wrong)
{
    if (wrong != NULL)
        gb_worker_fail(GB_EXIT_HOST, wrong);
}

void gb_worker_begin(const char *name)
{
    static bool begun; // a worker that was forked from a template has the rest from there
    prctl(PR_SET_NAME, name);
    if (begun)
        return;
    begun = true;
    offer_to_oom_killer();
    limit_arenas();
    if (pthread_atfork(gb_signals_before_fork, gb_signals_in_parent, in_application_fork) != 0)
        gb_worker_fail(GB_EXIT_HOST, "pthread_atfork failed");
}

_Noreturn static void fail_to_start(void)
{
    gb_leave_flush();
    gb_worker_fail(GB_EXIT_IMPORT, gb_failure());
}

static bool is_asgi(void)
{
    return worker.application.interface == GB_INTERFACE_ASGI;
}

static void import_application(void)
{
    if (gb_application_load(&worker.application, &worker.settings) != 0)
        fail_to_start();
    if ((is_asgi() ? gb_asgi_prepare : gb_wsgi_prepare)(&worker.settings, &worker.application) != 0)
        fail_to_start();
    if (worker.segment.left)
        gb_leave_fork(NULL); // the import forked, and its child came back here
    gb_signals_hold();
}

void gb_worker_import(const struct gb_packet *settings)
{
    fail_if(read_settings(settings));
    import_application();
}

// The name of the loops, and their number; WSGI has none.
static const char *start_loops(unsigned *loops)
{
    if (!is_asgi())
        return "";
    const char *name = gb_asgi_start(&worker.segment, worker.settings.threads, loops);
    if (name == NULL)
        fail_to_start();
    fail_if(gb_asgi_start_others());
    return name;
}

_Noreturn static void serve(void)
{
    unsigned loops = 0;
    const char *name = start_loops(&loops);
    struct gb_message ready = {
        .kind = GB_MSG_READY, .a = worker.application.interface, .b = loops, .size = (uint32_t)strlen(name)};
    if (!gb_send(worker.control, &ready, name, -1))
        _exit(0);
    if (is_asgi())
        gb_asgi_run();
    else
        fail_if(gb_crew_run(&worker.segment, worker.settings.threads));
    gb_leave();
}

void gb_worker_main(void)
{
    gb_worker_begin(WORKER_NAME);
    fail_if(wait_for_setup());
    fail_if(set_up());
    fail_if(read_settings(&worker.packet));
    fail_if(start_watcher());
    gb_evidence_start(worker.evidence);
    import_application();
    serve();
}

void gb_worker_forked(void)
{
    gb_worker_begin(WORKER_NAME);
    fail_if(wait_for_setup());
    fail_if(set_up());
    fail_if(start_watcher());
    gb_evidence_start(worker.evidence);
    gb_py.Py_DecRef(gb_python_help("reseed", NULL));
    gb_py.PyErr_Clear();
    serve();
}

void gb_worker_become(const struct gb_packet *setup)
{
    prctl(PR_SET_NAME, WORKER_NAME);
    worker.packet = *setup;
    fail_if(set_up());
    fail_if(start_watcher());
    gb_evidence_start(worker.evidence);
    serve();
}
