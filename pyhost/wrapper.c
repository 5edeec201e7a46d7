#include "wrapper.h"

static PyObject *wrapper;

bool gb_wrapper_prepare(void)
{
    if (wrapper == NULL)
        wrapper = gb_python_help("file_wrapper", NULL);
    return wrapper != NULL;
}

PyObject *gb_wrapper_type(void)
{
    gb_py.Py_IncRef(wrapper);
    return wrapper;
}

// The very type: who derives from it may have another idea of its bytes.
static bool is_wrapper(PyObject *returned)
{
    PyObject *kind = gb_py.PyObject_Type(returned);
    gb_py.Py_DecRef(kind);
    return kind == wrapper;
}

enum gb_wrapped gb_wrapper_file(PyObject *returned, int *fd, struct gb_file *piece)
{
    if (!is_wrapper(returned))
        return GB_IS_NONE;
    PyObject *found = gb_python_help("sendable", "O", returned);
    if (found == NULL)
        return GB_FAILED;
    enum gb_wrapped is = GB_IS_NONE;
    long long position, size;
    if (found != gb_py._Py_NoneStruct) {
        is = gb_py.PyArg_ParseTuple(found, "iLL", fd, &position, &size) ? GB_IS_FILE : GB_FAILED;
        if (is == GB_IS_FILE && (position < 0 || position >= size))
            is = GB_IS_NONE; // there is nothing to send
        else if (is == GB_IS_FILE)
            *piece = (struct gb_file){(uint64_t)position, (uint64_t)(size - position)};
    }
    gb_py.Py_DecRef(found);
    return is;
}
