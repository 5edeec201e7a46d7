// Package bridge carries requests from the front's reactors to worker processes that
// run Python, and the answers back, through shared memory.
//
// A reactor hands a parsed Request to its Port with Begin. The dispatcher puts it into
// the inbox of the worker with the fewest requests in flight, or, when none has room,
// into the line, where requests keep the order in which they came. A worker claims what
// lies in its inbox by swapping the stream's word from QUEUED to RUNNING; until then the
// front can take it back by the same swap and give it to a worker that has run dry. The
// worker reads the request from one pipe of the stream, writes the response into the
// other, and swaps RUNNING to DONE. Both sides tell each other that a stream is worth
// looking at by setting its bit in a bitmap (news), and ring a doorbell (an eventfd) only
// if the other one has said that it sleeps.
//
// What holds at every instant, and what the model in tests/model proves:
//
//   - A stream has one owner: the front (FREE, DONE), or a worker (RUNNING). QUEUED belongs
//     to whoever wins the swap.
//   - A running stream is never taken from its worker. Only its DONE, or its death, ends it.
//   - A worker's death takes with it what it was running: those clients get 502, or a
//     response that is visibly cut. What it had not begun goes back into the line at its
//     old place. Its slot gets a new worker only when every reactor has swept.
//   - Whoever goes to sleep says so first and then looks once more.
//   - What a worker writes is not believed: counters and sizes are loaded once, checked,
//     and the checked copy is used.
//
// The files, in the order in which a request meets them: request (the one form), environ
// (that form as WSGI wants it), port (a reactor's end), dispatch (which worker), line (who
// waits), run (a stream in use), exchange (a connection's view of it), pipe, news and
// segment (the shared memory), response (what comes back), file (what is sent by its
// descriptor), hear (what a worker says). Workers' lives: generation, reload (from one
// generation to the next), move (with its requests), zygote, template, supervisor,
// worker, reap; status says how they are.
package bridge
