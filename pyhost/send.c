#include "send.h"

#include <stdlib.h>
#include <string.h>

#include "awaitable.h"
#include "file.h"
#include "layout.h"
#include "loop.h"
#include "message.h"
#include "rest.h"
#include "websocket_message.h"

// A piece up to this size is put together with what stands before it, and written as one.
#define SMALL 32768u
#define KEPT ((size_t)160 << 10)  // bytes of the loop's memory for it that are kept: a pipe's, and a head
#define LONGEST ((size_t)1 << 30) // bytes of a record: its size has 32 bits

static PyTypeObject *type;
static PyObject *done; // a gobridge.Send that is over: what send returns when all is done

// What send() returns: gobridge.Send. One that has something left stands in the call's line;
// who comes after it waits behind it with its message.
struct gb_sending {
    PyObject *call;    // owned; NULL: over
    PyObject *message; // owned; NULL: begun
    char *before;      // what goes out before the piece: the head, the record's header; owned
    size_t before_size, before_at;
    struct gb_piece piece; // what of it is not in a record yet, and has not gone out
    size_t record;         // bytes of the piece that belong to the record that goes out
    bool pauses;           // it has nothing left, and only goes through the loop once
    PyObject *exception;   // owned: what it is to raise
    struct gb_waiting waiting;
    PyObject *next; // owned
};

static struct gb_sending *sending_of(PyObject *self)
{
    return gb_python_own(self);
}

static PyObject *new_sending(PyObject *call)
{
    PyObject *self = gb_py.PyType_GenericAlloc(type, 0);
    if (self == NULL)
        return NULL;
    gb_py.Py_IncRef(call);
    *sending_of(self) = (struct gb_sending){.call = call};
    return self;
}

static void say_gone(void)
{
    gb_py.PyErr_SetString(*gb_py.PyExc_ConnectionResetError, "the client has left");
}

// ---- A piece of the body, or a message to a WebSocket.

// Is it as long as the head has announced? False with the exception set. Of a response
// without a body none of it goes out.
static bool check_length(struct gb_exchange *x, struct gb_piece *p)
{
    uint64_t announced = x->head.body_length, left = announced - x->body_sent;
    if (gb_head_bodiless(&x->head, x->claim.head.flags)) {
        p->size = 0;
        return true;
    }
    if (announced == GB_LENGTH_UNKNOWN || (p->last ? p->size == left : p->size <= left))
        return true;
    gb_py.PyErr_Format(*gb_py.PyExc_RuntimeError, "the body is %s than its Content-Length of %llu bytes",
                       p->size > left ? "longer" : "shorter", (unsigned long long)announced);
    return false;
}

// Does the piece of a body go with its head? False with the exception set.
static bool check_body(struct gb_exchange *x, struct gb_piece *p)
{
    if (!x->head_sent && p->last && !gb_head_announce(&x->head, x->claim.head.flags, p->size))
        return false;
    return check_length(x, p);
}

// The header of the next record of a piece.
static struct gb_record next_record(const struct gb_piece *p)
{
    struct gb_record header = {p->kind, (uint32_t)p->size};
    if (p->size <= LONGEST)
        return header;
    header.size = LONGEST;
    if (p->kind != GB_RECORD_BODY)
        header.kind |= GB_RECORD_MORE;
    return header;
}

// Adds the bytes of a piece to `out`, or only what stands before them. Returns how many of
// them are to follow in the same record; -1 with the exception set.
static Py_ssize_t add_bytes(struct gb_piece *p, struct gb_bytes *out)
{
    struct gb_record header = next_record(p);
    bool together = p->size <= SMALL;
    if (p->size == 0 && p->kind == GB_RECORD_BODY)
        return 0;
    if (!gb_bytes_add(out, &header, sizeof header) || (together && !gb_bytes_add(out, p->data, p->size)))
        return -1;
    if (together)
        p->size = 0;
    return together ? 0 : (Py_ssize_t)header.size;
}

// What one file adds to the response pipe.
struct named {
    struct gb_record record;
    struct gb_file file;
} __attribute__((packed));

// Has the front send the file of a piece, if it has taken the one before: gives it the
// descriptor, and makes the record, which must be written next behind `ahead` bytes more.
static bool name_file(struct gb_exchange *x, struct gb_piece *p, size_t ahead, struct named *named)
{
    if (gb_file_watch(&x->claim) != GB_READY)
        return false;
    if (!gb_file_pass(&x->claim, p->file)) {
        x->claim.broken = true;
        return false;
    }
    *named = (struct named){{GB_RECORD_FILE, sizeof(struct gb_file)}, {p->offset, p->size}};
    gb_file_named(&x->claim, ahead + sizeof *named);
    gb_piece_spend(p);
    return true;
}

// Adds a file's piece to `out`: its bytes if they are few and at hand, else its record, unless
// that must wait. False with the exception set.
static bool add_file(struct gb_exchange *x, struct gb_piece *p, struct gb_bytes *out)
{
    struct gb_record header = {GB_RECORD_BODY, (uint32_t)p->size};
    struct named named;
    if (p->size < x->claim.segment->pipe_size) {
        if (!gb_bytes_room(out, sizeof header + p->size))
            return false;
        if (gb_piece_load(p, out->data + out->size + sizeof header)) {
            memcpy(out->data + out->size, &header, sizeof header);
            out->size += sizeof header + p->size;
            x->burst += p->size;
            gb_piece_spend(p);
            return true;
        }
    }
    if (!gb_bytes_room(out, sizeof named)) // also for go_on, which puts it there later
        return false;
    return !name_file(x, p, out->size, &named) || gb_bytes_add(out, &named, sizeof named);
}

// Adds a piece of a response, with the head if that is not out. Returns as add_bytes does.
static Py_ssize_t add_response(struct gb_exchange *x, struct gb_piece *p, struct gb_bytes *out)
{
    if (!check_body(x, p) || (!x->head_sent && !gb_head_record(&x->head, out)))
        return -1;
    x->body_sent += p->size;
    if (p->kind == GB_RECORD_TRAILERS)
        return gb_head_trailers(&x->extra, out) ? 0 : -1;
    if (p->kind == GB_RECORD_FILE && p->size > 0)
        return add_file(x, p, out) ? 0 : -1;
    if (p->kind == GB_RECORD_FILE)
        gb_piece_spend(p);
    x->burst += p->size;
    return add_bytes(p, out);
}

// Puts together what goes out first of a piece, in the loop's memory. Returns as add_bytes does.
static Py_ssize_t add_first(struct gb_exchange *x, struct gb_piece *p, struct gb_bytes *out)
{
    Py_ssize_t record = 0;
    switch (p->kind) {
    case GB_RECORD_HINTS:
        return gb_head_hints(&x->extra, out) ? 0 : -1;
    case GB_RECORD_BODY:
    case GB_RECORD_FILE:
    case GB_RECORD_TRAILERS:
        record = add_response(x, p, out);
        break;
    case GB_RECORD_ACCEPT:
        record = gb_head_accept(&x->head, out) ? 0 : -1;
        gb_head_free(&x->head); // a WebSocket may live long, and needs no head any more
        break;
    default:
        x->burst += p->size;
        record = add_bytes(p, out);
    }
    if (record >= 0)
        x->head_sent = true;
    return record;
}

// Begins to send a piece: writes what there is room for. *rest is what is left of it, in the
// loop's memory; its piece is the caller's piece, advanced. False with the exception set.
static bool begin(struct gb_call *c, struct gb_sending *rest)
{
    struct gb_exchange *x = c->exchange;
    struct gb_piece *p = &rest->piece;
    struct gb_bytes *out = &c->loop->out;
    out->size = 0;
    Py_ssize_t record = add_first(x, p, out);
    if (record < 0)
        return false;
    rest->before = out->data;
    rest->before_size = out->size;
    rest->before_at = gb_response_try(&x->claim, out->data, out->size, p->last && p->size == 0);
    rest->record = (size_t)record;
    x->amid = !x->head_sent && rest->before_at < out->size;
    return true;
}

// Writes more of what is left. True: all of it is written. False: there is no room, or the
// client is gone.
static bool go_on(struct gb_exchange *x, struct gb_sending *s)
{
    struct gb_piece *p = &s->piece;
    for (;;) {
        if (s->before_at < s->before_size) {
            size_t left = s->before_size - s->before_at;
            size_t n = gb_response_try(&x->claim, s->before + s->before_at, left, p->last && p->size == 0);
            s->before_at += n;
            if (n < left)
                return false;
            x->amid = false;
        }
        if (p->size == 0)
            return true;
        if (p->kind == GB_RECORD_FILE) { // `before` always has room for its record, and for the next header
            struct named named;
            if (!name_file(x, p, 0, &named))
                return false;
            memcpy(s->before, &named, sizeof named);
            s->before_size = sizeof named;
            s->before_at = 0;
            continue;
        }
        if (s->record == 0) { // the next record of a very long piece
            struct gb_record header = next_record(p);
            memcpy(s->before, &header, sizeof header);
            s->before_size = sizeof header;
            s->before_at = 0;
            s->record = header.size;
            continue;
        }
        size_t n = gb_response_try(&x->claim, p->data, s->record, p->last && s->record == p->size);
        bool full = n < s->record;
        p->data += n;
        p->size -= n;
        s->record -= n;
        if (full)
            return false;
    }
}

static void complete(struct gb_call *c)
{
    c->complete = true;
    gb_call_finish(c, GB_FINISHED);
}

// ---- The line of those that wait.

static void append(struct gb_call *c, PyObject *self)
{
    gb_py.Py_IncRef(self);
    if (c->last_sender != NULL)
        sending_of(c->last_sender)->next = self;
    else
        c->senders = self;
    c->last_sender = self;
}

// It has gone out, or failed with the exception that is set.
static void settle(PyObject *self)
{
    struct gb_sending *s = sending_of(self);
    PyObject *call = s->call;
    s->call = NULL;
    s->exception = gb_python_take_exception();
    gb_py.Py_DecRef(s->message);
    gb_piece_drop(&s->piece);
    free(s->before);
    s->message = NULL;
    s->before = NULL;
    gb_waiting_wake(&s->waiting);
    gb_py.Py_DecRef(call);
}

// Takes the first one out of the line and settles it.
static void settle_first(struct gb_call *c)
{
    PyObject *first = c->senders;
    c->senders = sending_of(first)->next;
    sending_of(first)->next = NULL;
    if (c->senders == NULL)
        c->last_sender = NULL;
    settle(first);
    gb_py.Py_DecRef(first);
}

// Keeps what `rest` has in the loop's memory. False without memory, with the exception set.
static bool keep(struct gb_sending *s, const struct gb_sending *rest)
{
    size_t left = rest->before_size - rest->before_at;
    s->before = malloc(left > sizeof(struct named) ? left : sizeof(struct named));
    if (s->before == NULL) {
        gb_py.PyErr_NoMemory();
        return false;
    }
    memcpy(s->before, rest->before + rest->before_at, left);
    s->before_size = left;
    s->before_at = 0;
    s->piece = rest->piece;
    s->record = rest->record;
    return true;
}

// May a message be sent? False with the exception set.
static bool may_send(struct gb_call *c)
{
    if (c->exchange != NULL && gb_claim_closed(&c->exchange->claim))
        c->gone = true;
    if (c->complete)
        gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError, c->websocket != NULL
                                                             ? "the WebSocket was closed before this message"
                                                             : "the response was complete before this message");
    else if (c->exchange == NULL || c->gone)
        say_gone();
    else
        return true;
    return false;
}

enum sent { SENT, LEFT, RAISED };

// Begins a message. LEFT: *rest is what is left of it, in the loop's memory but for the
// piece's owner, which is the caller's.
static enum sent begin_message(struct gb_call *c, PyObject *message, struct gb_sending *rest)
{
    *rest = (struct gb_sending){0};
    enum gb_message_kind kind = may_send(c) ? gb_message_take(c, message, &rest->piece) : GB_MESSAGE_WRONG;
    if (kind == GB_MESSAGE_NOTED)
        return SENT;
    if (kind == GB_MESSAGE_WRONG)
        return RAISED;
    bool last = rest->piece.last;
    if (!begin(c, rest)) {
        gb_piece_drop(&rest->piece);
        return RAISED;
    }
    struct gb_exchange *x = c->exchange;
    bool whole = go_on(x, rest);
    if (c->websocket != NULL)
        gb_rest_note(c);
    if (!whole) {
        if (!gb_claim_closed(&x->claim))
            return LEFT;
        c->gone = true;
        gb_piece_drop(&rest->piece);
        say_gone();
        return RAISED;
    }
    gb_piece_drop(&rest->piece);
    gb_bytes_clear(&c->loop->out, KEPT);
    if (last)
        complete(c);
    return SENT;
}

// One that has waited behind others is the first now. True if it could be settled.
static bool begin_first(struct gb_call *c)
{
    struct gb_sending *s = sending_of(c->senders), rest;
    PyObject *message = s->message;
    s->message = NULL;
    enum sent sent = begin_message(c, message, &rest);
    gb_py.Py_DecRef(message);
    if (sent == LEFT && keep(s, &rest))
        return false;
    return true;
}

// Asks for news of what the first in line waits for: room, or the front to take its last file.
static enum gb_wait watch(struct gb_call *c)
{
    const struct gb_sending *s = sending_of(c->senders);
    bool file = s->before_at == s->before_size && s->piece.kind == GB_RECORD_FILE;
    return (file ? gb_file_watch : gb_response_watch)(&c->exchange->claim);
}

// Goes on with the first in line. True if it is settled then.
static bool advance(struct gb_call *c)
{
    struct gb_sending *s = sending_of(c->senders);
    if (s->message != NULL) {
        if (!begin_first(c))
            return false;
    } else if (!may_send(c)) {
        // it raises what is set
    } else if (go_on(c->exchange, s)) {
        if (s->piece.last)
            complete(c);
    } else if (!gb_claim_closed(&c->exchange->claim)) {
        return false;
    } else {
        c->gone = true;
        say_gone();
    }
    settle_first(c);
    return true;
}

// Has whoever stands in line go on, until there is no room.
static void run_line(struct gb_call *c)
{
    while (c->senders != NULL) {
        if (advance(c))
            continue;
        if (watch(c) == GB_LATER)
            return;
    }
    if (c->coroutine == NULL && c->arguments == NULL)
        gb_call_settle(c); // the application has returned without waiting
}

void gb_send_news(struct gb_call *c)
{
    if (c->senders == NULL)
        return;
    PyObject *self = c->self;
    gb_py.Py_IncRef(self);
    run_line(c);
    gb_py.Py_DecRef(self);
}

void gb_send_drop(struct gb_call *c)
{
    while (c->senders != NULL) {
        say_gone();
        settle_first(c);
    }
}

// ---- The function.

// A Send in line, for what is left of a message or for one that waits behind others.
static PyObject *enlist(struct gb_call *c, PyObject *message, const struct gb_sending *rest)
{
    PyObject *self = new_sending(c->self);
    if (rest != NULL && (self == NULL || !keep(sending_of(self), rest))) {
        struct gb_piece piece = rest->piece;
        gb_piece_drop(&piece);
        gb_py.Py_DecRef(self);
        return NULL;
    }
    if (self == NULL)
        return NULL;
    if (rest == NULL) {
        gb_py.Py_IncRef(message);
        sending_of(self)->message = message;
    }
    append(c, self);
    gb_send_news(c); // or there would be no news when there is room
    return self;
}

// An application that sends one piece after the other must let others have their turn: after
// so many bytes it goes through the loop once.
static PyObject *pause(struct gb_call *c)
{
    PyObject *self = new_sending(c->self);
    if (self != NULL)
        sending_of(self)->pauses = true;
    return self;
}

// send(message)
static PyObject *send(PyObject *call, PyObject *message)
{
    struct gb_call *c = gb_python_own(call);
    struct gb_sending rest;
    if (!gb_call_here(c))
        return NULL;
    if (c->senders != NULL)
        return enlist(c, message, NULL);
    switch (begin_message(c, message, &rest)) {
    case RAISED:
        return NULL;
    case LEFT:
        c->exchange->burst = 0;
        return enlist(c, message, &rest);
    case SENT:
        break;
    }
    struct gb_exchange *x = c->exchange;
    if (x != NULL && x->burst >= x->claim.segment->pipe_size) {
        x->burst = 0;
        return pause(c);
    }
    gb_py.Py_IncRef(done);
    return done;
}

PyObject *gb_send_function(PyObject *call)
{
    static PyMethodDef method = {"send", send, METH_O, "send(message): an event for this request's client"};
    return gb_py.PyCFunction_NewEx(&method, call, NULL);
}

bool gb_send_page(struct gb_call *c, unsigned status, const char *text, struct gb_piece *piece)
{
    struct gb_exchange *x = c->exchange;
    *piece = (struct gb_piece){.kind = GB_RECORD_BODY, .data = text, .size = strlen(text), .last = true};
    gb_head_reset(&x->head);
    x->head.status = status;
    x->body_sent = 0;
    return gb_head_line(&x->head, "Content-Type", "text/plain; charset=utf-8", 25);
}

bool gb_send_500(struct gb_call *c)
{
    struct gb_sending whole = {0};
    return gb_send_page(c, 500, "Internal Server Error\n", &whole.piece) && begin(c, &whole) &&
           go_on(c->exchange, &whole);
}

bool gb_send_message(const struct gb_call *c, PyObject *message)
{
    PyObject *sent = send(c->self, message);
    gb_py.Py_DecRef(sent);
    return sent != NULL;
}

// ---- The awaitable.

static PyObject *send_step(PyObject *self)
{
    struct gb_sending *s = sending_of(self);
    PyObject *yielded;
    if (s->pauses) {
        s->pauses = false;
        gb_py.Py_DecRef(s->call);
        s->call = NULL;
        return gb_none();
    }
    while (s->call != NULL || s->waiting.iterator != NULL) {
        const struct gb_call *c = s->call != NULL ? gb_python_own(s->call) : NULL;
        if (s->waiting.iterator == NULL && !gb_waiting_begin(&s->waiting, c->loop->loop))
            return NULL;
        if ((yielded = gb_waiting_step(&s->waiting)) != NULL)
            return yielded;
        if (gb_py.PyErr_Occurred())
            return NULL;
    }
    PyObject *exception = s->exception;
    s->exception = NULL;
    if (exception != NULL) {
        PyObject *kind = gb_py.PyObject_Type(exception);
        gb_py.PyErr_SetObject(kind, exception);
        gb_py.Py_DecRef(kind);
        gb_py.Py_DecRef(exception);
    }
    return NULL;
}

static PyObject *send_send(PyObject *self, PyObject *value)
{
    (void)value;
    return gb_awaitable_send(self, send_step);
}

// What was begun goes out all the same: only the wait for it ends.
static PyObject *send_throw(PyObject *self, PyObject *arguments)
{
    gb_waiting_drop(&sending_of(self)->waiting);
    gb_awaitable_throw(arguments);
    return NULL;
}

static PyObject *send_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    gb_waiting_drop(&sending_of(self)->waiting);
    return gb_none();
}

static void send_dealloc(PyObject *self)
{
    struct gb_sending *s = sending_of(self);
    gb_waiting_drop(&s->waiting);
    gb_py.Py_DecRef(s->call);
    gb_py.Py_DecRef(s->message);
    gb_piece_drop(&s->piece);
    gb_py.Py_DecRef(s->exception);
    free(s->before);
    gb_python_dealloc(self);
}

bool gb_send_prepare(void)
{
    static PyMethodDef methods[] = {
        {"send", send_send, METH_O, NULL},
        {"throw", send_throw, METH_VARARGS, NULL},
        {"close", send_close, METH_NOARGS, NULL},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, (void *)send_dealloc},
        {Py_tp_iter, (void *)gb_awaitable_self},
        {Py_tp_iternext, (void *)send_step},
        {Py_am_await, (void *)gb_awaitable_self},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    type = gb_python_type("gobridge.Send", sizeof(struct gb_sending), slots);
    done = type != NULL ? gb_py.PyType_GenericAlloc(type, 0) : NULL;
    return done != NULL && gb_message_prepare() && gb_websocket_message_prepare();
}
