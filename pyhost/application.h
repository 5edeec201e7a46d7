// The application: found and imported by the helper, which also tells its interface.
#ifndef GB_APPLICATION_H
#define GB_APPLICATION_H

#include <stdint.h>

#include "python_api.h"
#include "worker.h"

struct gb_application {
    PyObject *callable;         // owned
    uint32_t interface;         // GB_INTERFACE_*
    const char *interface_name; // "wsgi", "asgi", "asgi2"
};

// Imports what the settings name. The GIL is held. 0, or -1 and gb_failure says why.
int gb_application_load(struct gb_application *a, const struct gb_worker_settings *s);

// Takes the current exception for the failure: its traceback goes to the log, and gb_failure
// says `what`. Returns -1.
int gb_application_raised(const char *what);

#endif
