#include "websocket_message.h"

#include <string.h>
#include <strings.h>

#include "send.h"
#include "websocket.h"

#define KEYS(X) X(subprotocol) X(bytes) X(text) X(code) X(reason)
GB_NAMES(key, KEYS);

bool gb_websocket_message_prepare(void)
{
    return GB_MAKE_NAMES(key);
}

// The value under a name, a new reference; NULL if it is not there or None, or an exception is
// set.
static PyObject *value_of(PyObject *message, PyObject *name)
{
    PyObject *value = gb_python_dict_item(message, name);
    if (value != gb_py._Py_NoneStruct)
        return value;
    gb_py.Py_DecRef(value);
    return NULL;
}

// The UTF-8 of a str, which is borrowed, and keeps it. NULL with the exception set.
static const char *utf8_of(PyObject *value, const char *what, Py_ssize_t *size)
{
    if (gb_py.PyObject_IsInstance(value, gb_py.PyUnicode_Type) == 1)
        return gb_py.PyUnicode_AsUTF8AndSize(value, size);
    gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "%s must be str, not %.200R", what, value);
    return NULL;
}

static enum gb_message_kind misplaced(const char *what)
{
    gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError, what);
    return GB_MESSAGE_WRONG;
}

// ---- websocket.accept

// The fields of the handshake itself are the server's. Those that a client has offered and the
// server takes are not the application's to name (RFC 6455 section 4.2.2), but for the
// subprotocol, and that has a key of its own.
static bool check_lines(const struct gb_head *h)
{
    static const char reserved[] = "sec-websocket-";
    size_t count = h->table.size / sizeof(struct gb_line);
    for (size_t i = 0; i < count; i++) {
        struct gb_line line;
        memcpy(&line, h->table.data + i * sizeof line, sizeof line);
        if (line.name_size < sizeof reserved - 1 ||
            strncasecmp(h->lines.data + line.start, reserved, sizeof reserved - 1) != 0)
            continue;
        gb_py.PyErr_SetString(*gb_py.PyExc_ValueError,
                              "headers that begin with Sec-WebSocket- are the server's business; a subprotocol is "
                              "named by the key \"subprotocol\" of websocket.accept");
        return false;
    }
    if (h->body_length == GB_LENGTH_UNKNOWN)
        return true;
    gb_py.PyErr_SetString(*gb_py.PyExc_ValueError, "an accepted WebSocket has no body, and no Content-Length");
    return false;
}

static bool take_subprotocol(PyObject *message, struct gb_head *h)
{
    Py_ssize_t size;
    const char *tell;
    PyObject *value = value_of(message, key.subprotocol);
    if (value == NULL)
        return gb_py.PyErr_Occurred() == NULL;
    const char *text = utf8_of(value, "the subprotocol", &size);
    bool done = text != NULL && gb_head_is_token(text, (size_t)size);
    if (text != NULL && !done)
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "the subprotocol is no token (RFC 6455 section 4.1): %R", value);
    done = done && gb_head_field(h, "Sec-WebSocket-Protocol", 22, text, (size_t)size, &tell) == GB_FIELD_TAKEN;
    gb_py.Py_DecRef(value);
    return done;
}

static enum gb_message_kind take_accept(struct gb_call *c, PyObject *message, struct gb_piece *piece)
{
    struct gb_head *h = &c->exchange->head;
    if (c->websocket->state != GB_WEBSOCKET_NEW)
        return misplaced("websocket.accept was sent after the WebSocket was accepted or refused");
    gb_head_reset(h);
    h->status = 101;
    if (!gb_message_headers(c, message, h) || !check_lines(h) || !take_subprotocol(message, h))
        return GB_MESSAGE_WRONG;
    c->websocket->state = GB_WEBSOCKET_OPEN;
    *piece = (struct gb_piece){.kind = GB_RECORD_ACCEPT, .data = ""};
    return GB_MESSAGE_PIECE;
}

// ---- websocket.send

// Exactly one of bytes and text.
static bool take_data(PyObject *bytes, PyObject *text, struct gb_piece *piece)
{
    Py_ssize_t size;
    if ((bytes == NULL) == (text == NULL)) {
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError, "websocket.send must have one of \"bytes\" and \"text\", not %s",
                           bytes == NULL ? "none" : "both");
        return false;
    }
    piece->kind = bytes != NULL ? GB_RECORD_BINARY : GB_RECORD_TEXT;
    if (bytes != NULL)
        return gb_message_bytes(bytes, piece);
    piece->data = utf8_of(text, "a message's text", &size);
    if (piece->data == NULL)
        return false;
    gb_py.Py_IncRef(text);
    piece->owner = text;
    piece->size = (size_t)size;
    return true;
}

static enum gb_message_kind take_send(struct gb_call *c, PyObject *message, struct gb_piece *piece)
{
    if (c->websocket->state != GB_WEBSOCKET_OPEN)
        return misplaced(c->websocket->state == GB_WEBSOCKET_CLOSED
                             ? "websocket.send was sent after websocket.close"
                             : "websocket.send was sent before websocket.accept");
    *piece = (struct gb_piece){0};
    PyObject *bytes = value_of(message, key.bytes);
    PyObject *text = bytes == NULL && gb_py.PyErr_Occurred() ? NULL : value_of(message, key.text);
    bool done = gb_py.PyErr_Occurred() == NULL && take_data(bytes, text, piece);
    gb_py.Py_DecRef(bytes);
    gb_py.Py_DecRef(text);
    if (done)
        c->exchange->burst += GB_MESSAGE_BURST;
    return done ? GB_MESSAGE_PIECE : GB_MESSAGE_WRONG;
}

// ---- websocket.close

// May a close frame have this code? One that is registered (RFC 6455 section 7.4, and IANA's registry), or that is
// left to libraries and applications. It is the front's websocket.ValidCode.
static bool may_close(Py_ssize_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static bool take_code(PyObject *message, uint16_t *code)
{
    PyObject *value = value_of(message, key.code);
    *code = GB_CLOSE_NORMAL;
    if (value == NULL)
        return gb_py.PyErr_Occurred() == NULL;
    Py_ssize_t n = gb_py.PyLong_AsSsize_t(value);
    bool raised = n == -1 && gb_py.PyErr_Occurred() != NULL, valid = !raised && may_close(n);
    if (!raised && !valid)
        gb_py.PyErr_Format(
            *gb_py.PyExc_ValueError,
            "a WebSocket cannot be closed with the code %R: an application's own are 3000 to 4999, and the "
            "protocol has 1000 to 1003 and 1007 to 1014",
            value);
    gb_py.Py_DecRef(value);
    *code = (uint16_t)n;
    return valid;
}

// The reason, a str: a new reference; NULL: none, or an exception is set.
static PyObject *take_reason(PyObject *message, const char **text, Py_ssize_t *size)
{
    PyObject *value = value_of(message, key.reason);
    *size = 0;
    if (value == NULL)
        return NULL;
    *text = utf8_of(value, "the reason of a websocket.close", size);
    if (*text != NULL && *size <= GB_MAX_REASON)
        return value;
    if (*text != NULL)
        gb_py.PyErr_Format(*gb_py.PyExc_ValueError,
                           "the reason of a websocket.close has %zd bytes, and at most %u may be", *size,
                           GB_MAX_REASON);
    gb_py.Py_DecRef(value);
    return NULL;
}

// Refuses the handshake, with an answer of our own.
static enum gb_message_kind refuse(struct gb_call *c, struct gb_piece *piece)
{
    c->websocket->state = GB_WEBSOCKET_CLOSED;
    c->exchange->started = c->exchange->body_over = true;
    return gb_send_page(c, 403, "Forbidden\n", piece) ? GB_MESSAGE_PIECE : GB_MESSAGE_WRONG;
}

static enum gb_message_kind take_close(struct gb_call *c, PyObject *message, struct gb_piece *piece)
{
    struct gb_websocket *w = c->websocket;
    struct gb_close close;
    const char *text = "";
    Py_ssize_t size;
    if (w->state == GB_WEBSOCKET_DENIED || w->state == GB_WEBSOCKET_CLOSED)
        return misplaced("websocket.close was sent after the WebSocket was closed or refused");
    if (!take_code(message, &close.code))
        return GB_MESSAGE_WRONG;
    PyObject *reason = take_reason(message, &text, &size);
    if (gb_py.PyErr_Occurred() != NULL)
        return GB_MESSAGE_WRONG;
    if (w->state == GB_WEBSOCKET_NEW) {
        gb_py.Py_DecRef(reason);
        return refuse(c, piece);
    }
    char record[sizeof close + GB_MAX_REASON];
    memcpy(record, &close, sizeof close);
    memcpy(record + sizeof close, text, (size_t)size);
    PyObject *owner = gb_py.PyBytes_FromStringAndSize(record, (Py_ssize_t)sizeof close + size);
    if (owner == NULL) {
        gb_py.Py_DecRef(reason);
        return GB_MESSAGE_WRONG;
    }
    bool done = gb_message_bytes(owner, piece);
    gb_py.Py_DecRef(owner);
    piece->kind = GB_RECORD_CLOSE;
    piece->last = true;
    w->state = GB_WEBSOCKET_CLOSED;
    gb_websocket_note(w, close.code, reason);
    return done ? GB_MESSAGE_PIECE : GB_MESSAGE_WRONG;
}

// ---- The response that refuses it.

static enum gb_message_kind take_start(struct gb_call *c, PyObject *message)
{
    if (c->websocket->state != GB_WEBSOCKET_NEW)
        return misplaced("websocket.http.response.start was sent after the WebSocket was accepted or refused");
    enum gb_message_kind kind = gb_message_start(c, message);
    if (kind == GB_MESSAGE_NOTED)
        c->websocket->state = GB_WEBSOCKET_DENIED;
    c->exchange->trailers = false;
    return kind;
}

static enum gb_message_kind take_body(struct gb_call *c, PyObject *message, struct gb_piece *piece)
{
    if (c->websocket->state != GB_WEBSOCKET_DENIED)
        return misplaced("websocket.http.response.body was sent without websocket.http.response.start");
    return gb_message_body(c, message, piece);
}

enum gb_message_kind gb_websocket_message(struct gb_call *c, const char *type, Py_ssize_t size, PyObject *message,
                                          struct gb_piece *piece)
{
    if (gb_message_is(type, size, "websocket.send"))
        return take_send(c, message, piece);
    if (gb_message_is(type, size, "websocket.accept"))
        return take_accept(c, message, piece);
    if (gb_message_is(type, size, "websocket.close"))
        return take_close(c, message, piece);
    if (gb_message_is(type, size, "websocket.http.response.start"))
        return take_start(c, message);
    if (gb_message_is(type, size, "websocket.http.response.body"))
        return take_body(c, message, piece);
    return GB_MESSAGE_UNKNOWN;
}
