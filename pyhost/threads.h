// The other threads of this process, as the kernel has them: libraries start theirs
// without telling Python.
#ifndef GB_THREADS_H
#define GB_THREADS_H

#include <stddef.h>

struct gb_threads {
    size_t size;
    char lines[4096]; // "id name\n" of each; those that find no room are left out
};

// Looks who is there, but for the caller and those that are ending: a thread that was
// joined is in the list for a moment longer. Without /proc there is a line that says so.
// Any thread may call it; it needs no Python.
void gb_threads_look(struct gb_threads *t);

#endif
