#include "piece.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "layout.h"

void gb_piece_drop(struct gb_piece *p)
{
    if (p->kind == GB_RECORD_FILE)
        close(p->file);
    gb_py.Py_DecRef(p->owner);
    *p = (struct gb_piece){0};
}

void gb_piece_spend(struct gb_piece *p)
{
    close(p->file);
    p->kind = GB_RECORD_BODY;
    p->size = 0;
}

// Sets the exception of errno. False.
static bool fail(PyObject *path)
{
    gb_py.PyErr_SetFromErrnoWithFilenameObject(*gb_py.PyExc_OSError, path);
    return false;
}

// The path's bytes, as the system has them: a new reference, or NULL with the exception set.
static PyObject *encoded(PyObject *path, char **text)
{
    Py_ssize_t size;
    if (gb_py.PyObject_IsInstance(path, gb_py.PyUnicode_Type) != 1) {
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "the path must be a str, not %.200R", path);
        return NULL;
    }
    PyObject *bytes = gb_py.PyUnicode_EncodeFSDefault(path);
    if (bytes == NULL)
        return NULL;
    if (gb_py.PyBytes_AsStringAndSize(bytes, text, &size) == 0) {
        if ((*text)[0] == '/' && strlen(*text) == (size_t)size)
            return bytes;
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "the path must be an absolute one without NUL, not %.200R", path);
    }
    gb_py.Py_DecRef(bytes);
    return NULL;
}

// A pipe or a device is not waited for: it is refused.
static bool open_file(struct gb_piece *p, PyObject *path, const char *text)
{
    struct stat status;
    int file = open(text, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return fail(path);
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        fail(path);
        close(file);
        return false;
    }
    p->kind = GB_RECORD_FILE;
    p->file = file;
    p->offset = 0;
    p->size = (size_t)status.st_size;
    return true;
}

bool gb_piece_open(struct gb_piece *p, PyObject *path)
{
    char *text;
    PyObject *bytes = encoded(path, &text);
    bool done = bytes != NULL && open_file(p, path, text);
    gb_py.Py_DecRef(bytes);
    return done;
}

bool gb_piece_of_file(struct gb_piece *p, PyObject *file, PyObject *offset, PyObject *count)
{
    int descriptor;
    long long from, size;
    PyObject *none = gb_py._Py_NoneStruct;
    PyObject *found =
        gb_python_help("file_part", "OOO", file, offset != NULL ? offset : none, count != NULL ? count : none);
    bool done = found != NULL && gb_py.PyArg_ParseTuple(found, "iLL", &descriptor, &from, &size);
    gb_py.Py_DecRef(found);
    if (!done)
        return false;
    p->kind = GB_RECORD_FILE;
    p->file = descriptor;
    p->offset = (uint64_t)from;
    p->size = (size_t)size;
    return true;
}

bool gb_piece_load(const struct gb_piece *p, void *to)
{
    struct iovec whole = {to, p->size};
    return preadv2(p->file, &whole, 1, (off_t)p->offset, RWF_NOWAIT) == (ssize_t)p->size;
}
