// SIGTERM, SIGINT, SIGHUP and SIGQUIT: they are for the front to act on, but reach the
// whole group or cgroup. Zygote and workers hold handlers that do nothing (not
// SIG_IGN, which the application's own children would inherit through exec).
#ifndef GB_SIGNALS_H
#define GB_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

// What the host sends its own main thread (drain.h).
#define GB_DRAIN_SIGNAL (SIGRTMAX - 1)

// Keeps them pending until *before is set again; the second, all that there are.
void gb_signals_block(sigset_t *before);
void gb_signals_block_all(sigset_t *before);

// Holds them and ignores SIGPIPE; remembers what was there before. Again
// after the application was imported: it may have set handlers of its own, which
// are remembered in their turn.
void gb_signals_hold(void);

// Holds again those that the application has taken meanwhile, in a request.
void gb_signals_hold_new(void);

// Has the application a handler of its own for SIGTERM? Any thread.
bool gb_signals_has_own_term(void);

// Around an application's fork, for pthread_atfork. The child gets back what was
// there before, or what the application set. Meanwhile they wait: a parent
// that forks and sends SIGTERM at once must not find our handler still there.
void gb_signals_before_fork(void);
void gb_signals_in_parent(void);
void gb_signals_in_child(void);

#endif
