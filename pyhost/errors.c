#include "errors.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

// Whole lines go out, each lot in one write, so that those of threads and workers do
// not mix. What a request thread has begun of a line waits in its gb_request; other
// threads have none, and what they write goes out as it is.

#define LONGEST_LINE 65536u // a longer one goes out in parts

// Writes all of it, without the GIL: standard error may be a pipe that is full.
static void put(const char *data, size_t size)
{
    PyThreadState *state = gb_py.PyEval_SaveThread();
    while (size > 0) {
        ssize_t n = write(STDERR_FILENO, data, size);
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&room, 1, -1);
        } else if (n == 0 || errno != EINTR) {
            break; // nobody is there to be told
        }
    }
    gb_py.PyEval_RestoreThread(state);
}

static void put_begun(struct gb_request *r)
{
    put(r->errors.data, r->errors.size);
    gb_bytes_clear(&r->errors, 4096);
}

void gb_errors_end(struct gb_request *r)
{
    if (r->errors.size > 0 && gb_bytes_add(&r->errors, "\n", 1))
        put_begun(r);
    r->errors_amid = false;
}

// Writes the whole lines of those that are put together, and the rest, too, if it is long.
static void put_lines(struct gb_request *r)
{
    struct gb_bytes *e = &r->errors;
    const char *newline = memrchr(e->data, '\n', e->size);
    size_t lines = newline != NULL ? (size_t)(newline - e->data) + 1 : 0;
    if (e->size - lines > LONGEST_LINE || lines == e->size) {
        r->errors_amid = lines != e->size;
        put_begun(r);
    } else if (lines > 0) {
        put(e->data, lines);
        e->size -= lines;
        memmove(e->data, e->data + lines, e->size);
    }
}

// Does text that is added now begin a line?
static bool begins_line(const struct gb_request *r)
{
    const struct gb_bytes *e = &r->errors;
    return e->size > 0 ? e->data[e->size - 1] == '\n' : !r->errors_amid;
}

// Adds text, each line of which begins with the request's id.
static bool add_marked(struct gb_request *r, const uint8_t *id, size_t id_size, const char *data, size_t size)
{
    struct gb_bytes *e = &r->errors;
    while (size > 0) {
        const char *newline = memchr(data, '\n', size);
        size_t piece = newline != NULL ? (size_t)(newline - data) + 1 : size;
        if (begins_line(r) && !(gb_bytes_add(e, "[", 1) && gb_bytes_add(e, id, id_size) && gb_bytes_add(e, "] ", 2)))
            return false;
        if (!gb_bytes_add(e, data, piece))
            return false;
        data += piece;
        size -= piece;
    }
    if (e->size > 0)
        put_lines(r);
    return true;
}

static bool add(const char *data, size_t size)
{
    struct gb_request *r = gb_request_of_thread();
    size_t id_size;
    const uint8_t *id = r != NULL ? gb_request_id(r, &id_size) : NULL;
    if (id != NULL)
        return add_marked(r, id, id_size, data, size);
    const char *newline = memrchr(data, '\n', size);
    size_t lines = newline != NULL ? (size_t)(newline - data) + 1 : 0;
    if (r == NULL || (r->errors.size == 0 && lines == size)) {
        put(data, size);
        return true;
    }
    if (lines > 0) {
        if (!gb_bytes_add(&r->errors, data, lines))
            return false;
        put_begun(r);
    }
    if (!gb_bytes_add(&r->errors, data + lines, size - lines))
        return false;
    if (r->errors.size > LONGEST_LINE)
        put_begun(r);
    return true;
}

// Text that UTF-8 cannot hold, lone surrogates: with escapes. A new reference to bytes.
static PyObject *escaped(PyObject *text)
{
    PyObject *encode = gb_py.PyObject_GetAttrString(text, "encode");
    PyObject *bytes = encode != NULL ? gb_py.PyObject_CallFunction(encode, "ss", "utf-8", "backslashreplace") : NULL;
    gb_py.Py_DecRef(encode);
    return bytes;
}

static bool write_text(PyObject *text)
{
    Py_ssize_t size;
    if (gb_py.PyObject_IsInstance(text, gb_py.PyUnicode_Type) != 1) {
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "wsgi.errors takes str, not %R", text);
        return false;
    }
    const char *data = gb_py.PyUnicode_AsUTF8AndSize(text, &size);
    if (data != NULL)
        return add(data, (size_t)size);
    gb_py.PyErr_Clear();
    char *bytes;
    PyObject *owner = escaped(text);
    bool done = owner != NULL && gb_py.PyBytes_AsStringAndSize(owner, &bytes, &size) == 0 && add(bytes, (size_t)size);
    gb_py.Py_DecRef(owner);
    return done;
}

static PyObject *errors_write(PyObject *self, PyObject *text)
{
    (void)self;
    return write_text(text) ? gb_py.PyLong_FromSsize_t(gb_py.PyUnicode_GetLength(text)) : NULL;
}

static PyObject *errors_writelines(PyObject *self, PyObject *lines)
{
    (void)self;
    PyObject *iterator = gb_py.PyObject_GetIter(lines), *line;
    bool done = iterator != NULL;
    while (done && (line = gb_py.PyIter_Next(iterator)) != NULL) {
        done = write_text(line);
        gb_py.Py_DecRef(line);
    }
    gb_py.Py_DecRef(iterator);
    return done && gb_py.PyErr_Occurred() == NULL ? gb_none() : NULL;
}

static PyObject *errors_flush(PyObject *self, PyObject *none)
{
    (void)self, (void)none;
    struct gb_request *r = gb_request_of_thread();
    if (r != NULL && r->errors.size > 0) {
        r->errors_amid = true;
        put_begun(r);
    }
    return gb_none();
}

PyObject *gb_errors_new(void)
{
    static PyMethodDef methods[] = {
        {"write", errors_write, METH_O, "write(text): add text to the log"},
        {"writelines", errors_writelines, METH_O, "writelines(lines): write each of them"},
        {"flush", errors_flush, METH_NOARGS, "flush(): write a line that is not ended yet"},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, (void *)gb_python_dealloc},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    PyTypeObject *type = gb_python_type("gobridge.Errors", 0, slots);
    PyObject *stream = type != NULL ? gb_py.PyType_GenericAlloc(type, 0) : NULL;
    gb_py.Py_DecRef((PyObject *)type); // the instance has its own
    return stream;
}
