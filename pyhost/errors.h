// wsgi.errors: a text stream to the server's standard error.
#ifndef GB_ERRORS_H
#define GB_ERRORS_H

#include "request.h"

// Makes the one stream that all requests share: a new reference, or NULL with the
// exception set.
PyObject *gb_errors_new(void);

// Writes the line that the request has begun and not ended, if there is one. It
// releases the GIL while it writes.
void gb_errors_end(struct gb_request *r);

#endif
