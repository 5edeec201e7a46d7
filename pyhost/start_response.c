#include "start_response.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "response.h"

static PyTypeObject *type;

// ---- Text. A str of Latin-1 characters as bytes (PEP 3333: "native strings").

struct text {
    const char *data;
    size_t size;
    PyObject *owner; // of the bytes; NULL when the str itself has them
};

static bool is_ascii(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] & 0x80)
            return false;
    return true;
}

// Opens str `of`; what names it in the error. text_close releases it.
static bool text_open(struct text *t, PyObject *of, const char *what)
{
    Py_ssize_t size;
    *t = (struct text){0};
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

static void text_close(struct text *t)
{
    gb_py.Py_DecRef(t->owner);
}

// May stand in a header's value or a reason (RFC 9110 section 5.5).
static bool is_value(const struct text *t)
{
    for (size_t i = 0; i < t->size; i++) {
        unsigned char c = (unsigned char)t->data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

// Is a token (RFC 9110 section 5.6.2).
static bool is_token(const struct text *t)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < t->size; i++) {
        unsigned char c = (unsigned char)t->data[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return t->size > 0;
}

static bool is(const struct text *t, const char *name)
{
    return t->size == strlen(name) && strncasecmp(t->data, name, t->size) == 0;
}

// ---- The status: "NNN reason".

static bool take_status(struct gb_request *r, PyObject *status)
{
    struct text t;
    if (!text_open(&t, status, "the status"))
        return false;
    bool valid = t.size >= 4 && t.data[3] == ' ' && is_value(&t);
    unsigned code = 0;
    for (int i = 0; valid && i < 3; i++) {
        valid = t.data[i] >= '0' && t.data[i] <= '9';
        code = code * 10 + (unsigned)(t.data[i] - '0');
    }
    if (!valid || code < 200)
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "the status must be like \"200 OK\", and final (not 1xx): %R",
                           status);
    r->status = code;
    r->reason.size = 0;
    bool done = valid && code >= 200 && gb_bytes_add(&r->reason, t.data + 4, t.size - 4);
    text_close(&t);
    return done;
}

// ---- The headers.

// Headers that are the server's business; an application's are left out.
static const char *const hop_by_hop[] = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te",         "trailer",    "trailers",           "transfer-encoding",   "upgrade"};
#define HOP_BY_HOP (sizeof hop_by_hop / sizeof *hop_by_hop)

// Which of them it is; HOP_BY_HOP: none.
static size_t which_hop_by_hop(const struct text *name)
{
    size_t i = 0;
    while (i < HOP_BY_HOP && !is(name, hop_by_hop[i]))
        i++;
    return i;
}

// Says once in a process's life that the header is left out: an application that sets it
// will do so in each response.
static void leave_out(const struct gb_request *r, size_t which)
{
    static atomic_uint told;
    unsigned bit = 1u << which;
    if (!(atomic_fetch_or(&told, bit) & bit))
        gb_request_log(r, "the header %s is the server's business and is left out, here and in all responses",
                       hop_by_hop[which]);
}

static bool take_length(struct gb_request *r, const struct text *value)
{
    uint64_t n = 0;
    bool valid = value->size > 0 && value->size <= 18 && r->body_length == GB_LENGTH_UNKNOWN;
    for (size_t i = 0; valid && i < value->size; i++) {
        valid = value->data[i] >= '0' && value->data[i] <= '9';
        n = n * 10 + (uint64_t)(value->data[i] - '0');
    }
    if (!valid)
        gb_py.PyErr_SetString(*gb_py.PyExc_ValueError, "Content-Length must be one number");
    r->body_length = n;
    return valid;
}

static bool add_line(struct gb_request *r, const char *name, size_t name_size, const char *value, size_t value_size)
{
    struct gb_line line = {(uint32_t)r->lines.size, (uint32_t)name_size};
    return gb_bytes_add(&r->table, &line, sizeof line) && gb_bytes_add(&r->lines, name, name_size) &&
           gb_bytes_add(&r->lines, ": ", 2) && gb_bytes_add(&r->lines, value, value_size) &&
           gb_bytes_add(&r->lines, "\r\n", 2);
}

bool gb_start_response_line(struct gb_request *r, const char *name, const char *value, size_t value_size)
{
    return add_line(r, name, strlen(name), value, value_size);
}

// White space around a value is no part of it (Django's cookies begin with some).
static void trim(struct text *t)
{
    for (; t->size > 0 && (t->data[0] == ' ' || t->data[0] == '\t'); t->size--)
        t->data++;
    while (t->size > 0 && (t->data[t->size - 1] == ' ' || t->data[t->size - 1] == '\t'))
        t->size--;
}

static bool take_text(struct gb_request *r, struct text *name, struct text *value)
{
    trim(value);
    if (!is_token(name)) {
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "a header's name is not one: %.200s", name->data);
        return false;
    }
    if (!is_value(value)) {
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "the header %.200s has a control character in its value",
                           name->data);
        return false;
    }
    size_t which = which_hop_by_hop(name);
    if (which < HOP_BY_HOP) {
        leave_out(r, which);
        return true;
    }
    if (is(name, "content-length") && !take_length(r, value))
        return false;
    if (is(name, "date"))
        r->flags |= GB_HEAD_DATE;
    if (is(name, "server"))
        r->flags |= GB_HEAD_SERVER;
    return add_line(r, name->data, name->size, value->data, value->size);
}

// `item` is one of the list; borrowed.
static bool take_header(struct gb_request *r, PyObject *item)
{
    if (gb_py.PyObject_IsInstance(item, gb_py.PyTuple_Type) != 1 || gb_py.PyTuple_Size(item) != 2) {
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "a header must be a tuple (name, value), not %R", item);
        return false;
    }
    struct text name, value = {0};
    bool done = text_open(&name, gb_py.PyTuple_GetItem(item, 0), "a header's name") &&
                text_open(&value, gb_py.PyTuple_GetItem(item, 1), "a header's value") && take_text(r, &name, &value);
    text_close(&name);
    text_close(&value);
    return done;
}

bool gb_start_response_take(struct gb_request *r, PyObject *status, PyObject *headers)
{
    r->started = false;
    r->flags = 0;
    r->body_length = GB_LENGTH_UNKNOWN;
    r->lines.size = r->table.size = 0;
    if (!take_status(r, status))
        return false;
    if (gb_py.PyObject_IsInstance(headers, gb_py.PyList_Type) != 1) {
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "the headers must be a list, not %R", headers);
        return false;
    }
    Py_ssize_t count = gb_py.PyList_Size(headers);
    if (count < 0) // it only says that it is a list
        return false;
    if (count > UINT16_MAX - 8) {
        gb_py.PyErr_SetString(*gb_py.PyExc_ValueError, "there are too many headers");
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = gb_python_list_item(headers, i);
        bool done = item != NULL && take_header(r, item);
        gb_py.Py_DecRef(item);
        if (!done)
            return false;
    }
    r->started = true;
    return true;
}

// ---- The callables.

// Raises what exc_info holds: the head is out, so the error cannot be told otherwise.
static void raise_again(PyObject *exc_info)
{
    PyObject *exception = gb_py.PyTuple_GetItem(exc_info, 1);
    if (exception == NULL)
        return; // IndexError says it
    if (gb_py.PyObject_IsInstance(exception, *gb_py.PyExc_BaseException) != 1) {
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "exc_info must be what sys.exc_info() returns, not %R", exc_info);
        return;
    }
    PyObject *kind = gb_py.PyObject_Type(exception);
    gb_py.PyErr_SetObject(kind, exception);
    gb_py.Py_DecRef(kind);
}

static bool may_start(struct gb_request *r, PyObject *exc_info)
{
    if (exc_info == NULL || exc_info == gb_py._Py_NoneStruct) {
        if (!r->started)
            return true;
        gb_py.PyErr_SetString(*gb_py.PyExc_AssertionError, "start_response was called a second time without exc_info");
        return false;
    }
    if (gb_py.PyObject_IsInstance(exc_info, gb_py.PyTuple_Type) != 1) {
        gb_py.PyErr_SetString(*gb_py.PyExc_TypeError, "exc_info must be what sys.exc_info() returns");
        return false;
    }
    if (!r->head_sent)
        return true;
    raise_again(exc_info);
    return false;
}

static PyObject *start_response_call(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"status", "headers", "exc_info", NULL};
    PyObject *status, *headers, *exc_info = NULL;
    if (!gb_py.PyArg_ParseTupleAndKeywords(arguments, keywords, "OO|O:start_response", names, &status, &headers,
                                           &exc_info))
        return NULL;
    struct gb_request *r = gb_handle_enter(self, GB_SENDING);
    if (r == NULL)
        return NULL;
    bool taken = may_start(r, exc_info) && gb_start_response_take(r, status, headers);
    gb_request_leave(r, GB_SENDING);
    if (!taken)
        return NULL;
    return gb_py.PyObject_GetAttrString(self, "write");
}

static PyObject *start_response_write(PyObject *self, PyObject *data)
{
    struct gb_request *r = gb_handle_enter(self, GB_SENDING);
    if (r == NULL)
        return NULL;
    enum gb_sent sent = gb_response_piece(r, data, false);
    gb_request_leave(r, GB_SENDING);
    switch (sent) {
    case GB_SENT:
        return gb_none();
    case GB_CLIENT_GONE:
        gb_py.PyErr_SetString(*gb_py.PyExc_ConnectionResetError, "the client left before its response was whole");
        return NULL;
    case GB_RAISED:
        break;
    }
    return NULL;
}

bool gb_start_response_prepare(void)
{
    static PyMethodDef methods[] = {
        {"write", start_response_write, METH_O, "write(data): send body bytes at once"},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, (void *)gb_python_dealloc},
        {Py_tp_call, (void *)start_response_call},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    type = gb_python_type("gobridge.StartResponse", sizeof(struct gb_handle), slots);
    return type != NULL;
}

PyObject *gb_start_response_new(struct gb_request *r)
{
    return gb_handle_new(type, r);
}
