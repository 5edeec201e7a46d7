// A message on its way to the client: the records that are made of it, and what of them the
// response pipe has had no room for yet.
//
// The GIL is held in all of these.
#ifndef GB_OUTGOING_H
#define GB_OUTGOING_H

#include "call.h"
#include "piece.h"

// What is left of one. The zero value is nothing.
struct gb_outgoing {
    char *before;                  // what goes out before the piece: the head, the record's header
    size_t before_size, before_at; // its bytes, and those that have gone out
    struct gb_piece piece;         // what of it is not in a record yet, and has not gone out; owned
    size_t record;                 // bytes of the piece that belong to the record that goes out
};

// Begins to send o->piece: writes what there is room for. `before` is in the loop's memory then,
// until the next one begins. False with the exception set.
bool gb_outgoing_begin(struct gb_call *c, struct gb_outgoing *o);

// Moves `before` from there to memory of its own. False without memory, with the exception set:
// nothing is left then.
bool gb_outgoing_keep(struct gb_outgoing *o);

// Writes more of what is left. True: all of it is written. False: there is no room, or the
// client is gone.
bool gb_outgoing_go_on(struct gb_exchange *x, struct gb_outgoing *o);

// Asks for news of what it waits for: room, or the front to take its last file.
enum gb_wait gb_outgoing_watch(struct gb_exchange *x, const struct gb_outgoing *o);

// Gives up what one that was kept owns.
void gb_outgoing_drop(struct gb_outgoing *o);

#endif
