#include "response.h"

#include <inttypes.h>
#include <string.h>

#include "file.h"
#include "leave.h"
#include "start_response.h"
#include "wrapper.h"

// ---- Pieces.

static bool started(struct gb_request *r)
{
    if (r->started)
        return true;
    gb_py.PyErr_SetString(*gb_py.PyExc_AssertionError,
                          "the application sends a body before it has called start_response");
    return false;
}

// How many bytes of a piece may be sent: none where there is no body, no more than
// were announced.
static size_t allowed(struct gb_request *r, size_t size)
{
    if (gb_request_bodiless(r))
        return 0;
    if (r->head.body_length == GB_LENGTH_UNKNOWN || size <= r->head.body_length - r->body_sent)
        return size;
    if (!r->too_long)
        gb_request_log(r, "the body is longer than its Content-Length of %" PRIu64 " bytes: it is cut there",
                       r->head.body_length);
    r->too_long = true;
    return r->head.body_length - r->body_sent;
}

static enum gb_sent send_bytes(struct gb_request *r, const char *data, size_t size, bool last)
{
    size = allowed(r, size);
    r->body_sent += size;
    do { // a record's size has 32 bits
        size_t n = size > (1u << 30) ? 1u << 30 : size;
        enum gb_sent sent = n > 0 || !r->head_sent ? gb_records_body(r, data, n, last && n == size) : GB_SENT;
        if (sent != GB_SENT)
            return sent;
        data += n;
        size -= n;
    } while (size > 0);
    return GB_SENT;
}

// The bytes of a piece; false with the exception set.
static bool bytes_of(PyObject *piece, char **data, Py_ssize_t *size)
{
    if (gb_py.PyObject_IsInstance(piece, gb_py.PyBytes_Type) == 1)
        return gb_py.PyBytes_AsStringAndSize(piece, data, size) == 0;
    gb_py.PyErr_Format(*gb_py.PyExc_TypeError, "a piece of the body must be bytes, not %.200R", piece);
    return false;
}

enum gb_sent gb_response_piece(struct gb_request *r, PyObject *piece, bool last)
{
    char *data;
    Py_ssize_t size;
    if (!bytes_of(piece, &data, &size))
        return GB_RAISED;
    if (size == 0 && !last) // an empty piece leaves it open what start_response is called with
        return GB_SENT;
    if (!started(r))
        return GB_RAISED;
    return send_bytes(r, data, (size_t)size, last);
}

// ---- What the application returned.

// A list or tuple of one piece: its length is known, and nothing has to be closed. A
// new reference, or NULL if it is something else.
static PyObject *only_piece(PyObject *returned)
{
    PyObject *kind = gb_py.PyObject_Type(returned), *piece = NULL;
    if (kind == gb_py.PyList_Type && gb_py.PyList_Size(returned) == 1) {
        if ((piece = gb_python_list_item(returned, 0)) == NULL)
            gb_py.PyErr_Clear(); // a thread has just emptied it
    } else if (kind == gb_py.PyTuple_Type && gb_py.PyTuple_Size(returned) == 1) {
        piece = gb_py.PyTuple_GetItem(returned, 0);
        gb_py.Py_IncRef(piece);
    }
    gb_py.Py_DecRef(kind);
    return piece;
}

// Could what the application returned be a body? False with the exception set for the
// usual mistakes, which iterating would name less well.
static bool may_be_body(PyObject *returned)
{
    if (returned != gb_py._Py_NoneStruct && gb_py.PyObject_IsInstance(returned, gb_py.PyUnicode_Type) != 1 &&
        gb_py.PyObject_IsInstance(returned, gb_py.PyBytes_Type) != 1)
        return true;
    gb_py.PyErr_Format(*gb_py.PyExc_TypeError,
                       "the application must return an iterable of bytes, like [b\"hello\"], not %.200R", returned);
    return false;
}

// Says the body's length when the application has not.
static bool announce(struct gb_request *r, size_t size)
{
    return r->head_sent || gb_head_announce(&r->head, r->claim->head.flags, size);
}

// Calls `send_what` inside GB_SENDING, as the request's own thread does it: write() has
// entered before it comes here.
static enum gb_sent inside(struct gb_request *r, enum gb_sent (*send_what)(struct gb_request *, PyObject *),
                           PyObject *piece)
{
    if (!gb_request_enter(r, GB_SENDING))
        return GB_RAISED;
    enum gb_sent sent = send_what(r, piece);
    gb_request_leave(r, GB_SENDING);
    return sent;
}

static enum gb_sent send_next(struct gb_request *r, PyObject *piece)
{
    return gb_response_piece(r, piece, false);
}

static enum gb_sent send_only(struct gb_request *r, PyObject *piece)
{
    char *data;
    Py_ssize_t size;
    if (!bytes_of(piece, &data, &size) || !started(r) || !announce(r, (size_t)size))
        return GB_RAISED;
    return gb_response_piece(r, piece, true);
}

// An iterator over what the application returned: a new reference, or NULL with the exception
// set. What can be called, but not iterated over, is most likely an application itself, and what
// was called should have made it once: a factory whose arguments all have defaults.
static PyObject *iterator_of(PyObject *returned)
{
    PyObject *iterator = gb_py.PyObject_GetIter(returned);
    if (iterator != NULL || !gb_py.PyCallable_Check(returned))
        return iterator;
    PyObject *type, *value, *traceback;
    gb_py.PyErr_Fetch(&type, &value, &traceback);
    PyObject *method = gb_py.PyObject_GetAttrString(returned, "__iter__");
    if (method == NULL) {
        gb_py.PyErr_Format(
            *gb_py.PyExc_TypeError,
            "the application must return an iterable of bytes, not %.200R, which can be called: if that is "
            "the application, name with its call what makes it, like create_app()",
            returned);
        gb_py.Py_DecRef(type);
        gb_py.Py_DecRef(value);
        gb_py.Py_DecRef(traceback);
    } else { // which has raised it
        gb_py.PyErr_Restore(type, value, traceback);
    }
    gb_py.Py_DecRef(method);
    return NULL;
}

// Sends the pieces one after the other, each before the next one is asked for.
static enum gb_sent send_each(struct gb_request *r, PyObject *returned)
{
    PyObject *iterator = iterator_of(returned), *piece;
    enum gb_sent sent = iterator != NULL ? GB_SENT : GB_RAISED;
    while (sent == GB_SENT && !r->too_long && !(r->head_sent && gb_request_bodiless(r))) {
        if ((piece = gb_py.PyIter_Next(iterator)) == NULL) {
            sent = gb_py.PyErr_Occurred() ? GB_RAISED : GB_SENT;
            break;
        }
        sent = inside(r, send_next, piece);
        gb_py.Py_DecRef(piece);
        if (sent == GB_SENT && gb_claim_closed(r->claim)) {
            r->gone = true;
            sent = GB_CLIENT_GONE;
        }
    }
    gb_py.Py_DecRef(iterator);
    return sent;
}

// Calls close(), if there is one. What it raises is only reported: the response is
// out, or has failed for another reason. An exception that is set stays set.
static void close_returned(struct gb_request *r, PyObject *returned)
{
    PyObject *type, *value, *traceback;
    gb_py.PyErr_Fetch(&type, &value, &traceback);
    PyObject *method = gb_py.PyObject_GetAttrString(returned, "close"), *result = NULL;
    if (method == NULL)
        gb_py.PyErr_Clear();
    else
        result = gb_py.PyObject_CallFunctionObjArgs(method, NULL);
    if (method != NULL && result == NULL) {
        PyObject *exception = gb_python_take_exception();
        gb_request_report(r, exception, "close() of what the application returned failed");
        gb_py.Py_DecRef(exception);
    }
    gb_py.Py_DecRef(method);
    gb_py.Py_DecRef(result);
    gb_py.PyErr_Restore(type, value, traceback);
}

// Sends the head if nothing has caused that yet: the body was empty.
static enum gb_sent end_empty(struct gb_request *r, PyObject *none)
{
    (void)none;
    if (r->head_sent)
        return GB_SENT;
    if (!r->started) {
        gb_py.PyErr_SetString(*gb_py.PyExc_AssertionError, "the application returned without calling start_response");
        return GB_RAISED;
    }
    if (!announce(r, 0))
        return GB_RAISED;
    return send_bytes(r, "", 0, false);
}

// Gives the front a file's descriptor, without the GIL.
static bool passed(struct gb_request *r, int fd)
{
    PyThreadState *state = gb_py.PyEval_SaveThread();
    bool done = gb_file_pass(r->claim, fd);
    gb_py.PyEval_RestoreThread(state);
    return done;
}

// Sends a file by its descriptor. False: nothing was sent, it is to be iterated. What fits
// into the pipe is copied in less time than a descriptor takes, and holds nobody up.
static bool send_piece(struct gb_request *r, int fd, struct gb_file piece, enum gb_sent *sent)
{
    if (r->head.body_length != GB_LENGTH_UNKNOWN && piece.length > r->head.body_length - r->body_sent)
        piece.length = r->head.body_length - r->body_sent;
    bool bodiless = gb_request_bodiless(r);
    if (!r->started || piece.length < r->claim->segment->pipe_size || (!bodiless && !passed(r, fd)))
        return false;
    if (!announce(r, piece.length))
        *sent = GB_RAISED;
    else if (bodiless)
        *sent = send_bytes(r, "", 0, false);
    else
        *sent = gb_records_file(r, &piece);
    if (!bodiless)
        r->body_sent += piece.length;
    return true;
}

// The same for what the application returned.
static bool send_file(struct gb_request *r, PyObject *returned, enum gb_sent *sent)
{
    int fd;
    struct gb_file piece;
    enum gb_wrapped found = gb_wrapper_file(returned, &fd, &piece);
    *sent = GB_RAISED;
    if (found != GB_IS_FILE)
        return found == GB_FAILED;
    if (!gb_request_enter(r, GB_SENDING))
        return true;
    bool done = send_piece(r, fd, piece, sent);
    gb_request_leave(r, GB_SENDING);
    return done;
}

static enum gb_sent send_returned(struct gb_request *r, PyObject *returned)
{
    PyObject *piece = r->head_sent ? NULL : only_piece(returned);
    if (piece != NULL) {
        enum gb_sent sent = inside(r, send_only, piece);
        gb_py.Py_DecRef(piece);
        return sent;
    }
    if (!may_be_body(returned))
        return GB_RAISED;
    enum gb_sent sent;
    if (!send_file(r, returned, &sent))
        sent = send_each(r, returned);
    if (sent == GB_SENT)
        sent = inside(r, end_empty, NULL);
    close_returned(r, returned);
    return sent;
}

// ---- Failures.

static bool is_client_gone(const struct gb_request *r)
{
    return (r->gone || gb_claim_closed(r->claim)) && gb_py.PyErr_ExceptionMatches(*gb_py.PyExc_OSError);
}

// The page that stands in for what is not out yet.
static enum gb_sent send_500(struct gb_request *r, PyObject *none)
{
    static const char page[] = "Internal Server Error\n";
    (void)none;
    if (r->head_sent) // by a thread of the application, since its own thread has looked
        return GB_RAISED;
    gb_head_reset(&r->head);
    r->head.status = 500;
    r->body_sent = 0;
    if (gb_bytes_add(&r->head.reason, "Internal Server Error", 21) &&
        gb_head_line(&r->head, "Content-Type", "text/plain; charset=utf-8", 25) && announce(r, sizeof page - 1))
        return send_bytes(r, page, sizeof page - 1, true);
    return GB_RAISED;
}

// Logs the exception, and answers 500 if nothing is out yet.
static uint32_t failed(struct gb_request *r)
{
    if (r->claim->segment->left) // a process that the application forked, which has no client
        gb_leave_fork(gb_python_take_exception());
    if (is_client_gone(r)) { // the application has only passed on what it was told
        gb_py.PyErr_Clear();
        return GB_ABORTED;
    }
    PyObject *exception = gb_python_take_exception();
    gb_request_report(r, exception, "the application failed; %s",
                      r->head_sent ? "its answer is cut" : "the client gets 500");
    gb_py.Py_DecRef(exception);
    if (!r->head_sent && inside(r, send_500, NULL) == GB_SENT)
        return GB_FINISHED;
    gb_py.PyErr_Clear();
    return GB_ABORTED;
}

uint32_t gb_response_run(struct gb_request *r, PyObject *returned)
{
    switch (returned != NULL ? send_returned(r, returned) : GB_RAISED) {
    case GB_RAISED:
        return failed(r);
    case GB_CLIENT_GONE:
        return GB_ABORTED;
    case GB_SENT:
        break;
    }
    if (r->head.body_length == GB_LENGTH_UNKNOWN || r->body_sent == r->head.body_length || gb_request_bodiless(r))
        return GB_FINISHED;
    gb_request_log(r, "the body ended after %" PRIu64 " of the %" PRIu64 " bytes that Content-Length had announced",
                   r->body_sent, r->head.body_length);
    return GB_ABORTED;
}
