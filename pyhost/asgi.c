#include "asgi.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "application.h"
#include "call.h"
#include "drain.h"
#include "leave.h"
#include "loop.h"
#include "scope.h"
#include "seats.h"
#include "signals.h"
#include "thread.h"

static struct {
    struct gb_segment *segment;
    struct gb_loop main;
    PyObject *serve;   // of the main loop: runs it to its end
    unsigned count;    // loops
    bool pathsend;     // a setting
    pthread_t *thread; // of those but the main one

    pthread_mutex_t lock; // for what follows
    pthread_cond_t more;
    unsigned running; // of the others
} asgi = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static void own(PyObject **object)
{
    gb_py.Py_IncRef(*object);
}

int gb_asgi_prepare(const struct gb_worker_settings *s, const struct gb_application *a)
{
    asgi.pathsend = s->pathsend;
    if (!gb_call_prepare())
        return gb_application_raised("the host's own objects could not be made");
    PyObject *wrong = gb_python_help("asgi_prepare", "Osss", a->callable, a->interface_name, s->loop, s->lifespan);
    if (wrong == NULL)
        return gb_application_raised("the event loop could not be imported");
    const char *text = wrong != gb_py._Py_NoneStruct ? gb_py.PyUnicode_AsUTF8AndSize(wrong, NULL) : NULL;
    gb_py.PyErr_Clear();
    if (text != NULL)
        gb_failed(text);
    gb_py.Py_DecRef(wrong);
    return text != NULL ? -1 : 0;
}

// ---- A loop.

// Takes apart what the helper's asgi_start and asgi_join return. The name lives as long as that
// tuple. NULL with the exception set.
static const char *take_started(struct gb_loop *l, PyObject *started, PyObject **serve)
{
    const char *name, *version;
    PyObject *state;
    if (!gb_py.PyArg_ParseTuple(started, "sOOsOOOOOO", &name, serve, &l->loop, &version, &state, &l->task_type,
                                &l->task_arguments, &l->cancelled, &l->coroutine_type, &l->application))
        return NULL;
    own(serve);
    own(&l->loop);
    own(&l->task_type);
    own(&l->task_arguments);
    own(&l->cancelled);
    own(&l->coroutine_type);
    own(&l->application);
    l->scope = gb_scope_open(version, state, asgi.pathsend);
    return l->scope != NULL ? name : NULL;
}

// Ends the process because of the exception that is set, in this thread's loop.
_Noreturn static void fail(int exit_code, unsigned number, const char *what)
{
    PyObject *exception = gb_python_take_exception(), *text = NULL;
    if (exception != NULL)
        text = gb_python_help("loop_failed", "IIsO", number, asgi.count, what, exception);
    const char *why = text != NULL ? gb_py.PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    gb_leave_flush();
    gb_worker_fail(exit_code, why != NULL ? why : what);
}

static PyObject *on_running(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    pthread_mutex_lock(&asgi.lock);
    asgi.running++;
    pthread_cond_signal(&asgi.more);
    pthread_mutex_unlock(&asgi.lock);
    return gb_none();
}

// Serves with this thread's loop until the worker has drained. A loop that cannot go on ends the process.
static void serve_with(const struct gb_loop *l, PyObject *serve, unsigned number)
{
    static PyMethodDef method = {"running", on_running, METH_NOARGS, NULL};
    PyObject *bell = gb_loop_bell(), *stopped = gb_loop_stopped(), *served = NULL;
    PyObject *running = gb_py.PyCFunction_NewEx(&method, NULL, NULL);
    if (bell != NULL && stopped != NULL && running != NULL)
        served = gb_py.PyObject_CallFunction(serve, "iOOO", gb_loop_descriptor(l), bell, stopped, running);
    gb_py.Py_DecRef(running);
    gb_py.Py_DecRef(stopped);
    gb_py.Py_DecRef(bell);
    if (served == NULL)
        fail(GB_EXIT_HOST, number, "has failed");
    gb_py.Py_DecRef(served);
}

// ---- The other loops, each in a thread of its own.

// It stays as long as the process, because what refers to it may.
static struct gb_loop *new_loop(struct gb_seat *seat)
{
    struct gb_loop *l = calloc(1, sizeof *l);
    if (l != NULL)
        l->seat = seat;
    else
        gb_worker_fail(GB_EXIT_HOST, "out of memory");
    return l;
}

static void join(struct gb_seat *seat)
{
    struct gb_loop *l = new_loop(seat);
    unsigned number = gb_seat_number(seat) + 1;
    PyObject *serve, *started = gb_python_help("asgi_join", NULL);
    if (started == NULL || take_started(l, started, &serve) == NULL || !gb_loop_open(l, asgi.segment))
        fail(GB_EXIT_IMPORT, number, "could not be started");
    serve_with(l, serve, number);
    gb_py.Py_DecRef(serve);
    gb_py.Py_DecRef(started);
}

static void *thread_main(void *seat)
{
    char name[16];
    snprintf(name, sizeof name, "asgi-%u", gb_seat_number(seat) + 1);
    gb_thread_name(name);
    int gil = gb_py.PyGILState_Ensure();
    gb_thread_introduce(name);
    join(seat);
    gb_seat_end(seat);
    gb_py.PyGILState_Release(gil);
    return NULL;
}

static bool start_threads(void)
{
    asgi.thread = calloc(asgi.count, sizeof *asgi.thread);
    for (unsigned i = 1; asgi.thread != NULL && i < asgi.count; i++)
        if (!gb_thread_start(&asgi.thread[i], thread_main, gb_seat_at(i)))
            return false;
    return asgi.thread != NULL;
}

static void await_others(void)
{
    void *state = gb_py.PyEval_SaveThread();
    pthread_mutex_lock(&asgi.lock);
    while (asgi.running + 1 < asgi.count)
        pthread_cond_wait(&asgi.more, &asgi.lock);
    pthread_mutex_unlock(&asgi.lock);
    gb_py.PyEval_RestoreThread(state);
}

const char *gb_asgi_start_others(void)
{
    const char *wrong = gb_drain_prepare();
    if (wrong != NULL)
        return wrong;
    gb_signals_hold_new(); // the application's start may have set handlers
    if (asgi.count == 1)
        return NULL;
    if (!start_threads())
        return "the threads of the event loops cannot be started";
    await_others();
    return NULL;
}

static void join_others(void)
{
    if (asgi.count == 1)
        return;
    void *state = gb_py.PyEval_SaveThread();
    for (unsigned i = 1; i < asgi.count; i++)
        pthread_join(asgi.thread[i], NULL);
    gb_py.PyEval_RestoreThread(state);
}

// ---- The main one.

// How many loops there are to be: several only where they run at once.
static bool count_loops(unsigned threads)
{
    PyObject *count = gb_python_help("asgi_loops", "I", threads);
    Py_ssize_t n = count != NULL ? gb_py.PyLong_AsSsize_t(count) : 0;
    gb_py.Py_DecRef(count);
    asgi.count = (unsigned)n;
    return n > 0;
}

static bool open_seats(void)
{
    if (asgi.count == 1)
        return true;
    if (gb_seats_open(asgi.segment, asgi.count)) {
        asgi.main.seat = gb_seat_first();
        return true;
    }
    gb_py.PyErr_Format(*gb_py.PyExc_OSError, "%u event loops: %s", asgi.count, strerror(errno));
    return false;
}

const char *gb_asgi_start(struct gb_segment *s, unsigned threads, unsigned *loops)
{
    PyObject *started = gb_python_help("asgi_start", NULL);
    const char *text = NULL, *name = NULL;
    if (started != NULL && gb_py.PyObject_IsInstance(started, gb_py.PyUnicode_Type) == 1) {
        text = gb_py.PyUnicode_AsUTF8AndSize(started, NULL);
        gb_py.PyErr_Clear();
        gb_failed(text != NULL ? text : "the application could not start");
        gb_py.Py_DecRef(started);
        return NULL;
    }
    asgi.segment = s;
    if (started != NULL && count_loops(threads) && open_seats())
        name = take_started(&asgi.main, started, &asgi.serve);
    if (name == NULL || !gb_loop_open(&asgi.main, s)) {
        gb_application_raised("the event loop could not be started");
        return NULL;
    }
    *loops = asgi.count;
    return name; // it lives as long as the tuple, which is never given up
}

void gb_asgi_run(void)
{
    serve_with(&asgi.main, asgi.serve, 1);
    join_others();
}
