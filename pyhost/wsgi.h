// The WSGI interface (PEP 3333): one application, called once for each request.
#ifndef GB_WSGI_H
#define GB_WSGI_H

#include "claim.h"
#include "application.h"
#include "worker.h"

// Makes what the requests of an application need, which stays the caller's. The GIL is held.
// 0, or -1 and gb_failure says why.
int gb_wsgi_prepare(const struct gb_worker_settings *s, const struct gb_application *a);

// Runs a claimed request and finishes the claim, whatever happens. The GIL is held
// on entry and on return.
void gb_wsgi_run(struct gb_claim *c);

#endif
