#include "call.h"

#include <stdarg.h>
#include <string.h>

#include "awaitable.h"
#include "layout.h"
#include "leave.h"
#include "log.h"
#include "loop.h"
#include "receive.h"
#include "scope.h"
#include "send.h"
#include "senders.h"
#include "websocket.h"

static PyTypeObject *type;

static struct gb_call *call_of(PyObject *self)
{
    return gb_python_own(self);
}

// ---- The log.

static void add_bytes(struct gb_log *l, PyObject *bytes, char after)
{
    char *text = "";
    Py_ssize_t size = 0;
    if (bytes == NULL || gb_py.PyBytes_AsStringAndSize(bytes, &text, &size) != 0)
        gb_py.PyErr_Clear();
    gb_log_client(l, (const uint8_t *)text, (size_t)size, after);
}

static bool is_empty(PyObject *bytes)
{
    char *text;
    Py_ssize_t size = 0;
    return bytes == NULL || gb_py.PyBytes_AsStringAndSize(bytes, &text, &size) != 0 || size == 0;
}

__attribute__((format(printf, 3, 0))) static void make_line(const struct gb_call *c, struct gb_log *l,
                                                            const char *format, va_list arguments)
{
    Py_ssize_t size = 0;
    const char *method = c->method != NULL ? gb_py.PyUnicode_AsUTF8AndSize(c->method, &size) : NULL;
    gb_log_begin(l);
    if (c->id != NULL) {
        l->text[l->size++] = '[';
        add_bytes(l, c->id, ']');
        l->text[l->size++] = ' ';
    }
    gb_log_client(l, (const uint8_t *)(method != NULL ? method : ""), (size_t)size, ' ');
    bool query = !is_empty(c->query);
    add_bytes(l, c->raw_path, query ? '?' : ':');
    if (query)
        add_bytes(l, c->query, ':');
    l->text[l->size++] = ' ';
    gb_log_end(l, format, arguments);
}

void gb_call_log(const struct gb_call *c, const char *format, ...)
{
    struct gb_log l;
    va_list arguments;
    va_start(arguments, format);
    make_line(c, &l, format, arguments);
    va_end(arguments);
    gb_log_write(&l);
}

// The same with an exception and its traceback behind it; no exception is set.
__attribute__((format(printf, 3, 4))) static void report(const struct gb_call *c, PyObject *exception,
                                                         const char *format, ...)
{
    struct gb_log l;
    va_list arguments;
    va_start(arguments, format);
    make_line(c, &l, format, arguments);
    va_end(arguments);
    gb_log_report(&l, exception);
}

// ---- The end.

void gb_call_finish(struct gb_call *c, uint32_t outcome)
{
    struct gb_exchange *x = c->exchange;
    if (x == NULL)
        return;
    c->exchange = NULL;
    uint32_t stream = x->claim.stream;
    gb_claim_finish(&x->claim, outcome);
    gb_receive_news(c); // there is nothing to come but http.disconnect
    gb_loop_give_back(c->loop, x);
    gb_loop_forget(c->loop, stream); // its reference to the call, maybe the last
}

static bool is_left(struct gb_call *c)
{
    if (c->exchange != NULL && gb_claim_closed(&c->exchange->claim))
        c->gone = true;
    return c->gone;
}

// Answers with the page that stands in for what the application has not sent, or cuts the
// answer.
static void give_up(struct gb_call *c)
{
    struct gb_exchange *x = c->exchange;
    bool answered = x != NULL && !x->head_sent && !x->amid && !is_left(c) && gb_send_500(c);
    gb_py.PyErr_Clear();
    if (c->exchange != NULL)
        gb_call_finish(c, answered ? GB_FINISHED : GB_ABORTED);
}

// What a middleware does that keeps the response's start until it sees a body, and has no branch
// for files: nothing comes here.
static const char dropped[] = ". If it was to be a file, a middleware may have dropped it: see --pathsend";

void gb_call_settle(struct gb_call *c)
{
    struct gb_exchange *x = c->exchange;
    if (x == NULL || c->senders != NULL)
        return;
    if (gb_websocket_accepted(c) && !is_left(c)) {
        gb_websocket_end(c, GB_CLOSE_NORMAL);
        return;
    }
    if (!is_left(c))
        gb_call_log(c, "the application has returned before %s; %s%s",
                    c->websocket != NULL && !x->started ? "it accepted or refused the WebSocket"
                                                        : "its response was complete",
                    x->head_sent ? "its answer is cut" : "the client gets 500",
                    c->websocket == NULL && !x->started && gb_scope_offers_files(c->loop->scope) ? dropped : "");
    give_up(c);
}

// Has the application only passed on, perhaps in an exception of its own, what it was told:
// that the client is gone?
static bool is_from_leaving(PyObject *exception)
{
    PyObject *is = gb_python_help("is_disconnect", "O", exception);
    bool yes = is != NULL && gb_py.PyObject_IsTrue(is) == 1;
    gb_py.Py_DecRef(is);
    gb_py.PyErr_Clear();
    return yes;
}

// What becomes of a request whose application has failed, for the log.
static const char *what_becomes(struct gb_call *c)
{
    const struct gb_exchange *x = c->exchange;
    if (is_left(c))
        return "its client is gone";
    if (gb_websocket_accepted(c))
        return "its WebSocket is closed";
    if (x == NULL)
        return "its answer was out";
    return x->head_sent ? "its answer is cut" : "the client gets 500";
}

// The application has raised what is set now; nothing is set afterwards. Returns the
// exception, a new reference.
static PyObject *failed(struct gb_call *c)
{
    PyObject *exception = gb_python_take_exception();
    if (c->loop->segment->left) // a process that the application forked, which has no client
        gb_leave_fork(exception);
    if (!(is_left(c) && is_from_leaving(exception)))
        report(c, exception, "the application failed; %s", what_becomes(c));
    if (gb_websocket_accepted(c) && !is_left(c)) {
        gb_websocket_end(c, GB_CLOSE_FAILED);
        return exception;
    }
    gb_senders_drop(c);
    give_up(c);
    return exception;
}

// The application's coroutine has ended: nothing refers to the call any more but its task,
// receive and send.
static void over(struct gb_call *c)
{
    PyObject *arguments = c->arguments, *coroutine = c->coroutine, *task = c->task;
    c->arguments = c->coroutine = c->task = NULL;
    gb_py.Py_DecRef(arguments);
    gb_py.Py_DecRef(coroutine);
    gb_py.Py_DecRef(task);
    gb_loop_remove(c->loop, c);
}

// ---- The coroutine.

enum step { YIELDED, RETURNED, RAISED };

// The application's next step, where PyIter_Send is not there (3.9).
static enum step send_none(PyObject *coroutine, PyObject **yielded)
{
    static PyObject *name;
    if (name == NULL && (name = gb_py.PyUnicode_InternFromString("send")) == NULL)
        return RAISED;
    *yielded = gb_py.PyObject_CallMethodObjArgs(coroutine, name, gb_py._Py_NoneStruct, NULL);
    if (*yielded != NULL)
        return YIELDED;
    if (!gb_py.PyErr_ExceptionMatches(*gb_py.PyExc_StopIteration))
        return RAISED;
    gb_py.PyErr_Clear();
    return RETURNED;
}

static enum step next_step(PyObject *coroutine, PyObject **yielded)
{
    if (gb_py.PyIter_Send == NULL)
        return send_none(coroutine, yielded);
    switch (gb_py.PyIter_Send(coroutine, gb_py._Py_NoneStruct, yielded)) {
    case 1:
        return YIELDED;
    case 0:
        gb_py.Py_DecRef(*yielded);
        *yielded = NULL;
        return RETURNED;
    default:
        return RAISED;
    }
}

// Ends the call by what the step has come to, and the step of the task with it. What the
// application has raised was dealt with and is not the task's, except for its cancellation.
static PyObject *end(struct gb_call *c, enum step step)
{
    PyObject *self = c->self;
    gb_py.Py_IncRef(self);
    if (step == RAISED) {
        bool cancelled = gb_py.PyErr_ExceptionMatches(c->loop->cancelled);
        PyObject *exception = failed(c);
        over(c);
        if (cancelled)
            gb_py.PyErr_SetObject(c->loop->cancelled, exception);
        gb_py.Py_DecRef(exception);
    } else {
        if (c->loop->segment->left)
            gb_leave_fork(NULL);
        over(c);
        gb_call_settle(c);
    }
    gb_py.Py_DecRef(self);
    return NULL;
}

// Calls the application; its coroutine, or what else it may return, is the call's then.
static bool start(struct gb_call *c)
{
    PyObject *arguments = c->arguments;
    c->arguments = NULL;
    PyObject *returned = gb_py.PyObject_Call(c->loop->application, arguments, NULL);
    gb_py.Py_DecRef(arguments);
    if (returned == NULL || gb_python_is_exactly(returned, c->loop->coroutine_type)) {
        c->coroutine = returned;
        return returned != NULL;
    }
    PyObject *method = gb_py.PyObject_GetAttrString(returned, "__await__");
    if (method != NULL) {
        c->coroutine = gb_py.PyObject_CallFunctionObjArgs(method, NULL);
    } else {
        gb_py.PyErr_Clear();
        gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "the application must return an awaitable, not %.200R", returned);
    }
    gb_py.Py_DecRef(method);
    gb_py.Py_DecRef(returned);
    return c->coroutine != NULL;
}

static PyObject *call_step(PyObject *self)
{
    struct gb_call *c = call_of(self);
    PyObject *yielded = NULL;
    if (!gb_loop_is_here(c->loop))
        return NULL;
    if (c->loop->segment->left)
        gb_leave_fork(NULL); // a process that the application forked came back to the server's loop
    if (c->arguments != NULL && !start(c))
        return end(c, RAISED);
    if (c->coroutine == NULL) {
        gb_py.PyErr_SetString(*gb_py.PyExc_RuntimeError, "this request is over");
        return NULL;
    }
    enum step step = next_step(c->coroutine, &yielded);
    if (step != YIELDED)
        return end(c, step);
    if (c->loop->segment->left)
        gb_leave_fork(NULL);
    return yielded;
}

static PyObject *call_send(PyObject *self, PyObject *value)
{
    (void)value; // a task sends None
    return gb_awaitable_send(self, call_step);
}

// Throws into the application; its next step, or its end.
static PyObject *call_throw(PyObject *self, PyObject *arguments)
{
    struct gb_call *c = call_of(self);
    if (!gb_loop_is_here(c->loop))
        return NULL;
    if (c->coroutine == NULL) {
        gb_awaitable_throw(arguments);
        return c->arguments != NULL ? end(c, RAISED) : NULL; // before its begin, or after its end
    }
    PyObject *method = gb_py.PyObject_GetAttrString(c->coroutine, "throw");
    PyObject *yielded = method != NULL ? gb_py.PyObject_Call(method, arguments, NULL) : NULL;
    gb_py.Py_DecRef(method);
    if (yielded != NULL)
        return yielded;
    bool returned = gb_py.PyErr_ExceptionMatches(*gb_py.PyExc_StopIteration);
    if (returned)
        gb_py.PyErr_Clear();
    end(c, returned ? RETURNED : RAISED);
    if (!gb_py.PyErr_Occurred())
        gb_py.PyErr_SetObject(*gb_py.PyExc_StopIteration, gb_py._Py_NoneStruct);
    return NULL;
}

static PyObject *call_close(PyObject *self, PyObject *unused)
{
    struct gb_call *c = call_of(self);
    (void)unused;
    if (!gb_loop_is_here(c->loop))
        return NULL;
    if (c->coroutine == NULL)
        return gb_none();
    PyObject *method = gb_py.PyObject_GetAttrString(c->coroutine, "close");
    PyObject *closed = method != NULL ? gb_py.PyObject_CallFunctionObjArgs(method, NULL) : NULL;
    gb_py.Py_DecRef(method);
    return closed;
}

// For who looks at a task (its stack, its name, its state) in the loop's thread: what the
// application's coroutine says of itself.
static PyObject *call_attribute(PyObject *self, PyObject *name)
{
    struct gb_call *c = call_of(self);
    PyObject *found = gb_py.PyObject_GenericGetAttr(self, name);
    if (found != NULL || c->loop != gb_loop_here() || c->coroutine == NULL ||
        !gb_py.PyErr_ExceptionMatches(*gb_py.PyExc_AttributeError))
        return found;
    gb_py.PyErr_Clear();
    return gb_py.PyObject_GetAttr(c->coroutine, name);
}

static void call_dealloc(PyObject *self)
{
    struct gb_call *c = call_of(self);
    gb_py.Py_DecRef(c->arguments);
    gb_py.Py_DecRef(c->coroutine);
    gb_py.Py_DecRef(c->task);
    gb_py.Py_DecRef(c->method);
    gb_py.Py_DecRef(c->raw_path);
    gb_py.Py_DecRef(c->query);
    gb_websocket_free(c->websocket);
    gb_py.Py_DecRef(c->id);
    gb_python_dealloc(self);
}

bool gb_call_prepare(void)
{
    static PyMethodDef methods[] = {
        {"send", call_send, METH_O, NULL},
        {"throw", call_throw, METH_VARARGS, NULL},
        {"close", call_close, METH_NOARGS, NULL},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, (void *)call_dealloc},
        {Py_tp_getattro, (void *)call_attribute},
        {Py_tp_iter, (void *)gb_awaitable_self},
        {Py_tp_iternext, (void *)call_step},
        {Py_am_await, (void *)gb_awaitable_self},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    type = gb_python_type("gobridge.Call", sizeof(struct gb_call), slots);
    return type != NULL && gb_awaitable_prepare() && gb_receive_prepare() && gb_send_prepare() &&
           gb_websocket_prepare();
}

// ---- The begin.

// The application's arguments, with the call's names for the log.
static bool make_arguments(struct gb_call *c, const uint8_t *variables)
{
    struct gb_claim *claim = &c->exchange->claim;
    PyObject *scope = gb_scope_new(c->loop->scope, claim, variables, c);
    PyObject *receive = gb_receive_function(c->self), *send = gb_send_function(c->self);
    c->arguments = gb_py.PyTuple_New(3);
    if (c->arguments == NULL || scope == NULL || receive == NULL || send == NULL ||
        ((claim->head.flags & GB_REQUEST_WEBSOCKET) && !gb_websocket_begin(c, scope))) {
        gb_py.Py_DecRef(scope);
        gb_py.Py_DecRef(receive);
        gb_py.Py_DecRef(send);
        return false;
    }
    gb_py.PyTuple_SetItem(c->arguments, 0, scope);
    gb_py.PyTuple_SetItem(c->arguments, 1, receive);
    gb_py.PyTuple_SetItem(c->arguments, 2, send);
    return true;
}

void gb_call_begin(struct gb_loop *l, struct gb_exchange *x, const uint8_t *variables)
{
    PyObject *self = gb_py.PyType_GenericAlloc(type, 0);
    if (self == NULL) {
        gb_py.PyErr_WriteUnraisable(NULL);
        gb_claim_finish(&x->claim, GB_ABORTED);
        gb_loop_give_back(l, x);
        return;
    }
    struct gb_call *c = call_of(self);
    *c = (struct gb_call){.self = self, .loop = l, .exchange = x};
    gb_loop_add(l, c);
    if (!make_arguments(c, variables)) {
        end(c, RAISED);
        gb_py.Py_DecRef(self);
        return;
    }
    PyObject *task = gb_loop_task(l, self); // where tasks begin eagerly, it may be over already
    if (task == NULL)
        end(c, RAISED);
    else if (c->arguments != NULL || c->coroutine != NULL)
        c->task = task;
    else
        gb_py.Py_DecRef(task);
    gb_py.Py_DecRef(self);
}
