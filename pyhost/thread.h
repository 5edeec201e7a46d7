// Threads of the host's that run Python: request threads and those of event loops.
#ifndef GB_THREAD_H
#define GB_THREAD_H

#include <pthread.h>
#include <stdbool.h>

// Starts one, with a stack as deep as a main thread's; it is to be joined.
bool gb_thread_start(pthread_t *thread, void *(*body)(void *), void *argument);

// Gives the calling thread a name, of which the kernel keeps 15 bytes.
void gb_thread_name(const char *name);

// Makes it one like those that Python starts, under that name. The GIL is held, for the first
// time in this thread.
void gb_thread_introduce(const char *name);

#endif
