// Files that go out by their descriptor: the front sends their bytes, none of them
// passes through the pipe.
#ifndef GB_FILE_H
#define GB_FILE_H

#include <stdbool.h>

#include "claim.h"

// Gives the front the descriptor of a regular file, for the GB_RECORD_FILE that is to
// follow; it stays the caller's. Not before the front has taken the one before
// (gb_file_watch). It may sleep, while the control socket is full, and does not want the
// GIL. False: nothing was sent.
bool gb_file_pass(struct gb_claim *c, int fd);

#endif
