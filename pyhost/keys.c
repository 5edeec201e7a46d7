#include "keys.h"

#include <stdlib.h>

#define PLACES ((size_t)512) // a power of two; at most three quarters of them are used

static uint32_t hash_of(const uint8_t *name, size_t size)
{
    uint32_t h = 2166136261u; // FNV-1a
    for (size_t i = 0; i < size; i++)
        h = (h ^ name[i]) * 16777619u;
    return h;
}

static bool is_name(const struct gb_key *k, const uint8_t *name, size_t size)
{
    return k->size == size && memcmp(k->bytes, name, size) == 0;
}

// Fills a free place; NULL without memory.
static struct gb_key *add(struct gb_keys *keys, struct gb_key *k, const uint8_t *name, size_t size, gb_key_maker *make)
{
    if ((k->name = make(name, size)) == NULL) {
        gb_py.PyErr_Clear();
        return NULL;
    }
    k->size = (uint16_t)size;
    memcpy(k->bytes, name, size);
    keys->count++;
    return k;
}

static struct gb_key *look_up(struct gb_keys *keys, const uint8_t *name, size_t size, gb_key_maker *make)
{
    uint32_t hash = hash_of(name, size);
    for (uint32_t at = hash;; at++) {
        struct gb_key *k = &keys->places[at & (PLACES - 1)];
        if (k->name != NULL) {
            if (k->hash == hash && is_name(k, name, size))
                return k;
        } else if (keys->count >= PLACES / 4 * 3) {
            return NULL;
        } else {
            k->hash = hash;
            return add(keys, k, name, size, make);
        }
    }
}

struct gb_key *gb_keys_find(struct gb_keys *keys, unsigned i, const uint8_t *name, size_t size, gb_key_maker *make)
{
    // A client's requests bring their names in the same order.
    bool guessed = i < GB_KEYS_GUESSED;
    if (guessed && keys->guess[i] != NULL && is_name(keys->guess[i], name, size))
        return keys->guess[i];
    if (size > sizeof keys->places->bytes ||
        (keys->places == NULL && (keys->places = calloc(PLACES, sizeof *keys->places)) == NULL))
        return NULL;
    struct gb_key *k = look_up(keys, name, size, make);
    if (guessed)
        keys->guess[i] = k;
    return k;
}

void gb_key_forget(struct gb_key *k)
{
    gb_py.Py_DecRef(k->value);
    k->value = NULL;
}
