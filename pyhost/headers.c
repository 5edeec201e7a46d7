#include "headers.h"

static bool is_ascii(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] & 0x80)
            return false;
    return true;
}

bool gb_text_open(struct gb_text *t, PyObject *of, const char *what)
{
    Py_ssize_t size;
    *t = (struct gb_text){0};
    if (gb_py.PyObject_IsInstance(of, gb_py.PyUnicode_Type) != 1) {
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "%s must be str, not %R", what, of);
        return false;
    }
    t->data = gb_py.PyUnicode_AsUTF8AndSize(of, &size);
    if (t->data != NULL && is_ascii(t->data, (size_t)size)) {
        t->size = (size_t)size;
        return true;
    }
    gb_py.PyErr_Clear(); // a lone surrogate, which is no Latin-1 either
    t->owner = gb_py.PyUnicode_AsLatin1String(of);
    if (t->owner == NULL || gb_py.PyBytes_AsStringAndSize(t->owner, (char **)&t->data, &size) != 0) {
        gb_py.PyErr_Clear();
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "%s has characters beyond Latin-1: %R", what, of);
        return false;
    }
    t->size = (size_t)size;
    return true;
}

void gb_text_close(struct gb_text *t)
{
    gb_py.Py_DecRef(t->owner);
}

static bool add(struct gb_request *r, struct gb_head *h, const struct gb_text *name, const struct gb_text *value)
{
    const char *tell;
    enum gb_field taken = gb_head_field(h, name->data, name->size, value->data, value->size, &tell);
    if (tell != NULL)
        gb_request_log(r, "the header %s is the server's business and is left out, here and in all responses", tell);
    return taken != GB_FIELD_WRONG;
}

bool gb_headers_add(struct gb_request *r, struct gb_head *h, PyObject *item)
{
    if (gb_py.PyObject_IsInstance(item, gb_py.PyTuple_Type) != 1 || gb_py.PyTuple_Size(item) != 2) {
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "a header must be a tuple (name, value), not %R", item);
        return false;
    }
    struct gb_text name, value = {0};
    bool done = gb_text_open(&name, gb_py.PyTuple_GetItem(item, 0), "a header's name") &&
                gb_text_open(&value, gb_py.PyTuple_GetItem(item, 1), "a header's value") && add(r, h, &name, &value);
    gb_text_close(&name);
    gb_text_close(&value);
    return done;
}
