// Names that come with every request, and the value that each had last, as Python objects:
// found by their bytes, and not made anew. One thread uses a set.
#ifndef GB_KEYS_H
#define GB_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "python_api.h"

struct gb_key {
    PyObject *name;   // NULL: free
    PyObject *value;  // the last one, as its user keeps it, or NULL
    const char *text; // the value's bytes, inside of an object that `value` holds; NULL: not known
    uint32_t text_size;
    uint32_t hash;
    uint16_t size;
    char bytes[54]; // the name's
};

#define GB_KEYS_GUESSED 64
#define GB_VALUE_KEPT 256u // bytes; longer values are not kept

struct gb_keys {
    struct gb_key *places;
    size_t count;
    struct gb_key *guess[GB_KEYS_GUESSED]; // whose name stood in this place last
};

// Makes a name as a Python object: a new reference, or NULL with the exception set.
typedef PyObject *gb_key_maker(const uint8_t *name, size_t size);

// The key of the name in place i of a request. NULL, without an exception, if it is not
// kept: it is long, or someone sends names of his own making.
struct gb_key *gb_keys_find(struct gb_keys *k, unsigned i, const uint8_t *name, size_t size, gb_key_maker *make);

// Is this the value that it had last?
static inline bool gb_key_has(const struct gb_key *k, const uint8_t *text, size_t size)
{
    return k->value != NULL && k->text != NULL && k->text_size == size && memcmp(k->text, text, size) == 0;
}

void gb_key_forget(struct gb_key *k);

#endif
