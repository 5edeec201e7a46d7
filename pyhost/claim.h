// A claimed stream: one request, owned by one thread of a worker from its claim
// to its finish. Everything the application interface does with the bridge goes
// through here.
//
// None of these functions needs the GIL. Those named ..._wait, and
// gb_claim_head, may sleep: call them without the GIL. One thread at a time may
// be inside a claim's functions.
//
// After gb_claim_finish the claim answers like that of a client who is gone, so
// an object that outlives its request (wsgi.input) can do no harm as long as the
// memory of the claim itself is there: keep the claim's `word` beside a pointer
// to it, and compare, to notice that the thread has moved on to another request.
#ifndef GB_CLAIM_H
#define GB_CLAIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"
#include "pipe.h"
#include "segment.h"
#include "spool.h"

struct gb_claim {
    struct gb_segment *segment;
    uint32_t stream;
    uint32_t reactor;            // whose bitmap takes the stream's news
    uint64_t word;               // the stream's word while it runs; 0 before the claim and after the finish
    struct gb_request_head head; // valid once gb_claim_head returned 0
    uint64_t body_left;          // body bytes not read yet, or GB_LENGTH_UNKNOWN
    bool broken;                 // the shared memory held what cannot be: answer as if the client were gone
    atomic_bool over;            // its owner wants it back from other threads that wait
    int unreadable;              // errno of the body's file, once it could not be read
    bool body_came;              // some of the body was read: no client waits for 100 any more
    bool request_asked;          // for news of request bytes, or of the client's leaving
    bool response_asked;         // for news of room
    bool file_named;             // a FILE record was written, or is about to be
    uint32_t file_end;           // the pipe's counter of written bytes behind the last one
    struct gb_reader request;
    struct gb_writer response;
    struct gb_spool spool; // with GB_REQUEST_SPOOLED: the body
    uint8_t *variables;    // owned; reused from one request to the next
    size_t variables_room;
};

enum gb_wait {
    GB_READY,       // bytes, or room, are there
    GB_END,         // the request body is over
    GB_GONE,        // the client is gone or the request is broken
    GB_LATER,       // none of these yet: there will be news of the stream
    GB_UNREADABLE,  // the body's file cannot be read: c->unreadable says why
    GB_INTERRUPTED, // a signal came: take the GIL, call PyErr_CheckSignals, and if it is content wait again
};

// Prepares a claim that one thread uses for all its requests; *c owns memory
// until gb_claim_close.
void gb_claim_open(struct gb_claim *c, struct gb_segment *segment);
void gb_claim_close(struct gb_claim *c);

// Tries to own the stream that a hint names. False: the hint was stale or made
// no sense; nothing happened.
bool gb_claim_take(struct gb_claim *c, const struct gb_hint *hint);

// Reads the whole head; may sleep. 0, or -1 when the client left or the head makes
// no sense. *variables points to *size bytes that hold exactly c->head.count
// variables (struct gb_variable, name, value; unaligned), already checked: the
// caller may walk them without looking at the bounds again. They stay valid until
// the next gb_claim_head of the same claim.
int gb_claim_head(struct gb_claim *c, uint8_t **variables, size_t *size);

// The body is in a file (GB_REQUEST_SPOOLED): to read it may wait for the disk.
static inline bool gb_request_spooled(const struct gb_claim *c)
{
    return (c->head.flags & GB_REQUEST_SPOOLED) != 0;
}

// Moves request body bytes that are there, at most n; 0 if there are none now.
size_t gb_request_try(struct gb_claim *c, void *to, size_t n);

// How many bytes there are in the request pipe; 0 too when the claim is lost.
uint32_t gb_request_used(struct gb_claim *c);

// Sleeps until there are body bytes (GB_READY), none will come (GB_END), they
// will never come (GB_GONE, GB_UNREADABLE), or a signal (GB_INTERRUPTED).
enum gb_wait gb_request_wait(struct gb_claim *c);

// Were all body bytes taken, and is it known that no more come?
bool gb_request_over(struct gb_claim *c);

// Moves response bytes into the pipe, at most n; returns how many fitted, 0 too
// when the client is gone. With `last` no news is given if all fitted, because
// gb_claim_finish follows at once.
size_t gb_response_try(struct gb_claim *c, const void *from, size_t n, bool last);

// Have the bytes that were put since the pipe was last empty used more than its first page?
bool gb_response_is_wide(const struct gb_claim *c);

// Gives the pages behind it back to the system, if the pipe is empty: false if it is not.
bool gb_response_give_back(struct gb_claim *c);

// Sleeps until there is room (GB_READY), the client is gone (GB_GONE), or a
// signal (GB_INTERRUPTED).
enum gb_wait gb_response_wait(struct gb_claim *c);

// For who must not sleep: the same, but instead of sleeping they ask for news of the
// stream (gb_news_take) and say GB_LATER. To be called again when there are some.
enum gb_wait gb_request_watch(struct gb_claim *c);
enum gb_wait gb_response_watch(struct gb_claim *c);

// The same for a WebSocket's records, which have no end but a CLOSE: GB_READY, GB_GONE when
// the pipe is empty and the client gone, or GB_LATER.
enum gb_wait gb_records_watch(struct gb_claim *c);

// And before it is accepted, when there is none but a CLOSE: GB_GONE also if the client sends
// nothing more.
enum gb_wait gb_handshake_watch(struct gb_claim *c);

// The front holds one descriptor for a stream at a time: GB_READY when it has taken the one
// before, if there was one, so that the next may be sent; else GB_LATER or GB_GONE.
enum gb_wait gb_file_watch(struct gb_claim *c);

// Notes that the next `size` bytes for the response pipe end with a FILE record.
void gb_file_named(struct gb_claim *c, size_t size);

// Once the body is over: GB_GONE if the client has left or sends nothing more, else GB_LATER.
enum gb_wait gb_client_watch(struct gb_claim *c);

// The client is gone, the request is broken, or the claim is finished.
bool gb_claim_closed(struct gb_claim *c);

// Wakes the threads that wait inside this claim and tells them GB_GONE. The owner
// calls it again and again until they have left, and only then gb_claim_finish: a
// thread that still waited would wait on a stream that is another request's.
void gb_claim_wake(struct gb_claim *c);

// Gives the stream back; outcome: GB_FINISHED or GB_ABORTED. Exactly once for
// each claim taken; a second call does nothing.
void gb_claim_finish(struct gb_claim *c, uint32_t outcome);

#endif
