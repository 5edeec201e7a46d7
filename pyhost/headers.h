// What an application gives as text and as headers, checked on its way into a head.
#ifndef GB_HEADERS_H
#define GB_HEADERS_H

#include "head.h"
#include "request.h"

// A str of Latin-1 characters as bytes (PEP 3333: "native strings").
struct gb_text {
    const char *data;
    size_t size;
    PyObject *owner; // of the bytes; NULL when the str itself has them
};

// Opens str `of`, which is borrowed; `what` names it in the error. False with the exception
// set. gb_text_close releases it, opened or not.
bool gb_text_open(struct gb_text *t, PyObject *of, const char *what);
void gb_text_close(struct gb_text *t);

// Adds a header, a tuple (name, value) that is borrowed, to the head; one that is the
// server's business is left out. False with the exception set.
bool gb_headers_add(struct gb_request *r, struct gb_head *h, PyObject *item);

#endif
