// The response: from what the application returns and writes into the stream's pipe.
#ifndef GB_RESPONSE_H
#define GB_RESPONSE_H

#include "records.h"
#include "request.h"

// Sends one piece of the body, the head before it if it is not out yet. With `last`
// nothing follows and the request is finished at once. The caller is inside GB_SENDING.
enum gb_sent gb_response_piece(struct gb_request *r, PyObject *piece, bool last);

// Sends what the application has returned (borrowed; NULL: it has raised), closes it,
// and deals with exceptions. Returns the request's outcome, GB_FINISHED or
// GB_ABORTED; no exception is set then.
uint32_t gb_response_run(struct gb_request *r, PyObject *returned);

#endif
