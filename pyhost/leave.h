// The end of a worker that has drained. CPython is not finalized: that can hang on
// threads and frees nothing that the end of the process would not.
#ifndef GB_LEAVE_H
#define GB_LEAVE_H

#include "python_api.h"

// Joins the application's threads, runs its exit handlers, flushes its output and
// ends the process with code 0. The GIL is held. It takes as long as the
// application takes: the front has the deadline.
_Noreturn void gb_leave(void);

// Ends a process that the application has forked in a request and that came back from
// it, instead of exiting: with 0, or as Python does that ends by this exception, which
// may be NULL. The GIL is held.
_Noreturn void gb_leave_fork(PyObject *exception);

// Flushes sys.stdout, sys.stderr and C's own streams. The GIL is held.
void gb_leave_flush(void);

#endif
