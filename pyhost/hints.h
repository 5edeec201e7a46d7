// wsgi.early_hints: what a client can use before the response is made (RFC 8297).
#ifndef GB_HINTS_H
#define GB_HINTS_H

#include "python_api.h"

// Makes the one callable that all requests share: a new reference, or NULL with the
// exception set.
PyObject *gb_hints_new(void);

#endif
