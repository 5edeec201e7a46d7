// wsgi.input: the request's body, read from the pipe as it arrives.
#ifndef GB_INPUT_H
#define GB_INPUT_H

#include "request.h"

// Makes the type. False with the exception set.
bool gb_input_prepare(void);

// The request's wsgi.input: a new reference, or NULL with the exception set.
PyObject *gb_input_new(struct gb_request *r);

#endif
