#include "request.h"

#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

// ---- The thread's.

// It outlives its thread, because the application's objects may. The list keeps it
// in sight of the leak check.
static struct gb_request *make(void)
{
    static _Atomic(struct gb_request *) newest;
    struct gb_request *r = calloc(1, sizeof *r);
    if (r != NULL)
        r->older = atomic_exchange(&newest, r);
    return r;
}

static _Thread_local struct gb_request *here;

struct gb_request *gb_request_of_thread(void)
{
    return here;
}

struct gb_request *gb_request_here(void)
{
    if (here == NULL && (here = make()) == NULL)
        gb_py.PyErr_NoMemory();
    return here;
}

int gb_request_head(struct gb_claim *c, uint8_t **variables)
{
    size_t size;
    uint32_t used, head = UINT32_MAX;
    if (gb_reader_used(&c->request, &used) && used >= sizeof head)
        memcpy(&head, c->request.bytes, sizeof head); // a stream's head begins at its pipe's beginning
    else
        used = 0;
    if (head <= used)
        return gb_claim_head(c, variables, &size);
    PyThreadState *state = gb_py.PyEval_SaveThread();
    int result = gb_claim_head(c, variables, &size);
    gb_py.PyEval_RestoreThread(state);
    return result;
}

PyObject *gb_handle_new(PyTypeObject *type, struct gb_request *r)
{
    PyObject *instance = gb_py.PyType_GenericAlloc(type, 0);
    if (instance != NULL)
        *(struct gb_handle *)gb_python_own(instance) = (struct gb_handle){r, r->serial};
    return instance;
}

// Whoever is inside with another serial found its request over and is about to leave:
// it does nothing on its way that could wait.
static bool enter(struct gb_request *r, enum gb_side side, uint64_t serial)
{
    for (;;) {
        uint64_t holder = 0;
        if (atomic_compare_exchange_strong(&r->inside[side], &holder, serial))
            return true;
        if (holder == serial || atomic_load(&r->serial) != serial)
            return false;
        sched_yield();
    }
}

static void say_busy(enum gb_side side)
{
    gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError,
                          side == GB_READING
                              ? "wsgi.input is being read already, by another thread or before a signal"
                              : "the response is being sent already, by another thread or before a signal");
}

bool gb_request_enter(struct gb_request *r, enum gb_side side)
{
    if (enter(r, side, atomic_load(&r->serial)))
        return true;
    say_busy(side);
    return false;
}

void gb_request_leave(struct gb_request *r, enum gb_side side)
{
    atomic_store(&r->inside[side], 0);
}

// Enters first and looks at the serial then: the request's own thread does it the
// other way round when it ends, so one of the two sees the other, GIL or not.
struct gb_request *gb_handle_enter(PyObject *instance, enum gb_side side)
{
    struct gb_handle *h = gb_python_own(instance);
    struct gb_request *r = h->request;
    if (r != NULL && atomic_load(&r->serial) == h->serial) {
        bool entered = enter(r, side, h->serial);
        if (atomic_load(&r->serial) == h->serial) {
            if (entered)
                return r;
            say_busy(side);
            return NULL;
        }
        if (entered)
            gb_request_leave(r, side);
    }
    gb_py.PyErr_SetString(*gb_py.PyExc_ValueError, "this request is over");
    return NULL;
}

// ---- Lines about it for the log.

// The value of a variable of the request's head; *size is 0 if there is none.
static const uint8_t *variable(const struct gb_request *r, const char *name, size_t *size)
{
    const uint8_t *at = r->variables;
    struct gb_variable v;
    for (unsigned i = 0; at != NULL && i < r->claim->head.count; i++) {
        memcpy(&v, at, sizeof v);
        at += sizeof v;
        *size = v.value_size;
        if (v.name_size == strlen(name) && memcmp(at, name, v.name_size) == 0)
            return at + v.name_size;
        at += (size_t)v.name_size + v.value_size;
    }
    *size = 0;
    return NULL;
}

const uint8_t *gb_request_id(const struct gb_request *r, size_t *size)
{
    return variable(r, GB_REQUEST_ID, size);
}

static void add_variable(const struct gb_request *r, struct gb_log *l, const char *name, char after)
{
    size_t size;
    const uint8_t *value = variable(r, name, &size);
    gb_log_client(l, value, size, after);
}

__attribute__((format(printf, 3, 0))) static void make_line(const struct gb_request *r, struct gb_log *l,
                                                            const char *format, va_list arguments)
{
    size_t size;
    gb_log_begin(l);
    const uint8_t *id = gb_request_id(r, &size);
    if (id != NULL) {
        l->text[l->size++] = '[';
        gb_log_client(l, id, size, ']');
        l->text[l->size++] = ' ';
    }
    add_variable(r, l, "REQUEST_METHOD", ' ');
    add_variable(r, l, "REQUEST_URI", ':');
    l->text[l->size++] = ' ';
    gb_log_end(l, format, arguments);
}

void gb_request_log(const struct gb_request *r, const char *format, ...)
{
    struct gb_log l;
    va_list arguments;
    va_start(arguments, format);
    make_line(r, &l, format, arguments);
    va_end(arguments);
    gb_log_write(&l);
}

void gb_request_report(const struct gb_request *r, PyObject *exception, const char *format, ...)
{
    struct gb_log l;
    va_list arguments;
    va_start(arguments, format);
    make_line(r, &l, format, arguments);
    va_end(arguments);
    gb_log_report(&l, exception);
}

bool gb_request_bodiless(const struct gb_request *r)
{
    return gb_head_bodiless(&r->head, r->claim->head.flags);
}
