#include "send.h"

#include <string.h>

#include "layout.h"
#include "loop.h"
#include "message.h"
#include "senders.h"
#include "websocket_message.h"

// An application that sends one piece after the other must let others have their turn: after
// so many bytes it goes through the loop once.
static PyObject *pause(struct gb_call *c)
{
    PyObject *self = gb_sending_new(c->self);
    if (self != NULL)
        gb_sending_of(self)->pauses = true;
    return self;
}

// send(message)
static PyObject *send(PyObject *call, PyObject *message)
{
    struct gb_call *c = gb_python_own(call);
    struct gb_outgoing rest;
    if (c->loop != gb_loop_here())
        return gb_loop_defer(gb_send_function(call), message);
    if (c->senders != NULL)
        return gb_senders_add(c, message, NULL);
    switch (gb_senders_begin(c, message, &rest)) {
    case GB_BEGUN_RAISED:
        return NULL;
    case GB_BEGUN_LEFT:
        c->exchange->burst = 0;
        return gb_senders_add(c, message, &rest);
    case GB_BEGUN_SENT:
        break;
    }
    struct gb_exchange *x = c->exchange;
    if (x != NULL && x->burst >= x->claim.segment->pipe_size) {
        x->burst = 0;
        return pause(c);
    }
    gb_py.Py_IncRef(c->loop->sent);
    return c->loop->sent;
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
    struct gb_outgoing whole = {0};
    return gb_send_page(c, 500, "Internal Server Error\n", &whole.piece) && gb_outgoing_begin(c, &whole) &&
           gb_outgoing_go_on(c->exchange, &whole);
}

bool gb_send_message(const struct gb_call *c, PyObject *message)
{
    PyObject *sent = send(c->self, message);
    gb_py.Py_DecRef(sent);
    return sent != NULL;
}

bool gb_send_prepare(void)
{
    return gb_sending_prepare() && gb_message_prepare() && gb_websocket_message_prepare();
}
