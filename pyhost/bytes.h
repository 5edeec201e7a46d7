// Bytes that grow; the memory is kept for the next use.
#ifndef GB_BYTES_H
#define GB_BYTES_H

#include <stdbool.h>
#include <stddef.h>

struct gb_bytes {
    char *data;
    size_t size, room;
};

// Makes room for n more bytes; false without memory, with the exception set. The GIL is held.
bool gb_bytes_room(struct gb_bytes *b, size_t n);
bool gb_bytes_add(struct gb_bytes *b, const void *data, size_t n);

// Empties it, and gives memory back that is more than `keep`.
void gb_bytes_clear(struct gb_bytes *b, size_t keep);

#endif
