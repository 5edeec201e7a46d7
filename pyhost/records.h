// The records of a response: put together, and written into the stream's pipe.
#ifndef GB_RECORDS_H
#define GB_RECORDS_H

#include "layout.h"
#include "request.h"

enum gb_sent {
    GB_SENT,
    GB_CLIENT_GONE, // no exception is set
    GB_RAISED,      // an exception is set
};

// Each of these but the last writes the head first if it is not out yet. The GIL is held, and
// given up while there is no room; the caller is inside GB_SENDING.

// Sends body bytes, at most UINT32_MAX, as one record; none: only the head. With `last`
// nothing follows and the request is finished at once.
enum gb_sent gb_records_body(struct gb_request *r, const char *data, size_t size, bool last);

// Sends the piece of a file whose descriptor was passed.
enum gb_sent gb_records_file(struct gb_request *r, const struct gb_file *file);

// Sends early hints, and no head before them: that must not be out yet.
enum gb_sent gb_records_hints(struct gb_request *r, const struct gb_head *hints);

#endif
