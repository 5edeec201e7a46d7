#include "environ.h"

#include <string.h>

#include "errors.h"
#include "hints.h"
#include "wrapper.h"

static PyObject *template; // a dict; never given to an application
static PyObject *input_key;

// Adds name to the template; takes over the reference.
static bool add(const char *name, PyObject *value)
{
    bool done = value != NULL && gb_py.PyDict_SetItemString(template, name, value) == 0;
    gb_py.Py_DecRef(value);
    return done;
}

bool gb_environ_prepare(const struct gb_worker_settings *s)
{
    template = gb_py.PyDict_New();
    input_key = gb_py.PyUnicode_DecodeLatin1("wsgi.input", 10, NULL);
    if (template == NULL || input_key == NULL)
        return false;
    gb_py.PyUnicode_InternInPlace(&input_key);
    return add("SCRIPT_NAME", gb_py.PyUnicode_DecodeLatin1("", 0, NULL)) &&
           add("SERVER_SOFTWARE", gb_py.PyUnicode_DecodeLatin1("gobridge", 8, NULL)) &&
           add("wsgi.version", gb_python_help("version", NULL)) && add("wsgi.errors", gb_errors_new()) &&
           gb_wrapper_prepare() && add("wsgi.file_wrapper", gb_wrapper_type()) &&
           add("wsgi.early_hints", gb_hints_new()) && add("wsgi.input_terminated", gb_py.PyBool_FromLong(1)) &&
           add("wsgi.multithread", gb_py.PyBool_FromLong(s->threads > 1)) &&
           add("wsgi.multiprocess", gb_py.PyBool_FromLong(s->multiprocess)) &&
           add("wsgi.run_once", gb_py.PyBool_FromLong(0));
}

// ---- Names and values. The same few names come with every request, most of them
// with the same value as before, so each thread keeps both as Python strings: the
// names interned and found by their bytes, of the values the last one.

// A new reference, or NULL with the exception set.
static PyObject *string_of(const uint8_t *text, size_t size)
{
    return gb_py.PyUnicode_DecodeLatin1((const char *)text, (Py_ssize_t)size, NULL);
}

static PyObject *name_of(const uint8_t *text, size_t size)
{
    PyObject *name = string_of(text, size);
    if (name != NULL)
        gb_py.PyUnicode_InternInPlace(&name);
    return name;
}

// The value as a Python string, which stays the key's; NULL with the exception set.
static PyObject *value_of(struct gb_key *k, const uint8_t *text, size_t size)
{
    if (gb_key_has(k, text, size))
        return k->value;
    gb_key_forget(k);
    if ((k->value = string_of(text, size)) == NULL)
        return NULL;
    Py_ssize_t n;
    k->text = gb_py.PyUnicode_AsUTF8AndSize(k->value, &n); // inside of an ASCII string, else a copy
    if (k->text == NULL)
        gb_py.PyErr_Clear();
    else if ((size_t)n != size)
        k->text = NULL;
    k->text_size = (uint32_t)size;
    return k->value;
}

static bool set_kept(PyObject *environ, struct gb_key *k, const uint8_t *text, size_t size)
{
    PyObject *value = value_of(k, text, size);
    bool done = value != NULL && gb_py.PyDict_SetItem(environ, k->name, value) == 0;
    if (size > GB_VALUE_KEPT)
        gb_key_forget(k);
    return done;
}

static bool set_new(PyObject *environ, const uint8_t *name, const struct gb_variable *v)
{
    PyObject *key = string_of(name, v->name_size), *value = string_of(name + v->name_size, v->value_size);
    bool done = key != NULL && value != NULL && gb_py.PyDict_SetItem(environ, key, value) == 0;
    gb_py.Py_DecRef(key);
    gb_py.Py_DecRef(value);
    return done;
}

PyObject *gb_environ_new(struct gb_request *r, PyObject *input)
{
    PyObject *environ = gb_py.PyDict_Copy(template);
    bool done = environ != NULL && gb_py.PyDict_SetItem(environ, input_key, input) == 0;
    const uint8_t *at = r->variables;
    struct gb_variable v;
    for (unsigned i = 0; done && i < r->claim->head.count; i++) {
        memcpy(&v, at, sizeof v);
        at += sizeof v;
        struct gb_key *k = gb_keys_find(&r->keys, i, at, v.name_size, name_of);
        done = k != NULL ? set_kept(environ, k, at + v.name_size, v.value_size) : set_new(environ, at, &v);
        at += (size_t)v.name_size + v.value_size;
    }
    if (done)
        return environ;
    gb_py.Py_DecRef(environ);
    return NULL;
}
