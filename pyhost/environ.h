// environ (PEP 3333): a fresh dict for each request, from a template and the
// variables of the request's head, which the front has named as environ names them.
#ifndef GB_ENVIRON_H
#define GB_ENVIRON_H

#include "request.h"
#include "worker.h"

// Makes the template. False with the exception set.
bool gb_environ_prepare(const struct gb_worker_settings *s);

// The request's environ with `input` as wsgi.input; a new reference, or NULL with
// the exception set.
PyObject *gb_environ_new(struct gb_request *r, PyObject *input);

#endif
