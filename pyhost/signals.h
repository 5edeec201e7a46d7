// SIGTERM, SIGINT and SIGHUP: they are for the front to act on, but reach the
// whole group or cgroup. Zygote and workers hold handlers that do nothing (not
// SIG_IGN, which the application's own children would inherit through exec).
#ifndef GB_SIGNALS_H
#define GB_SIGNALS_H

#include <signal.h>

// Keeps the three pending until *before is set again.
void gb_signals_block(sigset_t *before);

// Holds the three and ignores SIGPIPE; remembers what was there before. Again
// after the application was imported: it may have set handlers of its own, which
// are remembered in their turn.
void gb_signals_hold(void);

// In a fork of the worker: what was there before, or what the application set.
// Only calls what a signal handler may call.
void gb_signals_give_back(void);

#endif
