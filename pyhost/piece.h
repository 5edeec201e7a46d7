// A piece of what an ASGI application sends: bytes of the body, a part of a file that stands
// for them, fields around the body, or a message to a WebSocket.
//
// The GIL is held in all of these.
#ifndef GB_PIECE_H
#define GB_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "python_api.h"

struct gb_piece {
    uint32_t kind;    // of its records: GB_RECORD_BODY, _FILE, or a WebSocket's; of GB_RECORD_HINTS and _TRAILERS
                      // the fields are in the exchange
    bool last;        // nothing follows
    size_t size;      // bytes of the body, or the message
    const char *data; // but of a file
    PyObject *owner;  // of the data: owned
    int file;         // GB_RECORD_FILE: a descriptor of a regular file, owned
    uint64_t offset;  // in it
};

// Gives up what it owns. It is of no use then.
void gb_piece_drop(struct gb_piece *p);

// Makes a file's piece, whose bytes are on their way, one of no bytes.
void gb_piece_spend(struct gb_piece *p);

// The whole file with an absolute path, which is opened. False with the exception set.
bool gb_piece_open(struct gb_piece *p, PyObject *path);

// A part of an open file (asgiref, zero copy send): `file` is a number or has a fileno();
// `offset` and `count` may be NULL. The descriptor stays the application's: the piece has its
// own. False with the exception set.
bool gb_piece_of_file(struct gb_piece *p, PyObject *file, PyObject *offset, PyObject *count);

// Reads a file's piece into `to`, which has room for it, if that does not wait for a disk.
bool gb_piece_load(const struct gb_piece *p, void *to);

#endif
