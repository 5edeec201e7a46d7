// Package serve speaks HTTP/1.1 with the clients, and uwsgi, FastCGI or SCGI with web servers, inside
// TLS or not: it owns the listeners and the connections, and stands between the codecs (http1 and
// others) and the workers (bridge).
//
// One acceptor takes the connections of most listeners and deals them to a few reactors; those that
// carry one request each the reactors accept.
// A reactor is one goroutine with an epoll set, in which are its connections, its end
// of the bridge and a doorbell. One turn of it takes every event that there is, reads and
// parses, begins what is complete, takes the news of the workers, sends the answers, and
// wakes each worker once for all of it. Then it looks for events without waiting, and only
// if there is nothing at all it sleeps. No connection has a goroutine of its own, and
// nothing is allocated for a request.
//
// # System calls
//
// A request costs one recv and one send. Sockets are registered once, edge-triggered, and
// a connection remembers whether its socket may have something to read; so it can leave
// bytes there for which there is no use yet, and no epoll_ctl is needed to do so. What
// cannot block is a raw system call, of which Go's scheduler is not told: recv and send
// with MSG_DONTWAIT, epoll with a zero timeout, writes to doorbells. What blocks goes
// through the scheduler, and a reactor that has not blocked for a millisecond yields, so
// that goroutines on the same processor are not held up.
//
// # A connection
//
// The phases are securing (a TLS handshake), idle, reading (part of a head), serving (a request and its answer),
// skipping (the rest of a body that nobody read), talking (it is a WebSocket) and lingering
// (after the last answer); conn.go has the picture. Requests are taken one at a time: what a client pipelines stays
// in its socket until the answer before it is out.
//
// Bytes flow under back-pressure in both directions. A body goes from the socket into the
// request pipe as far as there is room, and the rest waits, first in one buffer and then
// in the client. An answer is sent from the response pipe where it lies, and what the
// socket does not take stays there, and stops the application's call. Nothing is ever
// held whole. A file that the worker has sent a descriptor of goes from the disk to the
// socket by sendfile, in a few goroutines that may wait for the disk (transfer, senders).
//
// # When things go wrong
//
// What is malformed is answered with its status, and the connection ends; it lingers for
// a moment, reading what the client still sends, because closing at once would reset the
// connection and could destroy the answer on its way. An application that fails before its
// head is out becomes 502, and 503 if it never began; afterwards its answer is cut so that
// the client must notice: without a last chunk, short of its length, or with a reset if
// only the end of the connection marks the end. A client that is gone is left at once, and
// its worker learns of it; one that has only closed its sending half gets every answer it
// asked for. Each wait for a client has its deadline, in the reactor's timer wheel.
//
// # Who may touch what
//
// A reactor's goroutine alone touches its connections and its port of the bridge. A TLS
// handshake has a goroutine of its own, and memory that both use (secure, wire). Others hand the
// reactor connections (give), orders (order) and doorbells; its load is an atomic number.
// The access log is a ring for each reactor, with one goroutine that writes them out.
package serve
