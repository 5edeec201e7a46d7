#include "senders.h"

#include "loop.h"
#include "message.h"
#include "rest.h"

#define KEPT ((size_t)160 << 10) // bytes of the loop's memory for it that are kept: a pipe's, and a head

static void say_gone(void)
{
    gb_py.PyErr_SetString(*gb_py.PyExc_ConnectionResetError, "the client has left");
}

static void complete(struct gb_call *c)
{
    c->complete = true;
    gb_call_finish(c, GB_FINISHED);
}

// ---- A message.

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

enum gb_begun gb_senders_begin(struct gb_call *c, PyObject *message, struct gb_outgoing *rest)
{
    *rest = (struct gb_outgoing){0};
    enum gb_message_kind kind = may_send(c) ? gb_message_take(c, message, &rest->piece) : GB_MESSAGE_WRONG;
    if (kind == GB_MESSAGE_NOTED)
        return GB_BEGUN_SENT;
    if (kind == GB_MESSAGE_WRONG)
        return GB_BEGUN_RAISED;
    bool last = rest->piece.last;
    if (!gb_outgoing_begin(c, rest)) {
        gb_piece_drop(&rest->piece);
        return GB_BEGUN_RAISED;
    }
    struct gb_exchange *x = c->exchange;
    bool whole = gb_outgoing_go_on(x, rest);
    if (c->websocket != NULL)
        gb_rest_note(c);
    if (!whole) {
        if (!gb_claim_closed(&x->claim))
            return GB_BEGUN_LEFT;
        c->gone = true;
        gb_piece_drop(&rest->piece);
        say_gone();
        return GB_BEGUN_RAISED;
    }
    gb_piece_drop(&rest->piece);
    gb_bytes_clear(&c->loop->out, KEPT);
    if (last)
        complete(c);
    return GB_BEGUN_SENT;
}

// ---- The line.

static void append(struct gb_call *c, PyObject *self)
{
    gb_py.Py_IncRef(self);
    if (c->last_sender != NULL)
        gb_sending_of(c->last_sender)->next = self;
    else
        c->senders = self;
    c->last_sender = self;
}

// Takes the first one out of the line and settles it.
static void settle_first(struct gb_call *c)
{
    PyObject *first = c->senders;
    c->senders = gb_sending_of(first)->next;
    gb_sending_of(first)->next = NULL;
    if (c->senders == NULL)
        c->last_sender = NULL;
    gb_sending_settle(first);
    gb_py.Py_DecRef(first);
}

// One that has waited behind others is the first now. True if it could be settled.
static bool begin_first(struct gb_call *c)
{
    struct gb_sending *s = gb_sending_of(c->senders);
    struct gb_outgoing rest;
    PyObject *message = s->message;
    s->message = NULL;
    enum gb_begun begun = gb_senders_begin(c, message, &rest);
    gb_py.Py_DecRef(message);
    if (begun != GB_BEGUN_LEFT || !gb_outgoing_keep(&rest))
        return true;
    s->rest = rest;
    return false;
}

// Goes on with the first in line. True if it is settled then.
static bool advance(struct gb_call *c)
{
    struct gb_sending *s = gb_sending_of(c->senders);
    if (s->message != NULL) {
        if (!begin_first(c))
            return false;
    } else if (!may_send(c)) {
        // it raises what is set
    } else if (gb_outgoing_go_on(c->exchange, &s->rest)) {
        if (s->rest.piece.last)
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
        if (gb_outgoing_watch(c->exchange, &gb_sending_of(c->senders)->rest) == GB_LATER)
            return;
    }
    if (c->coroutine == NULL && c->arguments == NULL)
        gb_call_settle(c); // the application has returned without waiting
}

void gb_senders_news(struct gb_call *c)
{
    if (c->senders == NULL)
        return;
    PyObject *self = c->self;
    gb_py.Py_IncRef(self);
    run_line(c);
    gb_py.Py_DecRef(self);
}

void gb_senders_drop(struct gb_call *c)
{
    while (c->senders != NULL) {
        say_gone();
        settle_first(c);
    }
}

PyObject *gb_senders_add(struct gb_call *c, PyObject *message, struct gb_outgoing *rest)
{
    if (rest != NULL && !gb_outgoing_keep(rest))
        return NULL;
    PyObject *self = gb_sending_new(c->self);
    if (self == NULL) {
        if (rest != NULL)
            gb_outgoing_drop(rest);
        return NULL;
    }
    struct gb_sending *s = gb_sending_of(self);
    if (rest != NULL) {
        s->rest = *rest;
    } else {
        gb_py.Py_IncRef(message);
        s->message = message;
    }
    append(c, self);
    gb_senders_news(c); // or there would be no news when there is room
    return self;
}
