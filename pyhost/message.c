#include "message.h"

#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "websocket_message.h"

#define KEYS(X)                                                                                                        \
    X(type)                                                                                                            \
    X(status)                                                                                                          \
    X(headers)                                                                                                         \
    X(trailers)                                                                                                        \
    X(body)                                                                                                            \
    X(more_body)                                                                                                       \
    X(more_trailers)                                                                                                   \
    X(path)                                                                                                            \
    X(file)                                                                                                            \
    X(offset)                                                                                                          \
    X(count)                                                                                                           \
    X(links)
GB_NAMES(key, KEYS);

bool gb_message_prepare(void)
{
    return GB_MAKE_NAMES(key);
}

int gb_message_flag(PyObject *message, PyObject *name)
{
    PyObject *flag = gb_python_dict_item(message, name);
    if (flag == NULL)
        return gb_py.PyErr_Occurred() != NULL ? -1 : 0;
    int yes = gb_py.PyObject_IsTrue(flag);
    gb_py.Py_DecRef(flag);
    return yes;
}

// ---- http.response.start

static bool take_status(struct gb_head *h, PyObject *message)
{
    PyObject *status = gb_python_dict_item(message, key.status);
    if (status == NULL) {
        if (gb_py.PyErr_Occurred() == NULL)
            gb_py.PyErr_SetString(*gb_py.PyExc_KeyError, "http.response.start must have a \"status\"");
        return false;
    }
    Py_ssize_t code = gb_py.PyLong_AsSsize_t(status);
    bool raised = code == -1 && gb_py.PyErr_Occurred() != NULL, valid = !raised && code >= 200 && code <= 999;
    if (!raised && !valid)
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "the status must be a final one, from 200 to 999, not %R", status);
    gb_py.Py_DecRef(status);
    h->status = (unsigned)code;
    return valid;
}

// `item` is to be bytes; what names it in the error.
static bool text_of(PyObject *item, const char *what, char **text, Py_ssize_t *size)
{
    if (item != NULL && gb_py.PyObject_IsInstance(item, gb_py.PyBytes_Type) == 1)
        return gb_py.PyBytes_AsStringAndSize(item, text, size) == 0;
    if (gb_py.PyErr_Occurred() == NULL)
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "a header's %s must be bytes, not %.200R", what, item);
    return false;
}

// `pair` is a tuple; borrowed.
static bool take_pair(struct gb_call *c, PyObject *pair, struct gb_head *h)
{
    char *name, *value;
    const char *tell;
    Py_ssize_t name_size, value_size;
    if (gb_py.PyTuple_Size(pair) != 2) {
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "a header must be a pair of name and value, not %.200R", pair);
        return false;
    }
    if (!text_of(gb_py.PyTuple_GetItem(pair, 0), "name", &name, &name_size) ||
        !text_of(gb_py.PyTuple_GetItem(pair, 1), "value", &value, &value_size))
        return false;
    enum gb_field taken = gb_head_field(h, name, (size_t)name_size, value, (size_t)value_size, &tell);
    if (tell != NULL)
        gb_call_log(c, "the header %s is the server's business and is left out, here and in all responses", tell);
    return taken != GB_FIELD_WRONG;
}

static bool take_header(struct gb_call *c, PyObject *item, struct gb_head *h)
{
    if (gb_python_is_exactly(item, gb_py.PyTuple_Type))
        return take_pair(c, item, h);
    PyObject *pair = gb_py.PySequence_Tuple(item); // a list, mostly
    bool done = pair != NULL && take_pair(c, pair, h);
    gb_py.Py_DecRef(pair);
    return done;
}

static bool take_list(struct gb_call *c, PyObject *list, struct gb_head *h)
{
    Py_ssize_t count = gb_py.PyList_Size(list);
    if (count > UINT16_MAX - 8) {
        gb_py.PyErr_SetString(*gb_py.PyExc_ValueError, "there are too many headers");
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = gb_python_list_item(list, i);
        bool done = item != NULL && take_header(c, item, h);
        gb_py.Py_DecRef(item);
        if (!done)
            return false;
    }
    return count >= 0;
}

// Any iterable.
bool gb_message_headers(struct gb_call *c, PyObject *message, struct gb_head *h)
{
    PyObject *headers = gb_python_dict_item(message, key.headers), *list = NULL;
    if (headers == NULL)
        return gb_py.PyErr_Occurred() == NULL;
    bool done;
    if (gb_python_is_exactly(headers, gb_py.PyList_Type)) {
        done = take_list(c, headers, h);
    } else {
        list = gb_py.PySequence_List(headers);
        done = list != NULL && take_list(c, list, h);
    }
    gb_py.Py_DecRef(list);
    gb_py.Py_DecRef(headers);
    return done;
}

enum gb_message_kind gb_message_start(struct gb_call *c, PyObject *message)
{
    struct gb_exchange *x = c->exchange;
    if (x->started) {
        gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError, "http.response.start was sent before");
        return GB_MESSAGE_WRONG;
    }
    gb_head_reset(&x->head);
    int trailers = gb_message_flag(message, key.trailers);
    x->head.names_trailers = trailers > 0 && (x->claim.head.flags & GB_REQUEST_TRAILERS);
    if (trailers < 0 || !take_status(&x->head, message) || !gb_message_headers(c, message, &x->head))
        return GB_MESSAGE_WRONG;
    x->trailers = trailers > 0;
    x->started = true;
    return GB_MESSAGE_NOTED;
}

// ---- http.response.body

// The bytes of a bytes-like object as bytes: a new reference, or NULL with the exception set.
static PyObject *bytes_of(PyObject *body)
{
    PyObject *view = gb_py.PyMemoryView_FromObject(body);
    PyObject *bytes = view != NULL ? gb_py.PyBytes_FromObject(view) : NULL;
    gb_py.Py_DecRef(view);
    return bytes;
}

bool gb_message_bytes(PyObject *data, struct gb_piece *piece)
{
    Py_ssize_t size = 0;
    if (gb_python_is_exactly(data, gb_py.PyBytes_Type))
        gb_py.Py_IncRef(data);
    else if ((data = bytes_of(data)) == NULL)
        return false;
    if (gb_py.PyBytes_AsStringAndSize(data, (char **)&piece->data, &size) != 0) {
        gb_py.Py_DecRef(data);
        return false;
    }
    piece->owner = data;
    piece->size = (size_t)size;
    return true;
}

static bool take_body(PyObject *message, struct gb_piece *piece)
{
    PyObject *body = gb_python_dict_item(message, key.body);
    piece->data = "";
    if (body == NULL)
        return gb_py.PyErr_Occurred() == NULL;
    bool done = gb_message_bytes(body, piece);
    gb_py.Py_DecRef(body);
    return done;
}

// May a piece of the body come now? False with the exception set.
static bool may_have(const struct gb_exchange *x, const char *type)
{
    if (x->started && !x->body_over)
        return true;
    gb_py.PyErr_Format(*gb_py.PyExc_RuntimeError, "%s was sent %s", type,
                       x->started ? "after the end of the body" : "before http.response.start");
    return false;
}

// Notes a piece that was taken; `more`: others follow.
static enum gb_message_kind took_piece(struct gb_exchange *x, struct gb_piece *piece, bool more)
{
    x->body_begun = true;
    x->body_over = !more;
    piece->last = x->body_over && !x->trailers;
    if (x->body_over && x->trailers) {
        gb_head_reset(&x->extra);
        x->extra.status = 200;
        x->extra.trails = true;
    }
    return GB_MESSAGE_PIECE;
}

enum gb_message_kind gb_message_body(struct gb_call *c, PyObject *message, struct gb_piece *piece)
{
    *piece = (struct gb_piece){.kind = GB_RECORD_BODY};
    if (!may_have(c->exchange, "http.response.body"))
        return GB_MESSAGE_WRONG;
    int more = gb_message_flag(message, key.more_body);
    if (more < 0 || !take_body(message, piece))
        return GB_MESSAGE_WRONG;
    return took_piece(c->exchange, piece, more > 0);
}

// ---- Files instead of bytes: http.response.pathsend and http.response.zerocopysend.

// What a message must have: a new reference, or NULL with the exception set.
static PyObject *needed(PyObject *message, PyObject *name)
{
    PyObject *item = gb_python_dict_item(message, name);
    if (item == NULL && gb_py.PyErr_Occurred() == NULL)
        gb_py.PyErr_SetObject(*gb_py.PyExc_KeyError, name);
    return item;
}

static enum gb_message_kind take_path(struct gb_call *c, PyObject *message, struct gb_piece *piece)
{
    if (!may_have(c->exchange, "http.response.pathsend"))
        return GB_MESSAGE_WRONG;
    if (c->exchange->body_begun) {
        gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError,
                              "http.response.pathsend is the whole body, and a piece of it was sent before");
        return GB_MESSAGE_WRONG;
    }
    PyObject *path = needed(message, key.path);
    bool taken = path != NULL && gb_piece_open(piece, path);
    gb_py.Py_DecRef(path);
    if (!taken)
        return GB_MESSAGE_WRONG;
    if (piece->size > c->exchange->head.body_length) // it has grown since the application looked
        piece->size = (size_t)c->exchange->head.body_length;
    return took_piece(c->exchange, piece, false);
}

static enum gb_message_kind take_file(struct gb_call *c, PyObject *message, struct gb_piece *piece)
{
    if (!may_have(c->exchange, "http.response.zerocopysend"))
        return GB_MESSAGE_WRONG;
    int more = gb_message_flag(message, key.more_body);
    PyObject *file = more >= 0 ? needed(message, key.file) : NULL;
    PyObject *offset = file != NULL ? gb_python_dict_item(message, key.offset) : NULL;
    PyObject *count = file != NULL ? gb_python_dict_item(message, key.count) : NULL;
    bool taken = file != NULL && gb_py.PyErr_Occurred() == NULL && gb_piece_of_file(piece, file, offset, count);
    gb_py.Py_DecRef(count);
    gb_py.Py_DecRef(offset);
    gb_py.Py_DecRef(file);
    return taken ? took_piece(c->exchange, piece, more > 0) : GB_MESSAGE_WRONG;
}

// ---- http.response.trailers: who sends them to a client that takes none is borne. Those who
// announce them must send them.

static enum gb_message_kind take_trailers(struct gb_call *c, PyObject *message, struct gb_piece *piece)
{
    struct gb_exchange *x = c->exchange;
    if (!x->trailers || !x->body_over) {
        gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError,
                              "http.response.trailers was sent before the body's end, or was not announced");
        return GB_MESSAGE_WRONG;
    }
    int more = gb_message_flag(message, key.more_trailers);
    if (more < 0 || !gb_message_headers(c, message, &x->extra))
        return GB_MESSAGE_WRONG;
    piece->kind = GB_RECORD_BODY;
    piece->data = "";
    piece->last = true;
    if ((x->claim.head.flags & GB_REQUEST_TRAILERS) && x->extra.table.size > 0)
        piece->kind = GB_RECORD_TRAILERS;
    return more ? GB_MESSAGE_NOTED : GB_MESSAGE_PIECE;
}

// ---- http.response.early_hint: as long as the head is not out, and for clients that
// understand it (RFC 9110 section 15.2).

static bool take_links(struct gb_head *hints, PyObject *links)
{
    char *value;
    const char *tell;
    Py_ssize_t size, count = gb_py.PyList_Size(links);
    bool done = count < UINT16_MAX;
    if (!done)
        gb_py.PyErr_SetString(*gb_py.PyExc_ValueError, "there are too many links");
    for (Py_ssize_t i = 0; done && i < count; i++) {
        PyObject *item = gb_python_list_item(links, i);
        done = text_of(item, "value", &value, &size) &&
               gb_head_field(hints, "Link", 4, value, (size_t)size, &tell) == GB_FIELD_TAKEN;
        gb_py.Py_DecRef(item);
    }
    return done;
}

static enum gb_message_kind take_hint(struct gb_call *c, PyObject *message, struct gb_piece *piece)
{
    struct gb_exchange *x = c->exchange;
    bool late = x->head_sent || (x->claim.head.flags & GB_REQUEST_HTTP10);
    if (!late) {
        gb_head_reset(&x->extra);
        x->extra.status = 103;
    }
    struct gb_head unsent = {0}, *hints = late ? &unsent : &x->extra;
    PyObject *links = needed(message, key.links);
    PyObject *list = links != NULL ? gb_py.PySequence_List(links) : NULL;
    bool taken = list != NULL && take_links(hints, list), any = hints->table.size > 0;
    gb_py.Py_DecRef(list);
    gb_py.Py_DecRef(links);
    gb_head_free(&unsent);
    piece->kind = GB_RECORD_HINTS;
    return !taken ? GB_MESSAGE_WRONG : late || !any ? GB_MESSAGE_NOTED : GB_MESSAGE_PIECE;
}

// ---- Any of them.

bool gb_message_is(const char *type, Py_ssize_t size, const char *name)
{
    return (size_t)size == strlen(name) && memcmp(type, name, (size_t)size) == 0;
}

// The type is one of a response, or GB_MESSAGE_UNKNOWN.
static enum gb_message_kind take(struct gb_call *c, const char *type, Py_ssize_t size, PyObject *message,
                                 struct gb_piece *piece)
{
    if (gb_message_is(type, size, "http.response.body"))
        return gb_message_body(c, message, piece);
    if (gb_message_is(type, size, "http.response.start"))
        return gb_message_start(c, message);
    if (gb_message_is(type, size, "http.response.pathsend"))
        return take_path(c, message, piece);
    if (gb_message_is(type, size, "http.response.zerocopysend"))
        return take_file(c, message, piece);
    if (gb_message_is(type, size, "http.response.early_hint"))
        return take_hint(c, message, piece);
    if (gb_message_is(type, size, "http.response.trailers"))
        return take_trailers(c, message, piece);
    return GB_MESSAGE_UNKNOWN;
}

enum gb_message_kind gb_message_take(struct gb_call *c, PyObject *message, struct gb_piece *piece)
{
    Py_ssize_t size;
    if (gb_py.PyObject_IsInstance(message, gb_py.PyDict_Type) != 1) {
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "send takes a dict, not %.200R", message);
        return GB_MESSAGE_WRONG;
    }
    PyObject *type = gb_python_dict_item(message, key.type);
    const char *text = type != NULL ? gb_py.PyUnicode_AsUTF8AndSize(type, &size) : NULL;
    enum gb_message_kind kind = GB_MESSAGE_WRONG;
    if (text != NULL)
        kind = c->websocket != NULL ? gb_websocket_message(c, text, size, message, piece)
                                    : take(c, text, size, message, piece);
    else if (gb_py.PyErr_Occurred() == NULL)
        gb_py.PyErr_SetString(*gb_py.PyExc_KeyError, "a message must have a \"type\"");
    if (kind == GB_MESSAGE_UNKNOWN) {
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "send does not know messages of type %R", type);
        kind = GB_MESSAGE_WRONG;
    }
    gb_py.Py_DecRef(type);
    return kind;
}
