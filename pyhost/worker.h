// A worker process: what zygote and template need to begin its life, and what the
// application interface needs to know of its settings.
#ifndef GB_WORKER_H
#define GB_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"

// The worker's settings, from GB_MSG_SETUP or GB_MSG_TEMPLATE. The strings belong to the worker and
// live as long as the process; none is NULL.
struct gb_worker_settings {
    const char *application; // "package.module:attribute"
    const char *chdir;       // directory to import from; empty: where we are
    const char *interface;   // "auto", "wsgi", "asgi", "asgi2"
    const char *loop;        // of ASGI: "auto", "asyncio", "uvloop"
    const char *lifespan;    // of ASGI: "auto", "on", "off"
    unsigned threads;        // request threads, or event loops, at least 1
    bool multiprocess;       // there are other workers
    bool pathsend;           // ASGI applications may hand files over
};

// Exit codes of zygote and worker; the front passes them on.
enum {
    GB_EXIT_HOST = 1,   // the host itself could not go on
    GB_EXIT_IMPORT = 3, // the application could not be imported, or did not start
};

// What a process that zygote or template has forked does first: it becomes the one of this
// incarnation, whose socket is `control`, and gives the front a pidfd (HELLO). No Python is
// touched.
void gb_worker_hello(int control, uint32_t incarnation);

// Three ways into a worker's life, to its end. The GIL is held, HELLO is said.

// Forked from the zygote: the application is still to be imported.
_Noreturn void gb_worker_main(void);

// Forked from a template, which has imported it.
_Noreturn void gb_worker_forked(void);

// The template itself, as the front has asked in `setup`; its descriptors are taken.
_Noreturn void gb_worker_become(const struct gb_packet *setup);

// What a template does as a worker does it: the begin of its life, under a name of which
// the kernel keeps 15 bytes, and the import, with the settings in the packet.
void gb_worker_begin(const char *name);
void gb_worker_import(const struct gb_packet *settings);

// Tells the front why this worker cannot go on, and ends it. Any thread, with or
// without the GIL.
_Noreturn void gb_worker_fail(int exit_code, const char *text);

#endif
