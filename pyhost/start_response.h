// start_response: the callable with which an application begins its response.
#ifndef GB_START_RESPONSE_H
#define GB_START_RESPONSE_H

#include "request.h"

// Makes the type. False with the exception set.
bool gb_start_response_prepare(void);

// The request's start_response: a new reference, or NULL with the exception set.
PyObject *gb_start_response_new(struct gb_request *r);

// Takes the response's head from a status and a list of headers, in place of what
// was there. False with the exception set.
bool gb_start_response_take(struct gb_request *r, PyObject *status, PyObject *headers);

#endif
