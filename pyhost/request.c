#include "request.h"

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

struct gb_request *gb_request_here(void)
{
    static _Thread_local struct gb_request *here;
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

bool gb_request_enter(struct gb_request *r, enum gb_side side)
{
    if (!atomic_exchange(&r->inside[side], true))
        return true;
    gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError,
                          side == GB_READING
                              ? "wsgi.input is being read already, by another thread or before a signal"
                              : "the response is being sent already, by another thread or before a signal");
    return false;
}

void gb_request_leave(struct gb_request *r, enum gb_side side)
{
    atomic_store(&r->inside[side], false);
}

// Enters first and looks at the serial then: the request's own thread does it the
// other way round when it ends, so one of the two sees the other, GIL or not.
struct gb_request *gb_handle_enter(PyObject *instance, enum gb_side side)
{
    struct gb_handle *h = gb_python_own(instance);
    struct gb_request *r = h->request;
    if (r != NULL && r->serial == h->serial) {
        if (!gb_request_enter(r, side))
            return NULL;
        if (r->serial == h->serial)
            return r;
        gb_request_leave(r, side);
    }
    gb_py.PyErr_SetString(*gb_py.PyExc_ValueError, "this request is over");
    return NULL;
}

// ---- Its names, for the log.

// The value of a variable of the request's head, which is not terminated.
static const char *variable(const struct gb_request *r, const char *name, int *size)
{
    const uint8_t *at = r->variables;
    struct gb_variable v;
    *size = 0;
    for (unsigned i = 0; at != NULL && i < r->claim->head.count; i++) {
        memcpy(&v, at, sizeof v);
        at += sizeof v;
        if (v.name_size == strlen(name) && memcmp(at, name, v.name_size) == 0) {
            *size = v.value_size < 500 ? (int)v.value_size : 500;
            return (const char *)at + v.name_size;
        }
        at += (size_t)v.name_size + v.value_size;
    }
    return "";
}

void gb_request_log(const struct gb_request *r, const char *format, ...)
{
    char text[2048];
    int method_size, target_size;
    const char *method = variable(r, "REQUEST_METHOD", &method_size);
    const char *target = variable(r, "REQUEST_URI", &target_size);
    int n = snprintf(text, sizeof text, "gobridge[%d]: %.*s %.*s: ", (int)getpid(), method_size, method, target_size,
                     target);
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(text + n, sizeof text - (size_t)n - 1, format, arguments);
    va_end(arguments);
    n += more < 0 ? 0 : more;
    if (n > (int)sizeof text - 2)
        n = (int)sizeof text - 2;
    text[n++] = '\n';
    // One write: lines of several workers do not mix.
    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        return; // nobody is there to be told
}

bool gb_request_bodiless(const struct gb_request *r)
{
    return (r->claim->head.flags & GB_REQUEST_HEAD) || r->status == 204 || r->status == 304;
}
