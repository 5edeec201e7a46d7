// One call of an ASGI application: for one request, from its claim until both the response
// is out and the application has returned.
//
// The call is a Python object, gobridge.Call, and the coroutine of the request's task: it
// passes each step on to the coroutine that the application has returned, and so learns at
// once how that ends. receive and send are functions bound to it.
#ifndef GB_CALL_H
#define GB_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "claim.h"
#include "head.h"
#include "python_api.h"

struct gb_loop;
struct gb_websocket;

// What a call needs as long as it has a stream. Their memory goes from one to the next.
struct gb_exchange {
    struct gb_claim claim;
    struct gb_head head;
    struct gb_head extra; // early hints before it, trailers behind the body
    bool started;         // http.response.start came
    bool trailers;        // and announced that trailers follow the body
    bool body_begun;      // a piece of the body came
    bool body_over;       // the last piece came; only trailers may follow
    bool head_sent;       // the head is in the pipe, with a piece of the body
    bool amid;            // it is not, but a part of early hints
    uint64_t body_sent;   // bytes of the body that are in the pipe, or on their way there
    size_t burst;         // bytes moved since the application last waited for anything here
    struct gb_exchange *next;
};

struct gb_call {
    PyObject *self; // borrowed: the object that this lies in
    struct gb_loop *loop;
    struct gb_exchange *exchange;        // NULL: the stream is given back
    PyObject *arguments;                 // scope, receive, send; NULL once the application was called
    PyObject *coroutine;                 // what it returned; NULL before, and when that has ended
    PyObject *task;                      // NULL when it has ended
    PyObject *method, *raw_path, *query; // for the log
    struct gb_websocket *websocket;      // owned; NULL: it is an HTTP request's
    PyObject *id;                        // likewise: bytes; NULL: the request has none
    PyObject *readers;                   // gobridge.Receive that wait, each with the next one
    PyObject *senders, *last_sender;     // gobridge.Send that wait, in their order; the second is borrowed
    bool body_over;                      // the last http.request was returned
    bool complete;                       // the response is out
    bool gone;                           // the client is
    bool alive;                          // its application has not returned
    struct gb_call *older, *newer;       // those whose application has not returned
};

// Makes the types. False with the exception set.
bool gb_call_prepare(void);

// Calls the application for a request that was claimed; x is the call's. What fails is
// logged. The GIL is held.
void gb_call_begin(struct gb_loop *l, struct gb_exchange *x, const uint8_t *variables);

// Gives the stream back; outcome: GB_FINISHED or GB_ABORTED. Who waits is woken.
void gb_call_finish(struct gb_call *c, uint32_t outcome);

// What is still to be done for a call whose application has returned, when nothing that it
// has sent waits any more.
void gb_call_settle(struct gb_call *c);

// Writes one line about the request to standard error.
__attribute__((format(printf, 2, 3))) void gb_call_log(const struct gb_call *c, const char *format, ...);

#endif
