// wsgi.file_wrapper: which of its instances can be sent by a descriptor.
#ifndef GB_WRAPPER_H
#define GB_WRAPPER_H

#include <stdbool.h>

#include "layout.h"
#include "python_api.h"

// Takes the type from the helper. False with the exception set.
bool gb_wrapper_prepare(void);

// The type: a new reference.
PyObject *gb_wrapper_type(void);

enum gb_wrapped {
    GB_IS_NONE, // something else, or its file's bytes can only be had by reading it
    GB_IS_FILE,
    GB_FAILED, // an exception is set
};

// Is this an instance, of a regular file? Then *piece is what is left of it from its
// position on, and *fd its descriptor, which stays the file's own.
enum gb_wrapped gb_wrapper_file(PyObject *returned, int *fd, struct gb_file *piece);

#endif
