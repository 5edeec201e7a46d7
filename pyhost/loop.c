#include "loop.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "drain.h"
#include "inbox.h"
#include "leave.h"
#include "news.h"
#include "receive.h"
#include "request.h"
#include "senders.h"
#include "worker.h"

// One turn begins at most so many requests, and none after so long a time: the loop has
// others to serve, and what is not begun can be given to another worker.
#define TURN_REQUESTS 32
#define TURN_NS 1000000

#define SPARES 256 // exchanges that are kept

static _Thread_local struct gb_loop *here;

struct gb_loop *gb_loop_here(void)
{
    return here;
}

bool gb_loop_is_here(const struct gb_loop *l)
{
    if (l == here)
        return true;
    gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError, "receive and send, and what they return, are for the thread of "
                                                     "the event loop: use asyncio.run_coroutine_threadsafe");
    return false;
}

PyObject *gb_loop_defer(PyObject *function, PyObject *argument)
{
    PyObject *deferred = NULL;
    if (function != NULL && argument != NULL)
        deferred = gb_python_help("defer", "OO", function, argument);
    else if (function != NULL)
        deferred = gb_python_help("defer", "O", function);
    gb_py.Py_DecRef(function);
    return deferred;
}

// ---- Exchanges.

static struct gb_exchange *new_exchange(struct gb_loop *l)
{
    struct gb_exchange *x = calloc(1, sizeof *x);
    if (x != NULL)
        gb_claim_open(&x->claim, l->segment);
    else
        gb_worker_fail(GB_EXIT_HOST, "out of memory");
    return x;
}

static struct gb_exchange *take_exchange(struct gb_loop *l)
{
    struct gb_exchange *x = l->spare;
    if (x != NULL) {
        l->spare = x->next;
        l->spares--;
    } else {
        x = new_exchange(l);
    }
    x->started = x->trailers = x->body_begun = x->body_over = x->head_sent = x->amid = false;
    x->body_sent = 0;
    x->burst = 0;
    return x;
}

static void free_exchange(struct gb_exchange *x)
{
    gb_claim_close(&x->claim);
    gb_head_free(&x->head);
    gb_head_free(&x->extra);
    free(x);
}

void gb_loop_give_back(struct gb_loop *l, struct gb_exchange *x)
{
    if (l->spares >= SPARES) {
        free_exchange(x);
        return;
    }
    gb_head_trim(&x->head);
    gb_head_trim(&x->extra);
    x->next = l->spare;
    l->spare = x;
    l->spares++;
}

// ---- Calls.

void gb_loop_add(struct gb_loop *l, struct gb_call *c)
{
    gb_py.Py_IncRef(c->self);
    gb_py.Py_IncRef(c->self);
    l->of_stream[c->exchange->claim.stream] = c;
    l->streams++;
    c->alive = true;
    c->older = l->newest;
    if (l->newest != NULL)
        l->newest->newer = c;
    l->newest = c;
    l->calls++;
    if (l->seat != NULL) {
        gb_seat_own(l->seat, c->exchange->claim.stream);
        gb_seat_has(l->seat, l->calls);
    }
}

// When the last one is gone, one who drains has to look.
static void look_if_draining(const struct gb_loop *l)
{
    if (l->calls > 0 || l->streams > 0 || !gb_draining())
        return;
    if (l->seat != NULL)
        gb_seat_ring(l->seat);
    else
        gb_ring(l->segment->doorbell);
}

void gb_loop_remove(struct gb_loop *l, struct gb_call *c)
{
    if (!c->alive)
        return;
    c->alive = false;
    if (c->newer != NULL)
        c->newer->older = c->older;
    else
        l->newest = c->older;
    if (c->older != NULL)
        c->older->newer = c->newer;
    c->older = c->newer = NULL;
    l->calls--;
    if (l->seat != NULL)
        gb_seat_has(l->seat, l->calls);
    look_if_draining(l);
    gb_py.Py_DecRef(c->self);
}

void gb_loop_forget(struct gb_loop *l, uint32_t stream)
{
    struct gb_call *c = l->of_stream[stream];
    if (c == NULL)
        return;
    l->of_stream[stream] = NULL;
    l->streams--;
    look_if_draining(l);
    gb_py.Py_DecRef(c->self);
}

// Calls object.name(argument), or without one; a new reference.
static PyObject *call(PyObject *object, const char *name, PyObject *argument)
{
    PyObject *method = gb_py.PyObject_GetAttrString(object, name);
    PyObject *result = method != NULL ? gb_py.PyObject_CallFunctionObjArgs(method, argument, NULL) : NULL;
    gb_py.Py_DecRef(method);
    return result;
}

// Has the application set a factory for the loop's tasks? -1: an exception is set.
static int has_factory(const struct gb_loop *l)
{
    PyObject *factory = call(l->loop, "get_task_factory", NULL);
    if (factory == NULL)
        return -1;
    gb_py.Py_DecRef(factory);
    return factory != gb_py._Py_NoneStruct;
}

PyObject *gb_loop_task(struct gb_loop *l, PyObject *coroutine)
{
    int own = has_factory(l);
    if (own < 0)
        return NULL;
    if (own || l->task_arguments == gb_py._Py_NoneStruct)
        return call(l->loop, "create_task", coroutine);
    PyObject *arguments = gb_py.PyTuple_New(1);
    if (arguments == NULL)
        return NULL;
    gb_py.Py_IncRef(coroutine);
    gb_py.PyTuple_SetItem(arguments, 0, coroutine);
    PyObject *task = gb_py.PyObject_Call(l->task_type, arguments, l->task_arguments);
    gb_py.Py_DecRef(arguments);
    return task;
}

// ---- The turn.

static void on_news(void *self, uint32_t stream)
{
    struct gb_loop *l = self;
    struct gb_call *c = l->of_stream[stream];
    if (c == NULL)
        return; // late news of an earlier use
    PyObject *object = c->self;
    gb_py.Py_IncRef(object);
    gb_receive_news(c);
    gb_senders_news(c);
    gb_py.Py_DecRef(object);
}

static void take_news(struct gb_loop *l)
{
    if (l->seat != NULL) {
        gb_seat_news(l->seat, on_news, l);
        return;
    }
    for (uint32_t r = 0; r < l->segment->reactors; r++)
        gb_news_take(l->segment, r, on_news, l);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

// Begins the request of a hint, unless nobody wants it any more. The head's memory is lent to
// the claim, because it is of no use once the scope is made.
static void begin(struct gb_loop *l, const struct gb_hint *hint)
{
    uint8_t *variables;
    struct gb_exchange *x = take_exchange(l);
    struct gb_claim *c = &x->claim;
    if (!gb_claim_take(c, hint)) {
        gb_loop_give_back(l, x);
        return;
    }
    c->variables = l->variables;
    c->variables_room = l->variables_room;
    bool whole = gb_request_head(c, &variables) == 0;
    l->variables = c->variables;
    l->variables_room = c->variables_room;
    c->variables = NULL;
    c->variables_room = 0;
    if (whole) {
        gb_call_begin(l, x, variables);
        return;
    }
    gb_claim_finish(c, GB_ABORTED);
    gb_loop_give_back(l, x);
}

// Takes hints out of the inbox. True if there are more, for the next turn.
static bool take_hints(struct gb_loop *l)
{
    struct gb_hint hint;
    int64_t since = now_ns();
    for (int n = 0;; n++) {
        if (n > 0 && (n == TURN_REQUESTS || now_ns() - since > TURN_NS))
            return gb_inbox_waiting(l->segment);
        switch (l->seat != NULL ? gb_seat_take(l->seat, &hint) : gb_inbox_take(l->segment, &hint)) {
        case GB_INBOX_EMPTY:
            return false;
        case GB_INBOX_BROKEN:
            gb_worker_fail(GB_EXIT_HOST, "the inbox in shared memory holds what cannot be");
        case GB_INBOX_HINT:
            begin(l, &hint);
        }
    }
}

// Has the loop call `turn` when all that is ready now has run. False with the exception set.
static bool come_again(struct gb_loop *l)
{
    if (l->again)
        return true;
    PyObject *handle = call(l->loop, "call_soon", l->turn);
    l->again = handle != NULL;
    gb_py.Py_DecRef(handle);
    return l->again;
}

// Of several loops the main thread's is the last: what others still do at their end, and the
// application's shutdown, may need it.
static bool is_drained(const struct gb_loop *l)
{
    if (!gb_draining() || l->calls > 0 || l->streams > 0)
        return false;
    return l->seat != gb_seat_first() || gb_seats_ended();
}

// At each turn, since the loop may forget it: an exception of a task that comes through it ends
// the round in which it was told to stop.
static bool stop_if_drained(const struct gb_loop *l)
{
    if (!is_drained(l))
        return true;
    if (l->seat != NULL)
        gb_seat_leave(l->seat);
    PyObject *stopped = call(l->loop, "stop", NULL);
    gb_py.Py_DecRef(stopped);
    return stopped != NULL;
}

static void wake(const struct gb_loop *l)
{
    if (l->seat != NULL)
        gb_seat_wake(l->seat);
    else
        gb_inbox_wake(l->segment);
}

// Says that the loop sleeps. False: there is something to do. The front rings for what it puts
// once `sleeping` is set, whatever the loop does meanwhile: hence the look behind the flag.
static bool rest(const struct gb_loop *l)
{
    struct gb_segment *s = l->segment;
    if (l->seat != NULL)
        return gb_seat_rest(l->seat);
    gb_inbox_sleep(s);
    if (!gb_inbox_waiting(s) && !gb_news_waiting(s))
        return true;
    gb_inbox_wake(s);
    return false;
}

// Does all that there is.
static bool turn(struct gb_loop *l)
{
    if (l->segment->left)
        gb_leave_fork(NULL); // a process that the application forked came back to the server's loop
    wake(l);
    do {
        take_news(l);
        if (take_hints(l))
            return come_again(l);
        if (rest(l))
            return stop_if_drained(l);
    } while (!l->again); // else that one goes on
    return true;
}

static PyObject *turned(bool done)
{
    return done ? gb_none() : NULL; // the loop's exception handler is told
}

static PyObject *on_bell(PyObject *self, PyObject *unused)
{
    eventfd_t rung;
    (void)self, (void)unused;
    if (here->seat != NULL)
        gb_seat_hear(here->seat);
    else
        eventfd_read(here->segment->doorbell, &rung);
    return turned(turn(here));
}

static PyObject *on_turn(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    here->again = false;
    return turned(turn(here));
}

int gb_loop_descriptor(const struct gb_loop *l)
{
    return l->seat != NULL ? gb_seat_descriptor(l->seat) : l->segment->doorbell;
}

PyObject *gb_loop_bell(void)
{
    static PyMethodDef method = {"bell", on_bell, METH_NOARGS, NULL};
    return gb_py.PyCFunction_NewEx(&method, NULL, NULL);
}

static PyObject *on_stopped(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    if (here->segment->left)
        gb_leave_fork(NULL); // it is the application's fork that has stopped
    bool over = is_drained(here);
    if (!over)
        gb_drain_ask(here->segment, here->seat != NULL ? gb_seat_number(here->seat) + 1 : 1);
    else if (here->seat != NULL)
        gb_seat_leave(here->seat);
    return gb_py.PyBool_FromLong(over);
}

PyObject *gb_loop_stopped(void)
{
    static PyMethodDef method = {"stopped", on_stopped, METH_NOARGS, NULL};
    return gb_py.PyCFunction_NewEx(&method, NULL, NULL);
}

bool gb_loop_open(struct gb_loop *l, struct gb_segment *s)
{
    static PyMethodDef method = {"turn", on_turn, METH_NOARGS, NULL};
    l->segment = s;
    l->of_stream = calloc(s->streams, sizeof(struct gb_call *));
    if (l->of_stream == NULL) {
        gb_py.PyErr_NoMemory();
        return false;
    }
    here = l;
    l->turn = gb_py.PyCFunction_NewEx(&method, NULL, NULL);
    l->sent = gb_sending_done(l);
    return l->turn != NULL && l->sent != NULL && gb_rest_open(&l->rest);
}
