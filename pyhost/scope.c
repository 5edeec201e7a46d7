#include "scope.h"

#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "layout.h"

// X(name): the keys of a scope.
#define KEYS(X)                                                                                                        \
    X(asgi)                                                                                                            \
    X(http_version)                                                                                                    \
    X(server)                                                                                                          \
    X(client)                                                                                                          \
    X(scheme)                                                                                                          \
    X(method)                                                                                                          \
    X(path)                                                                                                            \
    X(raw_path)                                                                                                        \
    X(query_string)                                                                                                    \
    X(root_path)                                                                                                       \
    X(headers)                                                                                                         \
    X(state)                                                                                                           \
    X(extensions)                                                                                                      \
    X(tls)

// The extensions (asgiref, extensions), as they are named in a scope.
enum extension { PATHSEND, ZEROCOPYSEND, EARLY_HINT, TRAILERS, EXTENSIONS };
static const char *const extension_names[] = {"http.response.pathsend", "http.response.zerocopysend",
                                              "http.response.early_hint", "http.response.trailers"};

GB_NAMES(key, KEYS);
static PyObject *extension_key[EXTENSIONS];

static bool make_keys(void)
{
    return GB_MAKE_NAMES(key) && gb_python_intern(extension_key, extension_names, EXTENSIONS);
}

// ---- What is kept. Everything that a scope refers to and that cannot be changed is made
// once, as long as requests bring the same bytes.

#define KEPT 64 // bytes of a value that may be kept

// The object that was last made of some bytes.
struct kept {
    PyObject *object; // owned
    size_t size;
    uint8_t text[KEPT];
};

enum { CLIENTS = 256 }; // places; a power of two

struct gb_scope_kept {
    PyObject *common; // a dict: type, root_path
    PyObject *asgi, *state;
    bool pathsend;         // are PATHSEND and ZEROCOPYSEND offered?
    struct gb_keys fields; // names as bytes, of each the last (name, value)
    struct kept method, root, path, raw_path, query, version, scheme, server;
    struct kept client[CLIENTS]; // by their ports: a connection has many requests
};

typedef PyObject *maker(const uint8_t *text, size_t size);

// The object of some bytes: a new reference, or NULL with the exception set.
static PyObject *kept_or_made(struct kept *k, const uint8_t *text, size_t size, maker *make)
{
    if (k->object != NULL && k->size == size && memcmp(k->text, text, size) == 0) {
        gb_py.Py_IncRef(k->object);
        return k->object;
    }
    PyObject *object = make(text, size);
    if (object == NULL || size > KEPT)
        return object;
    gb_py.Py_DecRef(k->object);
    gb_py.Py_IncRef(object);
    k->object = object;
    k->size = size;
    memcpy(k->text, text, size);
    return object;
}

static PyObject *bytes_of(const uint8_t *text, size_t size)
{
    return gb_py.PyBytes_FromStringAndSize((const char *)text, (Py_ssize_t)size);
}

// Bytes that are no UTF-8 become U+FFFD.
static PyObject *text_of(const uint8_t *text, size_t size)
{
    return gb_py.PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)size, "replace");
}

// A decimal number as an int; None if it is empty.
static PyObject *number_of(const uint8_t *text, size_t size)
{
    Py_ssize_t n = 0;
    if (size == 0)
        return gb_none();
    for (size_t i = 0; i < size && i < 9; i++)
        n = 10 * n + (text[i] - '0');
    return gb_py.PyLong_FromSsize_t(n);
}

// (first, second); takes over both references.
static PyObject *pair_of(PyObject *first, PyObject *second)
{
    PyObject *pair = first != NULL && second != NULL ? gb_py.PyTuple_New(2) : NULL;
    if (pair == NULL) {
        gb_py.Py_DecRef(first);
        gb_py.Py_DecRef(second);
        return NULL;
    }
    gb_py.PyTuple_SetItem(pair, 0, first);
    gb_py.PyTuple_SetItem(pair, 1, second);
    return pair;
}

// The two variables of an address, which lie one behind the other, as (host, port).
static PyObject *address_of(const uint8_t *text, size_t size)
{
    struct gb_variable host, port;
    (void)size; // of both, with the second's header
    memcpy(&host, text, sizeof host);
    const uint8_t *second = text + sizeof host + host.value_size;
    memcpy(&port, second, sizeof port);
    return pair_of(text_of(text + sizeof host, host.value_size), number_of(second + sizeof port, port.value_size));
}

struct gb_scope_kept *gb_scope_open(const char *version, PyObject *state, bool pathsend)
{
    struct gb_scope_kept *k = calloc(1, sizeof *k);
    PyObject *type = gb_py.PyUnicode_InternFromString("http"), *empty = gb_py.PyUnicode_FromString("");
    PyObject *of_asgi = gb_py.PyUnicode_FromString(version), *of_spec = gb_py.PyUnicode_FromString("2.5");
    bool done = k != NULL && make_keys() && (k->common = gb_py.PyDict_New()) != NULL &&
                (k->asgi = gb_py.PyDict_New()) != NULL && type != NULL && empty != NULL && of_asgi != NULL &&
                of_spec != NULL && gb_py.PyDict_SetItemString(k->common, "type", type) == 0 &&
                gb_py.PyDict_SetItemString(k->common, "root_path", empty) == 0 &&
                gb_py.PyDict_SetItemString(k->asgi, "version", of_asgi) == 0 &&
                gb_py.PyDict_SetItemString(k->asgi, "spec_version", of_spec) == 0;
    gb_py.Py_DecRef(type);
    gb_py.Py_DecRef(empty);
    gb_py.Py_DecRef(of_asgi);
    gb_py.Py_DecRef(of_spec);
    if (!done) {
        free(k);
        return NULL;
    }
    gb_py.Py_IncRef(state);
    k->state = state;
    k->pathsend = pathsend;
    return k;
}

bool gb_scope_offers_files(const struct gb_scope_kept *k)
{
    return k->pathsend;
}

// ---- The fields.

// (name, value): a new reference.
static PyObject *field_of(struct gb_key *k, const uint8_t *value, size_t size)
{
    PyObject *bytes = bytes_of(value, size);
    char *text = NULL;
    Py_ssize_t n;
    gb_py.Py_IncRef(k->name);
    PyObject *field = pair_of(k->name, bytes);
    if (field == NULL || size > GB_VALUE_KEPT || gb_py.PyBytes_AsStringAndSize(bytes, &text, &n) != 0)
        return field;
    gb_key_forget(k);
    gb_py.Py_IncRef(field);
    k->value = field;
    k->text = text;
    k->text_size = (uint32_t)size;
    return field;
}

static PyObject *kept_field(struct gb_key *k, const uint8_t *value, size_t size)
{
    if (!gb_key_has(k, value, size))
        return field_of(k, value, size);
    gb_py.Py_IncRef(k->value);
    return k->value;
}

// The list of them, from `at` on: a new reference.
static PyObject *headers_of(struct gb_keys *keys, const uint8_t *at, unsigned count)
{
    PyObject *list = gb_py.PyList_New(count);
    struct gb_variable v;
    for (unsigned i = 0; list != NULL && i < count; i++) {
        memcpy(&v, at, sizeof v);
        const uint8_t *name = at + sizeof v, *value = name + v.name_size;
        struct gb_key *k = gb_keys_find(keys, i, name, v.name_size, bytes_of);
        PyObject *field = k != NULL ? kept_field(k, value, v.value_size)
                                    : pair_of(bytes_of(name, v.name_size), bytes_of(value, v.value_size));
        if (field == NULL) {
            gb_py.Py_DecRef(list);
            return NULL;
        }
        gb_py.PyList_SetItem(list, i, field);
        at = value + v.value_size;
    }
    return list;
}

// ---- The whole.

// Where the parts of a head lie.
struct parts {
    const uint8_t *at[GB_SCOPE_VARIABLES];
    const uint8_t *gateway; // what a web server has sent besides; NULL: it came by none
    const uint8_t *tls;     // how the connection is encrypted; NULL: it is not
    const uint8_t *fields;
    unsigned count; // of them
};

// Where a variable ends.
static const uint8_t *behind(const uint8_t *variable)
{
    struct gb_variable v;
    memcpy(&v, variable, sizeof v);
    return variable + sizeof v + v.name_size + v.value_size;
}

// False if there are too few.
static bool find(const struct gb_claim *c, const uint8_t *at, struct parts *found)
{
    struct gb_variable v;
    bool gateway = c->head.flags & GB_REQUEST_GATEWAY, tls = c->head.flags & GB_REQUEST_TLS;
    unsigned first = GB_SCOPE_VARIABLES + (gateway ? 1 : 0) + (tls ? 1 : 0);
    if (c->head.count < first)
        return false;
    for (unsigned i = 0; i < GB_SCOPE_VARIABLES; i++) {
        found->at[i] = at;
        memcpy(&v, at, sizeof v);
        if (v.name_size != 0)
            return false;
        at += sizeof v + v.value_size;
    }
    found->gateway = gateway ? at : NULL;
    if (gateway)
        at = behind(at);
    found->tls = tls ? at : NULL;
    if (tls)
        at = behind(at);
    found->fields = at;
    found->count = c->head.count - first;
    return true;
}

// Sets a key; takes over the reference, NULL: an exception is set.
static bool set(PyObject *scope, PyObject *name, PyObject *value)
{
    bool done = value != NULL && gb_py.PyDict_SetItem(scope, name, value) == 0;
    gb_py.Py_DecRef(value);
    return done;
}

// As a WSGI environ has it.
static PyObject *latin1_of(const uint8_t *text, size_t size)
{
    return gb_py.PyUnicode_DecodeLatin1((const char *)text, (Py_ssize_t)size, NULL);
}

// Adds name: value. False with the exception set.
static bool add_text(PyObject *all, const uint8_t *name, const struct gb_variable *v)
{
    PyObject *key = latin1_of(name, v->name_size);
    bool done = key != NULL && set(all, key, latin1_of(name + v->name_size, v->value_size));
    gb_py.Py_DecRef(key);
    return done;
}

// Variables that end at `end`, as a dict: a new reference, or NULL with the exception set.
static PyObject *variables_of(const uint8_t *at, const uint8_t *end)
{
    PyObject *all = gb_py.PyDict_New();
    struct gb_variable v;
    bool done = all != NULL;
    while (done && at < end) {
        uint64_t left = (uint64_t)(end - at), size = sizeof v;
        if (left >= size) {
            memcpy(&v, at, sizeof v);
            size += (uint64_t)v.name_size + v.value_size;
        }
        if (left < size) {
            gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError, "the request's variables make no sense");
            done = false;
        } else {
            done = add_text(all, at + sizeof v, &v);
            at += size;
        }
    }
    if (done)
        return all;
    gb_py.Py_DecRef(all);
    return NULL;
}

// What a web server has sent goes under its protocol's name. False with the exception set.
static bool add_gateway(PyObject *extensions, const uint8_t *variable)
{
    struct gb_variable v;
    memcpy(&v, variable, sizeof v);
    const uint8_t *name = variable + sizeof v, *value = name + v.name_size;
    PyObject *key = latin1_of(name, v.name_size);
    bool done = key != NULL && set(extensions, key, variables_of(value, value + v.value_size));
    gb_py.Py_DecRef(key);
    return done;
}

// How the connection is encrypted (asgiref, TLS extension 0.2). False with the exception set.
static bool add_tls(PyObject *extensions, const uint8_t *variable)
{
    struct gb_variable v;
    memcpy(&v, variable, sizeof v);
    const uint8_t *value = variable + sizeof v + v.name_size;
    PyObject *variables = variables_of(value, value + v.value_size);
    bool done = variables != NULL && set(extensions, key.tls, gb_python_help("tls_extension", "O", variables));
    gb_py.Py_DecRef(variables);
    return done;
}

// Those that this client can be sent, what a web server has sent, and how the connection is encrypted: a new
// reference, or NULL with the exception set. No scope shares any of these dicts with another one.
static PyObject *extensions_of(const struct gb_scope_kept *k, unsigned request_flags, const struct parts *parts)
{
    bool http = !(request_flags & GB_REQUEST_WEBSOCKET); // a WebSocket's are as_websocket's
    const bool usable[EXTENSIONS] = {
        [PATHSEND] = http && k->pathsend,
        [ZEROCOPYSEND] = http && k->pathsend,
        [EARLY_HINT] = http && !(request_flags & GB_REQUEST_HTTP10),
        [TRAILERS] = http && (request_flags & GB_REQUEST_TRAILERS),
    };
    PyObject *extensions = gb_py.PyDict_New();
    for (int i = 0; extensions != NULL && i < EXTENSIONS; i++)
        if (usable[i] && !set(extensions, extension_key[i], gb_py.PyDict_New())) {
            gb_py.Py_DecRef(extensions);
            return NULL;
        }
    if (extensions != NULL && ((parts->gateway != NULL && !add_gateway(extensions, parts->gateway)) ||
                               (parts->tls != NULL && !add_tls(extensions, parts->tls)))) {
        gb_py.Py_DecRef(extensions);
        return NULL;
    }
    return extensions;
}

static PyObject *value_of(struct kept *k, const uint8_t *variable, maker *make)
{
    struct gb_variable v;
    memcpy(&v, variable, sizeof v);
    return kept_or_made(k, variable + sizeof v, v.value_size, make);
}

static bool is_empty(const uint8_t *variable)
{
    struct gb_variable v;
    memcpy(&v, variable, sizeof v);
    return v.value_size == 0;
}

static PyObject *id_of(const uint8_t *variable)
{
    struct gb_variable v;
    memcpy(&v, variable, sizeof v);
    return bytes_of(variable + sizeof v, v.value_size);
}

// The client's address: where `end` is, its port ends.
static PyObject *client_of(struct gb_scope_kept *k, const uint8_t *variable, const uint8_t *end)
{
    if (is_empty(variable))
        return gb_none();
    unsigned hash = end[-1] * 31u + end[-2] * 7u + end[-3];
    return kept_or_made(&k->client[hash & (CLIENTS - 1)], variable, (size_t)(end - variable), address_of);
}

PyObject *gb_scope_new(struct gb_scope_kept *k, const struct gb_claim *claim, const uint8_t *variables,
                       struct gb_call *call)
{
    struct parts parts;
    const uint8_t **at = parts.at;
    if (!find(claim, variables, &parts)) {
        gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError, "the request's head makes no sense");
        return NULL;
    }
    // Not interned: a client can make up any number of names, and what is interned may stay for ever.
    call->method = value_of(&k->method, at[GB_SCOPE_METHOD], text_of);
    call->raw_path = value_of(&k->raw_path, at[GB_SCOPE_RAW_PATH], bytes_of);
    call->query = value_of(&k->query, at[GB_SCOPE_QUERY], bytes_of);
    PyObject *scope = gb_py.PyDict_Copy(k->common);
    if (scope == NULL || call->method == NULL || call->raw_path == NULL || call->query == NULL) {
        gb_py.Py_DecRef(scope);
        return NULL;
    }
    if (!is_empty(at[GB_SCOPE_REQUEST_ID]) && (call->id = id_of(at[GB_SCOPE_REQUEST_ID])) == NULL) {
        gb_py.Py_DecRef(scope);
        return NULL;
    }
    const uint8_t *server = at[GB_SCOPE_SERVER], *client = at[GB_SCOPE_CLIENT];
    // What the application may change is its own: asgi, headers, state, extensions.
    if (set(scope, key.asgi, gb_py.PyDict_Copy(k->asgi)) &&
        set(scope, key.http_version, value_of(&k->version, at[GB_SCOPE_VERSION], text_of)) &&
        set(scope, key.server,
            kept_or_made(&k->server, server, (size_t)(at[GB_SCOPE_REQUEST_ID] - server), address_of)) &&
        set(scope, key.client, client_of(k, client, server)) &&
        set(scope, key.scheme, value_of(&k->scheme, at[GB_SCOPE_SCHEME], text_of)) &&
        gb_py.PyDict_SetItem(scope, key.method, call->method) == 0 &&
        (is_empty(at[GB_SCOPE_ROOT]) || set(scope, key.root_path, value_of(&k->root, at[GB_SCOPE_ROOT], text_of))) &&
        set(scope, key.path, value_of(&k->path, at[GB_SCOPE_PATH], text_of)) &&
        gb_py.PyDict_SetItem(scope, key.raw_path, call->raw_path) == 0 &&
        gb_py.PyDict_SetItem(scope, key.query_string, call->query) == 0 &&
        set(scope, key.headers, headers_of(&k->fields, parts.fields, parts.count)) &&
        set(scope, key.state, gb_py.PyDict_Copy(k->state)) &&
        set(scope, key.extensions, extensions_of(k, claim->head.flags, &parts)))
        return scope;
    gb_py.Py_DecRef(scope);
    return NULL;
}
