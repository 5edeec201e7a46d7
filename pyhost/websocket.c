#include "websocket.h"

#include <stdlib.h>

#include "loop.h"
#include "receive.h"
#include "send.h"
#include "senders.h"

// Memory for a message's text that a loop keeps for the next one.
#define TEXT_KEPT 65536u

// ---- The events: copied for each use, because the application may change them.

static struct {
    PyObject *connect;    // {"type": "websocket.connect"}
    PyObject *receive;    // {"type": "websocket.receive"}; see take_message
    PyObject *disconnect; // {"type": "websocket.disconnect"}
    PyObject *close;      // {"type": "websocket.close"}, which is ours to send
} made;

#define KEYS(X) X(bytes) X(text) X(code) X(reason)
GB_NAMES(key, KEYS);

bool gb_websocket_prepare(void)
{
    made.connect = gb_receive_event("websocket.connect");
    made.receive = gb_receive_event("websocket.receive");
    made.disconnect = gb_receive_event("websocket.disconnect");
    made.close = gb_receive_event("websocket.close");
    return GB_MAKE_NAMES(key) && made.connect != NULL && made.receive != NULL && made.disconnect != NULL &&
           made.close != NULL;
}

// Sets a key of an event; takes over both references. NULL: an exception is set.
static PyObject *with(PyObject *event, PyObject *name, PyObject *value)
{
    bool done = event != NULL && value != NULL && gb_py.PyDict_SetItem(event, name, value) == 0;
    gb_py.Py_DecRef(value);
    if (done)
        return event;
    gb_py.Py_DecRef(event);
    return NULL;
}

static PyObject *disconnect(const struct gb_websocket *w)
{
    PyObject *event = gb_py.PyDict_Copy(made.disconnect);
    event = with(event, key.code, gb_py.PyLong_FromSsize_t(w->code));
    PyObject *reason = w->reason;
    gb_py.Py_IncRef(reason);
    return event != NULL ? with(event, key.reason, reason != NULL ? reason : gb_py.PyUnicode_FromString("")) : NULL;
}

// ---- Its begin and its end.

bool gb_websocket_begin(struct gb_call *c, PyObject *scope)
{
    c->websocket = calloc(1, sizeof *c->websocket);
    if (c->websocket == NULL) {
        gb_py.PyErr_NoMemory();
        return false;
    }
    c->websocket->code = GB_CLOSE_LOST;
    PyObject *done = gb_python_help("as_websocket", "O", scope);
    gb_py.Py_DecRef(done);
    return done != NULL;
}

void gb_websocket_free(struct gb_websocket *w)
{
    if (w == NULL)
        return;
    gb_incoming_drop(&w->incoming);
    gb_py.Py_DecRef(w->reason);
    free(w);
}

void gb_websocket_note(struct gb_websocket *w, uint16_t code, PyObject *reason)
{
    PyObject *old = w->reason;
    w->code = code;
    w->reason = reason;
    gb_py.Py_DecRef(old);
}

void gb_websocket_end(struct gb_call *c, uint16_t code)
{
    struct gb_websocket *w = c->websocket;
    bool sent = false;
    if (w->state == GB_WEBSOCKET_OPEN && !w->ended) {
        w->ended = true;
        PyObject *close = with(gb_py.PyDict_Copy(made.close), key.code, gb_py.PyLong_FromSsize_t(code));
        sent = close != NULL && gb_send_message(c, close);
        gb_py.Py_DecRef(close);
        gb_py.PyErr_Clear();
    }
    if (!sent && c->senders == NULL)
        gb_call_finish(c, GB_ABORTED); // what was to close it could not be sent
}

// The client is gone: the stream is of no use any more, and what still waits to be sent fails.
static void leave(struct gb_call *c, uint32_t outcome)
{
    c->gone = true;
    gb_incoming_drop(&c->websocket->incoming);
    gb_senders_drop(c);
    gb_call_finish(c, outcome);
}

// ---- What comes.

static void note_close(struct gb_websocket *w)
{
    size_t size;
    const char *text = gb_incoming_reason(&w->incoming, &size);
    PyObject *reason = gb_py.PyUnicode_DecodeUTF8(text, (Py_ssize_t)size, "replace");
    gb_py.PyErr_Clear();
    gb_websocket_note(w, gb_incoming_code(&w->incoming), reason);
}

// The text of the message that is here. It is copied before it is decoded, because nothing
// may change meanwhile. NULL: an exception is set.
static PyObject *take_text(struct gb_call *c, size_t size)
{
    struct gb_bytes *room = &c->loop->text;
    room->size = 0;
    if (!gb_bytes_room(room, size > 0 ? size : 1))
        return NULL;
    PyObject *text = NULL;
    if (gb_incoming_take(&c->websocket->incoming, &c->exchange->claim, room->data))
        text = gb_py.PyUnicode_DecodeUTF8(room->data, (Py_ssize_t)size, NULL);
    gb_bytes_clear(room, TEXT_KEPT);
    return text;
}

static PyObject *take_bytes(struct gb_call *c, size_t size)
{
    char *data;
    Py_ssize_t same;
    PyObject *bytes = gb_py.PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes == NULL || gb_py.PyBytes_AsStringAndSize(bytes, &data, &same) != 0)
        return bytes;
    if (gb_incoming_take(&c->websocket->incoming, &c->exchange->claim, data))
        return bytes;
    gb_py.Py_DecRef(bytes);
    return NULL;
}

// The message that is here. NULL: an exception is set, or the message makes no sense.
// It has one of bytes and text. The other may be None as well (asgiref, www 2.5), but there are applications that look
// which is there (Sanic does), as uvicorn and Daphne have it.
static PyObject *take_message(struct gb_call *c)
{
    struct gb_websocket *w = c->websocket;
    bool is_text = w->incoming.kind == GB_RECORD_TEXT;
    size_t size = gb_incoming_size(&w->incoming);
    PyObject *data = is_text ? take_text(c, size) : take_bytes(c, size);
    if (data == NULL)
        return NULL;
    c->exchange->burst += size + GB_MESSAGE_BURST;
    return with(gb_py.PyDict_Copy(made.receive), is_text ? key.text : key.bytes, data);
}

// What there is of messages, or of the end; with GB_CAME_NOTHING there will be news.
static enum gb_came look(struct gb_call *c)
{
    struct gb_claim *claim = &c->exchange->claim;
    for (;;) {
        enum gb_came came = gb_incoming_look(&c->websocket->incoming, claim);
        if (came != GB_CAME_NOTHING)
            return came;
        // Before it is accepted a client that has closed its half cannot go on.
        bool open = c->websocket->state != GB_WEBSOCKET_NEW;
        switch (open ? gb_records_watch(claim) : gb_handshake_watch(claim)) {
        case GB_LATER:
            return GB_CAME_NOTHING;
        case GB_GONE:
            return GB_CAME_NONSENSE; // as far as the application can tell: the connection is lost
        default:
            break;
        }
    }
}

// What there is, for a call that has its stream.
static PyObject *next(struct gb_call *c)
{
    struct gb_websocket *w = c->websocket;
    enum gb_came came = look(c);
    if (came == GB_CAME_NOTHING || came == GB_CAME_RAISED)
        return NULL;
    if (came == GB_CAME_MESSAGE) {
        PyObject *message = take_message(c);
        if (message != NULL || gb_py.PyErr_Occurred() != NULL)
            return message;
    }
    if (came == GB_CAME_CLOSE)
        note_close(w);
    else
        gb_websocket_note(w, GB_CLOSE_LOST, NULL);
    leave(c, came == GB_CAME_CLOSE ? GB_FINISHED : GB_ABORTED);
    return disconnect(w);
}

PyObject *gb_websocket_next(struct gb_call *c)
{
    struct gb_websocket *w = c->websocket;
    if (w->connected)
        return c->exchange != NULL ? next(c) : disconnect(w);
    w->connected = true;
    return gb_py.PyDict_Copy(made.connect);
}

bool gb_websocket_ready(struct gb_call *c)
{
    if (c->exchange == NULL || !c->websocket->connected)
        return true;
    enum gb_came came = look(c);
    gb_py.PyErr_Clear(); // who receives meets it again
    return came != GB_CAME_NOTHING;
}
