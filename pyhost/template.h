// The template: imports the application once, and is forked into workers that have
// its memory. Where a fork would break what the import has started, it is not forked,
// and becomes a worker itself.
#ifndef GB_TEMPLATE_H
#define GB_TEMPLATE_H

#include "control.h"

// A template's life from its fork on, in the forked child; the GIL is held. `control` is
// its own socket, `request` the GB_MSG_TEMPLATE that asked for it.
_Noreturn void gb_template_main(int control, const struct gb_packet *request);

#endif
