// receive: the events of a request, as an ASGI application takes them.
#ifndef GB_RECEIVE_H
#define GB_RECEIVE_H

#include "call.h"

// Makes the type and the messages. False with the exception set.
bool gb_receive_prepare(void);

// receive, bound to a call: a new reference, or NULL with the exception set.
PyObject *gb_receive_function(PyObject *call);

// {"type": kind}: a new reference, or NULL with the exception set.
PyObject *gb_receive_event(const char *kind);

// There is news of the call's stream: who waits for an event looks again.
void gb_receive_news(struct gb_call *c);

#endif
