#include "receive.h"

#include "awaitable.h"
#include "loop.h"
#include "websocket.h"

static PyTypeObject *type;

// What receive() returns: gobridge.Receive.
struct gb_receive {
    const struct gb_loop *loop;
    PyObject *call; // owned; NULL: it has returned, or was closed
    struct gb_waiting waiting;
    PyObject *next; // owned: another one that waits, while this one does
};

static struct gb_receive *receive_of(PyObject *self)
{
    return gb_python_own(self);
}

// ---- The messages: copied for each use, because the application may change them.

static struct {
    PyObject *disconnect; // {"type": "http.disconnect"}
    PyObject *empty;      // {"type": "http.request", "body": b"", "more_body": False}
    PyObject *yes, *no;
} made;

#define KEYS(X) X(body) X(more_body)
GB_NAMES(key, KEYS);

PyObject *gb_receive_event(const char *kind)
{
    PyObject *message = gb_py.PyDict_New(), *text = gb_py.PyUnicode_InternFromString(kind);
    bool done = message != NULL && text != NULL && gb_py.PyDict_SetItemString(message, "type", text) == 0;
    gb_py.Py_DecRef(text);
    if (done)
        return message;
    gb_py.Py_DecRef(message);
    return NULL;
}

static bool make_messages(void)
{
    PyObject *nothing = gb_py.PyBytes_FromStringAndSize("", 0);
    made.yes = gb_py.PyBool_FromLong(1);
    made.no = gb_py.PyBool_FromLong(0);
    made.disconnect = gb_receive_event("http.disconnect");
    made.empty = gb_receive_event("http.request");
    bool done = nothing != NULL && GB_MAKE_NAMES(key) && made.disconnect != NULL && made.empty != NULL &&
                gb_py.PyDict_SetItem(made.empty, key.body, nothing) == 0 &&
                gb_py.PyDict_SetItem(made.empty, key.more_body, made.no) == 0;
    gb_py.Py_DecRef(nothing);
    return done;
}

// An http.request; takes over the reference to the body, NULL: an exception is set.
static PyObject *request_of(PyObject *body, bool more)
{
    PyObject *message = body != NULL ? gb_py.PyDict_Copy(made.empty) : NULL;
    bool done = message != NULL && gb_py.PyDict_SetItem(message, key.body, body) == 0 &&
                (!more || gb_py.PyDict_SetItem(message, key.more_body, made.yes) == 0);
    gb_py.Py_DecRef(body);
    if (done)
        return message;
    gb_py.Py_DecRef(message);
    return NULL;
}

// ---- What there is now.

// The bytes that have come; there is at least one.
static PyObject *take_bytes(struct gb_exchange *x)
{
    uint32_t used;
    char *data;
    Py_ssize_t size;
    struct gb_claim *claim = &x->claim;
    if (!gb_reader_used(&claim->request, &used))
        used = 0; // the claim notices it, too
    if (used > claim->body_left)
        used = (uint32_t)claim->body_left;
    PyObject *bytes = gb_py.PyBytes_FromStringAndSize(NULL, used);
    if (bytes == NULL || gb_py.PyBytes_AsStringAndSize(bytes, &data, &size) != 0)
        return bytes;
    if (gb_request_try(claim, data, used) < used) {
        gb_py.Py_DecRef(bytes);
        gb_py.PyErr_SetString(*gb_py.PyExc_ConnectionResetError, "the request's body makes no sense");
        return NULL;
    }
    x->burst += used;
    return bytes;
}

// The next message: a new reference. NULL: an exception is set, or there is none yet.
static PyObject *next_message(struct gb_call *c)
{
    struct gb_exchange *x = c->exchange;
    if (c->websocket != NULL)
        return gb_websocket_next(c);
    if (x != NULL && gb_claim_closed(&x->claim))
        c->gone = true;
    if (x == NULL || c->gone)
        return gb_py.PyDict_Copy(made.disconnect);
    switch (c->body_over ? gb_client_watch(&x->claim) : gb_request_watch(&x->claim)) {
    case GB_READY: {
        PyObject *bytes = take_bytes(x);
        c->body_over = bytes != NULL && gb_request_over(&x->claim);
        return request_of(bytes, !c->body_over);
    }
    case GB_END:
        c->body_over = true;
        return gb_py.PyDict_Copy(made.empty);
    case GB_GONE:
        return gb_py.PyDict_Copy(made.disconnect);
    default:
        return NULL;
    }
}

// ---- Those that wait.

// Behind the others: who waits longer is served first.
static void enlist(struct gb_call *c, PyObject *self)
{
    PyObject **at = &c->readers;
    while (*at != NULL)
        at = &receive_of(*at)->next;
    *at = self;
    gb_py.Py_IncRef(self);
}

static void unlist(struct gb_call *c, PyObject *self)
{
    PyObject **at = &c->readers;
    while (*at != NULL && *at != self)
        at = &receive_of(*at)->next;
    if (*at == NULL)
        return;
    *at = receive_of(self)->next;
    receive_of(self)->next = NULL;
    gb_py.Py_DecRef(self);
}

void gb_receive_news(struct gb_call *c)
{
    PyObject *reader = c->readers;
    if (reader == NULL || (c->websocket != NULL && !gb_websocket_ready(c)))
        return;
    c->readers = NULL;
    while (reader != NULL) {
        PyObject *next = receive_of(reader)->next;
        receive_of(reader)->next = NULL;
        gb_waiting_wake(&receive_of(reader)->waiting);
        gb_py.Py_DecRef(reader);
        reader = next;
    }
}

// ---- The awaitable.

// It is awaited no more: returned, raised, closed.
static void end(PyObject *self)
{
    struct gb_receive *r = receive_of(self);
    PyObject *call = r->call;
    if (call == NULL)
        return;
    r->call = NULL;
    unlist(gb_python_own(call), self);
    gb_waiting_drop(&r->waiting);
    gb_py.Py_DecRef(call);
}

// An application that takes one piece after the other must let others have their turn: after
// so many bytes it goes through the loop once. True if it is to.
static bool must_pause(struct gb_exchange *x)
{
    if (x == NULL || x->burst < x->claim.segment->pipe_size)
        return false;
    x->burst = 0;
    return true;
}

static PyObject *wait(PyObject *self, struct gb_call *c)
{
    struct gb_receive *r = receive_of(self);
    if (c->exchange != NULL)
        c->exchange->burst = 0;
    if (!gb_waiting_begin(&r->waiting, c->loop->loop))
        return NULL;
    enlist(c, self);
    return gb_waiting_step(&r->waiting);
}

static PyObject *receive_step(PyObject *self)
{
    struct gb_receive *r = receive_of(self);
    if (!gb_loop_is_here(r->loop))
        return NULL;
    if (r->call == NULL) {
        gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError, "a receive() that has returned is awaited again");
        return NULL;
    }
    struct gb_call *c = gb_python_own(r->call);
    PyObject *yielded = NULL;
    if (r->waiting.iterator != NULL && (yielded = gb_waiting_step(&r->waiting)) != NULL)
        return yielded;
    if (gb_py.PyErr_Occurred() == NULL) {
        if (must_pause(c->exchange))
            return gb_none();
        PyObject *message = next_message(c);
        if (message != NULL) {
            end(self);
            return gb_awaitable_return(message);
        }
        if (gb_py.PyErr_Occurred() == NULL && (yielded = wait(self, c)) != NULL)
            return yielded;
    }
    end(self);
    return NULL;
}

static PyObject *receive_send(PyObject *self, PyObject *value)
{
    (void)value;
    return gb_awaitable_send(self, receive_step);
}

static PyObject *receive_throw(PyObject *self, PyObject *arguments)
{
    if (!gb_loop_is_here(receive_of(self)->loop))
        return NULL;
    end(self);
    gb_awaitable_throw(arguments);
    return NULL;
}

static PyObject *receive_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (!gb_loop_is_here(receive_of(self)->loop))
        return NULL;
    end(self);
    return gb_none();
}

static void receive_dealloc(PyObject *self)
{
    struct gb_receive *r = receive_of(self);
    gb_waiting_drop(&r->waiting);
    gb_py.Py_DecRef(r->call); // nobody lists it: a list has a reference
    gb_python_dealloc(self);
}

// receive()
static PyObject *receive(PyObject *call, PyObject *unused)
{
    const struct gb_loop *l = ((const struct gb_call *)gb_python_own(call))->loop;
    (void)unused;
    if (l != gb_loop_here())
        return gb_loop_defer(gb_receive_function(call), NULL);
    PyObject *self = gb_py.PyType_GenericAlloc(type, 0);
    if (self == NULL)
        return NULL;
    gb_py.Py_IncRef(call);
    *receive_of(self) = (struct gb_receive){.loop = l, .call = call};
    return self;
}

PyObject *gb_receive_function(PyObject *call)
{
    static PyMethodDef method = {"receive", receive, METH_NOARGS, "receive(): the next event of this request"};
    return gb_py.PyCFunction_NewEx(&method, call, NULL);
}

bool gb_receive_prepare(void)
{
    static PyMethodDef methods[] = {
        {"send", receive_send, METH_O, NULL},
        {"throw", receive_throw, METH_VARARGS, NULL},
        {"close", receive_close, METH_NOARGS, NULL},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, (void *)receive_dealloc},
        {Py_tp_iter, (void *)gb_awaitable_self},
        {Py_tp_iternext, (void *)receive_step},
        {Py_am_await, (void *)gb_awaitable_self},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    type = gb_python_type("gobridge.Receive", sizeof(struct gb_receive), slots);
    return type != NULL && make_messages();
}
