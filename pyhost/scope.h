// The scope of an ASGI request (asgiref: HTTP & WebSocket ASGI message format, 2.5), made
// from the variables of its head.
#ifndef GB_SCOPE_H
#define GB_SCOPE_H

#include "call.h"

struct gb_scope_kept; // what one loop keeps from one scope to the next

// Makes what the scopes of a loop have in common; `version` is of ASGI, "3.0" or "2.0", `state`
// the dict that lifespan has filled, and `pathsend` whether they offer the extensions that hand
// files over. NULL with the exception set.
struct gb_scope_kept *gb_scope_open(const char *version, PyObject *state, bool pathsend);

// Does an HTTP scope offer http.response.pathsend?
bool gb_scope_offers_files(const struct gb_scope_kept *k);

// The scope of a claimed request: a new reference, or NULL with the exception set. Sets what
// names it in the log.
PyObject *gb_scope_new(struct gb_scope_kept *k, const struct gb_claim *claim, const uint8_t *variables,
                       struct gb_call *call);

#endif
