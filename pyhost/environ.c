#include "environ.h"

#include <stdlib.h>
#include <string.h>

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
           add("wsgi.version", gb_python_help("version", NULL, NULL, NULL)) &&
           add("wsgi.errors", gb_python_help("Errors", NULL, NULL, NULL)) &&
           add("wsgi.file_wrapper", gb_python_help("file_wrapper", NULL, NULL, NULL)) &&
           add("wsgi.input_terminated", gb_py.PyBool_FromLong(1)) &&
           add("wsgi.multithread", gb_py.PyBool_FromLong(s->threads > 1)) &&
           add("wsgi.multiprocess", gb_py.PyBool_FromLong(s->multiprocess)) &&
           add("wsgi.run_once", gb_py.PyBool_FromLong(0));
}

// ---- Names. The same few come with every request, so each thread keeps them as
// interned strings, found by their bytes.

struct gb_key {
    PyObject *string; // NULL: free
    uint32_t hash;
    uint16_t size;
    char name[58];
};

#define KEYS 512u // places; a power of two, at most three quarters of them are used

static uint32_t hash_of(const uint8_t *name, size_t size)
{
    uint32_t h = 2166136261u; // FNV-1a
    for (size_t i = 0; i < size; i++)
        h = (h ^ name[i]) * 16777619u;
    return h;
}

static PyObject *string_of(const uint8_t *name, size_t size)
{
    PyObject *string = gb_py.PyUnicode_DecodeLatin1((const char *)name, (Py_ssize_t)size, NULL);
    if (string != NULL)
        gb_py.PyUnicode_InternInPlace(&string);
    return string;
}

// The name as a Python string: a new reference.
static PyObject *key_of(struct gb_request *r, const uint8_t *name, size_t size)
{
    if (size > sizeof r->keys->name)
        return gb_py.PyUnicode_DecodeLatin1((const char *)name, (Py_ssize_t)size, NULL);
    if (r->keys == NULL && (r->keys = calloc(KEYS, sizeof *r->keys)) == NULL)
        return gb_py.PyErr_NoMemory();
    uint32_t hash = hash_of(name, size);
    for (uint32_t at = hash;; at++) {
        struct gb_key *k = &r->keys[at & (KEYS - 1)];
        if (k->string == NULL) {
            if (r->key_count >= (size_t)KEYS / 4 * 3) // someone sends names of his own making
                return gb_py.PyUnicode_DecodeLatin1((const char *)name, (Py_ssize_t)size, NULL);
            if ((k->string = string_of(name, size)) == NULL)
                return NULL;
            k->hash = hash;
            k->size = (uint16_t)size;
            memcpy(k->name, name, size);
            r->key_count++;
        } else if (k->hash != hash || k->size != size || memcmp(k->name, name, size) != 0) {
            continue;
        }
        gb_py.Py_IncRef(k->string);
        return k->string;
    }
}

static bool set(struct gb_request *r, PyObject *environ, const uint8_t *name, const struct gb_variable *v)
{
    PyObject *key = key_of(r, name, v->name_size);
    PyObject *value = gb_py.PyUnicode_DecodeLatin1((const char *)name + v->name_size, (Py_ssize_t)v->value_size, NULL);
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
        done = set(r, environ, at, &v);
        at += (size_t)v.name_size + v.value_size;
    }
    if (done)
        return environ;
    gb_py.Py_DecRef(environ);
    return NULL;
}
