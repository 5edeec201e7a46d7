#include "bytes.h"

#include <stdlib.h>
#include <string.h>

#include "python_api.h"

bool gb_bytes_room(struct gb_bytes *b, size_t n)
{
    if (n <= b->room - b->size)
        return true;
    size_t room = b->room < 512 ? 1024 : 2 * b->room;
    if (room < b->size + n)
        room = b->size + n;
    char *data = realloc(b->data, room);
    if (data == NULL) {
        gb_py.PyErr_NoMemory();
        return false;
    }
    b->data = data;
    b->room = room;
    return true;
}

bool gb_bytes_add(struct gb_bytes *b, const void *data, size_t n)
{
    if (!gb_bytes_room(b, n))
        return false;
    if (n > 0)
        memcpy(b->data + b->size, data, n);
    b->size += n;
    return true;
}

void gb_bytes_clear(struct gb_bytes *b, size_t keep)
{
    b->size = 0;
    if (b->room > keep) {
        free(b->data);
        *b = (struct gb_bytes){0};
    }
}
