#include "input.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static PyTypeObject *type;

enum { PIECE = 16384 }; // bytes read ahead at a time while a line's end is looked for
#define NO_LIMIT SIZE_MAX

enum filled { FILLED, ENDED, FAILED };

static void say_unreadable(int error)
{
    char text[256], reason[128];
    const char *why = error == EMFILE ? "its descriptor was lost, for this process has too many files open"
                                      : strerror_r(error, reason, sizeof reason);
    snprintf(text, sizeof text, "the request body cannot be read from the file that it was taken into: %s", why);
    gb_py.PyErr_SetString(*gb_py.PyExc_OSError, text);
}

// Waits for body bytes, without the GIL.
static enum filled wait(struct gb_request *r)
{
    for (;;) {
        PyThreadState *state = gb_py.PyEval_SaveThread();
        enum gb_wait found = gb_request_wait(r->claim);
        gb_py.PyEval_RestoreThread(state);
        switch (found) {
        case GB_READY:
            return FILLED;
        case GB_END:
            return ENDED;
        case GB_GONE:
            r->gone = true;
            gb_py.PyErr_SetString(*gb_py.PyExc_ConnectionResetError,
                                  "the client left before its request body was whole");
            return FAILED;
        case GB_UNREADABLE:
            say_unreadable(r->claim->unreadable);
            return FAILED;
        case GB_LATER: // who sleeps is not told so
        case GB_INTERRUPTED:
            if (gb_py.PyErr_CheckSignals() != 0)
                return FAILED;
        }
    }
}

// Moves body bytes that are there; without the GIL if that may wait for the disk.
static size_t try(struct gb_request *r, char *to, size_t n)
{
    if (!gb_request_spooled(r->claim))
        return gb_request_try(r->claim, to, n);
    PyThreadState *state = gb_py.PyEval_SaveThread();
    size_t taken = gb_request_try(r->claim, to, n);
    gb_py.PyEval_RestoreThread(state);
    return taken;
}

// Writes at least one and at most n body bytes to `to`.
static enum filled take(struct gb_request *r, char *to, size_t n, size_t *taken)
{
    for (;;) {
        if ((*taken = try(r, to, n)) > 0)
            return FILLED;
        enum filled found = wait(r);
        if (found != FILLED)
            return found;
    }
}

// Adds at least one and at most n body bytes to b.
static enum filled fill(struct gb_request *r, struct gb_bytes *b, size_t n)
{
    size_t taken;
    if (!gb_bytes_room(b, n))
        return FAILED;
    enum filled found = take(r, b->data + b->size, n, &taken);
    if (found == FILLED)
        b->size += taken;
    return found;
}

// Moves n bytes of those read ahead; so many there are.
static void take_ahead(struct gb_request *r, char *to, size_t n)
{
    if (n > 0)
        memcpy(to, r->ahead.data + r->ahead_at, n);
    r->ahead_at += n;
    if (r->ahead_at == r->ahead.size)
        r->ahead_at = r->ahead.size = 0;
}

// Moves up to n bytes of those read ahead to b.
static bool use_ahead(struct gb_request *r, struct gb_bytes *b, size_t n)
{
    size_t there = r->ahead.size - r->ahead_at;
    if (n > there)
        n = there;
    if (!gb_bytes_room(b, n))
        return false;
    take_ahead(r, b->data + b->size, n);
    b->size += n;
    return true;
}

static PyObject *result_of(struct gb_bytes *b)
{
    PyObject *result = gb_py.PyBytes_FromStringAndSize(b->data, (Py_ssize_t)b->size);
    gb_bytes_clear(b, 1 << 20);
    return result;
}

// Body bytes up to `limit`, or to the body's end.
static PyObject *read_up_to(struct gb_request *r, size_t limit)
{
    struct gb_bytes *b = &r->taken;
    b->size = 0;
    if (!use_ahead(r, b, limit))
        return NULL;
    while (b->size < limit) {
        // The room grows with what comes, not with what is asked for or announced.
        size_t piece = b->size < PIECE ? PIECE : b->size < (1u << 20) ? b->size : 1u << 20;
        if (piece > limit - b->size)
            piece = limit - b->size;
        enum filled found = fill(r, b, piece);
        if (found == FAILED)
            return NULL;
        if (found == ENDED)
            break;
    }
    return result_of(b);
}

// What read_up_to does, for a body that is in a file: how much there is, is known, and it is
// read to where it is returned.
static PyObject *read_spooled(struct gb_request *r, size_t limit)
{
    size_t ahead = r->ahead.size - r->ahead_at, size;
    char *data;
    Py_ssize_t n;
    if (__builtin_add_overflow(ahead, r->claim->body_left, &size) || size > limit)
        size = limit;
    if (size > PTRDIFF_MAX) {
        gb_py.PyErr_NoMemory();
        return NULL;
    }
    PyObject *result = gb_py.PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (result == NULL || gb_py.PyBytes_AsStringAndSize(result, &data, &n) != 0)
        return result;
    size_t at = ahead < size ? ahead : size, taken;
    take_ahead(r, data, at);
    for (; at < size; at += taken) {
        if (take(r, data + at, size - at, &taken) != FILLED) {
            gb_py.Py_DecRef(result);
            return NULL;
        }
    }
    return result;
}

static PyObject *read_body(struct gb_request *r, size_t limit)
{
    return gb_request_spooled(r->claim) ? read_spooled(r, limit) : read_up_to(r, limit);
}

// One line with its end, or as much of it as `limit` allows or there is.
static PyObject *read_line(struct gb_request *r, size_t limit)
{
    struct gb_bytes *b = &r->taken, *ahead = &r->ahead;
    b->size = 0;
    for (;;) {
        size_t there = ahead->size - r->ahead_at;
        if (there > limit - b->size)
            there = limit - b->size;
        const char *from = ahead->data + r->ahead_at;
        const char *end = there > 0 ? memchr(from, '\n', there) : NULL;
        if (!use_ahead(r, b, end != NULL ? (size_t)(end - from) + 1 : there))
            return NULL;
        if (end != NULL || b->size == limit)
            return result_of(b);
        enum filled found = fill(r, ahead, PIECE);
        if (found == FAILED)
            return NULL;
        if (found == ENDED)
            return result_of(b);
    }
}

// The one optional size of a call: None, a negative one and none at all mean no limit.
static bool size_argument(PyObject *arguments, size_t *size)
{
    PyObject *given = NULL;
    *size = NO_LIMIT;
    if (!gb_py.PyArg_ParseTuple(arguments, "|O", &given))
        return false;
    if (given == NULL || given == gb_py._Py_NoneStruct)
        return true;
    Py_ssize_t n = gb_py.PyLong_AsSsize_t(given);
    if (n == -1 && gb_py.PyErr_Occurred())
        return false;
    if (n >= 0)
        *size = (size_t)n;
    return true;
}

// What both read: body bytes up to `limit`, or a line.
static PyObject *read_from(PyObject *self, PyObject *(*read)(struct gb_request *, size_t), size_t limit)
{
    struct gb_request *r = gb_handle_enter(self, GB_READING);
    if (r == NULL)
        return NULL;
    PyObject *result = read(r, limit);
    gb_request_leave(r, GB_READING);
    return result;
}

static PyObject *input_read(PyObject *self, PyObject *arguments)
{
    size_t size;
    return size_argument(arguments, &size) ? read_from(self, read_body, size) : NULL;
}

static PyObject *input_readline(PyObject *self, PyObject *arguments)
{
    size_t size;
    return size_argument(arguments, &size) ? read_from(self, read_line, size) : NULL;
}

static Py_ssize_t length_of(PyObject *bytes)
{
    char *data;
    Py_ssize_t n;
    return gb_py.PyBytes_AsStringAndSize(bytes, &data, &n) == 0 ? n : 0;
}

// Adds lines to the list until they have `hint` bytes, or the body ends.
static bool add_lines(PyObject *self, PyObject *list, size_t hint)
{
    for (size_t total = 0; total < hint;) {
        PyObject *line = read_from(self, read_line, NO_LIMIT);
        Py_ssize_t n = line != NULL ? length_of(line) : 0;
        bool added = line != NULL && (n == 0 || gb_py.PyList_Append(list, line) == 0);
        gb_py.Py_DecRef(line);
        if (!added)
            return false;
        if (n == 0)
            return true;
        total += (size_t)n;
    }
    return true;
}

static PyObject *input_readlines(PyObject *self, PyObject *arguments)
{
    size_t hint;
    PyObject *list = size_argument(arguments, &hint) ? gb_py.PyList_New(0) : NULL;
    if (list != NULL && add_lines(self, list, hint == 0 ? NO_LIMIT : hint)) // as io does: 0 is no hint
        return list;
    gb_py.Py_DecRef(list);
    return NULL;
}

static PyObject *input_iter(PyObject *self)
{
    gb_py.Py_IncRef(self);
    return self;
}

static PyObject *input_next(PyObject *self)
{
    PyObject *line = read_from(self, read_line, NO_LIMIT);
    if (line != NULL && length_of(line) == 0) {
        gb_py.Py_DecRef(line);
        return NULL;
    }
    return line;
}

bool gb_input_prepare(void)
{
    static PyMethodDef methods[] = {
        {"read", input_read, METH_VARARGS, "read(size=-1): body bytes, fewer than size only at the end"},
        {"readline", input_readline, METH_VARARGS, "readline(size=-1): one line, of size bytes at most"},
        {"readlines", input_readlines, METH_VARARGS, "readlines(hint=-1): a list of lines"},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, (void *)gb_python_dealloc},
        {Py_tp_iter, (void *)input_iter},
        {Py_tp_iternext, (void *)input_next},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    type = gb_python_type("gobridge.Input", sizeof(struct gb_handle), slots);
    return type != NULL;
}

PyObject *gb_input_new(struct gb_request *r)
{
    return gb_handle_new(type, r);
}
