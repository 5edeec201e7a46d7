// How CPython comes up in a zygote, in either host.
#ifndef GB_START_H
#define GB_START_H

#include <stdbool.h>
#include <stddef.h>

// Starts the CPython of `library` (embedded host), or finds the one that runs this
// process already (`library` is empty: interpreter host), and fills gb_py. The GIL
// is held then. False: *error says why.
bool gb_start_python(const char *library, const char *program, char *error, size_t size);

#endif
