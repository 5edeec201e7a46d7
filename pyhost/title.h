// What ps and top show as this process's command line.
#ifndef GB_TITLE_H
#define GB_TITLE_H

#include "control.h"

// Takes the title that a message brings as its setting "title"; none leaves the one that the
// process has. One thread at a time.
void gb_title_take(const struct gb_packet *p);

#endif
