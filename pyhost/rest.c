#include "rest.h"

#include "loop.h"
#include "websocket.h"

// How long one must have been still, at least: seconds.
#define STILL 1.0

// So many are given back at a time, each of which takes some microseconds, and the next ones
// some time later: the loop has others to serve.
#define AT_ONCE 32
#define NEXT 0.01 // seconds

// Has the loop look after some seconds.
static void look_after(struct gb_loop *l, double seconds)
{
    PyObject *handle = gb_py.PyObject_CallMethod(l->loop, "call_later", "dO", seconds, l->rest.look);
    l->rest.due = handle != NULL;
    gb_py.Py_DecRef(handle);
    gb_py.PyErr_Clear(); // the next one that writes tries again
}

void gb_rest_note(struct gb_call *c)
{
    struct gb_websocket *w = c->websocket;
    struct gb_rest *r = &c->loop->rest;
    w->stirred = true;
    if (w->wide || !gb_response_is_wide(&c->exchange->claim))
        return;
    w->wide = true;
    gb_py.Py_IncRef(c->self);
    w->next_wide = r->first;
    r->first = c;
    if (!r->due)
        look_after(c->loop, STILL);
}

// Is it of no interest any more? Then it has given back what it had, or has no stream.
static bool is_through(struct gb_call *c)
{
    struct gb_websocket *w = c->websocket;
    if (w->stirred && c->exchange != NULL) {
        w->stirred = false;
        return false;
    }
    return c->exchange == NULL || gb_response_give_back(&c->exchange->claim);
}

// Looks at those that are listed, until some have given back. True if there may be more.
static bool look(struct gb_rest *r)
{
    struct gb_call **at = &r->first;
    unsigned through = 0;
    while (*at != NULL && through < AT_ONCE) {
        struct gb_call *c = *at;
        if (!is_through(c)) {
            at = &c->websocket->next_wide;
            continue;
        }
        *at = c->websocket->next_wide;
        c->websocket->wide = false;
        gb_py.Py_DecRef(c->self);
        through++;
    }
    return through == AT_ONCE;
}

static PyObject *on_time(PyObject *self, PyObject *unused)
{
    struct gb_loop *l = gb_loop_here();
    (void)self, (void)unused;
    l->rest.due = false;
    bool more = look(&l->rest);
    if (l->rest.first != NULL)
        look_after(l, more ? NEXT : STILL);
    return gb_none();
}

bool gb_rest_open(struct gb_rest *r)
{
    static PyMethodDef method = {"look", on_time, METH_NOARGS, NULL};
    r->look = gb_py.PyCFunction_NewEx(&method, NULL, NULL);
    return r->look != NULL;
}
