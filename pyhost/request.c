#include "request.h"

#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- Bytes.

bool gb_bytes_room(struct gb_bytes *b, size_t n)
{
    if (n <= b->room - b->size)
        return true;
    size_t room = b->room < 512 ? 1024 : 2 * b->room;
    if (room < b->size + n)
        room = b->size + n;
    char *data = realloc(b->data, room);
    if (data == NULL) {
        gb_py.PyErr_NoMemory();
        return false;
    }
    b->data = data;
    b->room = room;
    return true;
}

bool gb_bytes_add(struct gb_bytes *b, const void *data, size_t n)
{
    if (!gb_bytes_room(b, n))
        return false;
    if (n > 0)
        memcpy(b->data + b->size, data, n);
    b->size += n;
    return true;
}

void gb_bytes_clear(struct gb_bytes *b, size_t keep)
{
    b->size = 0;
    if (b->room > keep) {
        free(b->data);
        *b = (struct gb_bytes){0};
    }
}

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

#define LINE 4096u // bytes of a line, its newline included

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

// Adds a variable's value and a character. What a client could forge lines or terminal
// codes with is escaped, and what is very long is cut.
static size_t add_variable(const struct gb_request *r, char *line, size_t at, const char *name, char after)
{
    size_t size, end = at + 1000;
    const uint8_t *value = variable(r, name, &size);
    for (size_t i = 0; i < size && at < end; i++) {
        if (value[i] > ' ' && value[i] < 0x7f)
            line[at++] = (char)value[i];
        else
            at += (size_t)snprintf(line + at, 5, "\\x%02x", value[i]);
    }
    line[at++] = after;
    return at;
}

// Makes the line, with its newline and a NUL; returns its size.
static size_t make_line(const struct gb_request *r, char line[LINE + 1], const char *format, va_list arguments)
{
    size_t n = (size_t)snprintf(line, LINE, "gobridge[%d]: ", (int)getpid());
    n = add_variable(r, line, n, "REQUEST_METHOD", ' ');
    n = add_variable(r, line, n, "REQUEST_URI", ':');
    line[n++] = ' ';
    int more = vsnprintf(line + n, LINE - n, format, arguments);
    n += more < 0 ? 0 : (size_t)more;
    if (n > LINE - 1)
        n = LINE - 1;
    line[n++] = '\n';
    line[n] = '\0';
    return n;
}

void gb_request_log(const struct gb_request *r, const char *format, ...)
{
    char line[LINE + 1];
    va_list arguments;
    va_start(arguments, format);
    size_t n = make_line(r, line, format, arguments);
    va_end(arguments);
    // One write: lines of several workers do not mix.
    if (write(STDERR_FILENO, line, n) < 0)
        return; // nobody is there to be told
}

void gb_request_report(const struct gb_request *r, PyObject *exception, const char *format, ...)
{
    char line[LINE + 1];
    va_list arguments;
    va_start(arguments, format);
    make_line(r, line, format, arguments);
    va_end(arguments);
    PyObject *reported = gb_python_help("report", "sO", line, exception);
    if (reported == NULL)
        gb_py.PyErr_WriteUnraisable(NULL);
    gb_py.Py_DecRef(reported);
}

bool gb_request_bodiless(const struct gb_request *r)
{
    return (r->claim->head.flags & GB_REQUEST_HEAD) || r->status == 204 || r->status == 304;
}
