// WebSockets at rest: of the many that are open few say something at a time. What one has used
// of its response pipe beyond the first page is given back to the system when it has been still
// for a while. The request pipe is the front's to give back.
//
// The GIL is held in all of these.
#ifndef GB_REST_H
#define GB_REST_H

#include "call.h"

// Those that have pages to give back; a loop has one.
struct gb_rest {
    struct gb_call *first; // each with a reference
    bool due;              // the loop will look
    PyObject *look;        // what it calls then
};

// False with the exception set.
bool gb_rest_open(struct gb_rest *r);

// Something was written for a WebSocket.
void gb_rest_note(struct gb_call *c);

#endif
