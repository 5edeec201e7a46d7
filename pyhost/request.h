// One WSGI request as its thread sees it, and what the thread keeps from one
// request to the next.
#ifndef GB_REQUEST_H
#define GB_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "claim.h"
#include "head.h"
#include "keys.h"
#include "python_api.h"

// There is one for each request thread, for the process's whole life: objects that
// outlive their request (wsgi.input, start_response) point here.
struct gb_request {
    struct gb_claim *claim;
    _Atomic uint64_t serial; // of the request that runs; grows at its beginning and at its end
    const uint8_t *variables;

    _Atomic uint64_t inside[2]; // by enum gb_side: the serial with which a thread is inside; 0: nobody is

    struct gb_head head;   // of the response, as start_response made it
    bool started;          // start_response was called
    atomic_bool head_sent; // and its head is in the pipe; the request's own thread looks without being inside
    atomic_bool gone;      // the client has left; both sides find out

    _Atomic uint64_t body_sent; // bytes of the body that are in the pipe; looked at like head_sent
    atomic_bool too_long;       // the application has sent more than it announced

    struct gb_bytes out;   // records, put together
    struct gb_bytes ahead; // body bytes that readline has read and not returned
    size_t ahead_at;       // the first of them
    struct gb_bytes taken; // what a read returns, while it is put together

    struct gb_bytes errors; // a line for wsgi.errors that is not ended yet
    bool errors_amid;       // and its begin was written already

    struct gb_keys keys; // names of variables as Python strings, each with its last value

    struct gb_request *older; // another thread's
};

// This thread's; NULL without memory, with the exception set.
struct gb_request *gb_request_here(void);

// This thread's, or NULL if it has never served a request.
struct gb_request *gb_request_of_thread(void);

// Reads the head of a claimed request, as gb_claim_head does; the GIL is held, and given up
// if the head is not there whole.
int gb_request_head(struct gb_claim *c, uint8_t **variables);

// An object of a request knows the request by its serial.
struct gb_handle {
    struct gb_request *request;
    uint64_t serial;
};

// Makes an instance of a type whose own bytes are a gb_handle; a new reference.
PyObject *gb_handle_new(PyTypeObject *type, struct gb_request *r);

// The sides of a request: its body, which is read, and its response, which is sent. An
// application may hand wsgi.input or write() to a thread of its own, but only one
// thread at a time is inside a side.
enum gb_side { GB_READING, GB_SENDING };

// Takes a side of the request that runs, for its own thread. False with RuntimeError
// set: a thread is inside already, or this one, and has been interrupted by a signal
// handler.
bool gb_request_enter(struct gb_request *r, enum gb_side side);
void gb_request_leave(struct gb_request *r, enum gb_side side);

// Does the same for the request of an instance; NULL with the exception set if that
// is over.
struct gb_request *gb_handle_enter(PyObject *instance, enum gb_side side);

// Writes one line about the request to standard error.
__attribute__((format(printf, 2, 3))) void gb_request_log(const struct gb_request *r, const char *format, ...);

// Writes such a line with the exception and its traceback behind it; no exception is set.
__attribute__((format(printf, 3, 4))) void gb_request_report(const struct gb_request *r, PyObject *exception,
                                                             const char *format, ...);

// The request's id, which is the request's; NULL if it has none, or is over.
const uint8_t *gb_request_id(const struct gb_request *r, size_t *size);

// Does this method or status have no response body?
bool gb_request_bodiless(const struct gb_request *r);

#endif
