// The guard of a template's import: a thread that ends the process when its control socket
// does, or asks for that; an application that hangs in its import could not. It touches
// Python only when the front asks where the import is. It is gone before the template forks.
#ifndef GB_GUARD_H
#define GB_GUARD_H

// NULL, or why it cannot be started.
const char *gb_guard_start(int control);

// Returns when the thread has ended. The GIL is held, and given up meanwhile.
void gb_guard_stop(void);

// In a child that the application has forked: closes what is the guard's.
void gb_guard_left(void);

#endif
