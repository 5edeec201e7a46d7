// Forks of the host's own, as zygote and template make them: twice, so that what is
// born is not a child of this process but the front's.
#ifndef GB_SPAWN_H
#define GB_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "control.h"

// What a forked process lives as; it does not return. The GIL is held, HELLO is said and
// Python's hooks after a fork have run; it dies with the front. `own` is its end of its control
// socket, `request` what was asked for, without descriptors.
typedef void gb_life(int own, const struct gb_packet *request);

// Forks a process that lives `life`, as the front has asked in a packet that brings the
// socket for it, and answers on `control`, which the new process does not have. The GIL
// is held.
void gb_spawn(int control, struct gb_packet *request, gb_life *life);

// fork() with Python's hooks around it in the parent; the child calls gb_fork_born for its
// own when it is to run Python. The GIL is held, in both. -1: errno says why.
pid_t gb_fork(void);

// Has the kernel kill this process when its parent dies, or not any more: while nobody
// watches the control socket, because Python's hooks or the import may hang. It counts for
// the calling thread, and no child inherits it.
void gb_die_with_parent(bool die);

// Runs Python's hooks in a child of gb_fork, or of that child's. They are the application's
// and its libraries', too, and can hang. The GIL is held.
void gb_fork_born(void);

// In a fork's handlers (pthread_atfork): is it the host's own fork, not the application's?
bool gb_fork_is_ours(void);

#endif
