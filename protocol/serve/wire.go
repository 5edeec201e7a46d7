package serve

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A wire is the net.Conn under a tls.Conn. During the handshake, which runs on a goroutine of its
// own because it computes for long, it is only memory: the reactor puts in what the socket has
// brought, and sends what stands there to be sent. Afterwards it is the socket, as the reactor
// uses it: a Read that finds nothing says errAgain, after which tls.Conn can be asked again,
// since it takes a temporary error for one; and what the socket does not take of a Write stays
// in out, for a tls.Conn is broken by a Write that fails.
type wire struct {
	fd  int    // the socket, once the handshake is over
	in  []byte // has come, and is not read yet
	out []byte // is written, and not sent yet
	dry bool   // the socket has given all that it had

	share int   // bytes that may still be read in this turn
	fault error // the client does harm, and is cut off

	// During the handshake.
	mu     sync.Mutex
	more   sync.Cond     // in has grown, or something of what follows was set
	call   func()        // has the reactor look
	turns  chan struct{} // has room for who computes
	ended  bool          // the client sends nothing more
	closed bool          // the connection is closed
	over   bool          // the handshake is, with err
	err    error
}

// againError is what a deadline that is over would be.
type againError struct{}

func (againError) Error() string   { return "nothing has come" }
func (againError) Timeout() bool   { return true }
func (againError) Temporary() bool { return true }

var errAgain error = againError{}

// A record costs about a microsecond however little is in it, and several if it is a KeyUpdate (RFC
// 8446 section 4.6.3), which may ask for one in return. How many come with nothing else between
// them crypto/tls bounds.
const (
	// shareOfTurn is a buffer's bytes in records of usual sizes. Who has sent more for less goes on
	// in the next turn, as others do.
	shareOfTurn = bufferSize + 2<<10
	// mostUnsent is how much may wait for a client that takes nothing: a record, and many KeyUpdates.
	mostUnsent = 2 * maxSealed
)

var errUnread = errors.New("it asks for keys to be updated again and again, and does not read that they are")

// Read implements net.Conn.
func (w *wire) Read(b []byte) (int, error) {
	if w.fd < 0 {
		return w.await(b)
	}
	if len(w.in) > 0 {
		return w.take(b), nil
	}
	switch {
	case w.fault != nil:
		return 0, w.fault
	case w.dry, w.share <= 0:
		return 0, errAgain
	}
	n, errno := receive(w.fd, b)
	switch {
	case errno == unix.EAGAIN:
		return 0, errAgain
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	w.dry = n < len(b)
	w.share -= n
	return n, nil
}

func (w *wire) take(b []byte) int {
	n := copy(b, w.in)
	if w.in = w.in[n:]; len(w.in) == 0 {
		w.in = nil
	}
	return n
}

// await reads during the handshake.
func (w *wire) await(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.in) == 0 {
		switch {
		case w.closed:
			return 0, net.ErrClosed
		case w.ended:
			return 0, io.EOF
		}
		w.call()
		w.rest()
	}
	return w.take(b), nil
}

// shakeHands has the handshake, unless its connection is closed before its turn comes.
func (w *wire) shakeHands(with *tls.Conn) error {
	w.compute()
	defer func() { <-w.turns }()
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	return with.Handshake()
}

// rest waits for what in or another field tells, and has another handshake compute meanwhile.
func (w *wire) rest() {
	<-w.turns
	w.more.Wait()
	w.mu.Unlock() // the reactor does not wait for who computes
	w.compute()
	w.mu.Lock()
}

// compute waits until this handshake may compute. One takes up to a millisecond, and is begun by a
// few bytes that cost who sends them nothing: thousands that were all ready to run would stand
// before the reactors, each time that one of these has waited. So no more are than can run.
func (w *wire) compute() {
	w.turns <- struct{}{}
	runtime.Gosched() // behind a reactor that waits for a processor
}

// Write implements net.Conn.
func (w *wire) Write(b []byte) (int, error) {
	if w.fd < 0 {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.out = append(w.out, b...)
		return len(b), nil
	}
	n := 0
	if len(w.out) == 0 {
		var errno unix.Errno
		if n, errno = send(w.fd, b); errno != 0 && errno != unix.EAGAIN {
			return 0, errno
		}
	}
	if n < len(b) && len(w.out) > mostUnsent {
		w.fault = errUnread
		return 0, w.fault
	}
	w.out = append(w.out, b[n:]...)
	return len(b), nil
}

// flush sends what is left of what was written: EAGAIN when the socket does not take all of it.
func (w *wire) flush() unix.Errno { return w.flushTo(w.fd) }

func (w *wire) flushTo(fd int) unix.Errno {
	if len(w.out) == 0 {
		return 0
	}
	n, errno := send(fd, w.out)
	if errno != 0 {
		return errno
	}
	if w.out = w.out[n:]; len(w.out) > 0 {
		return unix.EAGAIN
	}
	w.out = nil
	return 0
}

// feed puts in what has come during the handshake.
func (w *wire) feed(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in = append(w.in, b...)
	w.more.Signal()
}

// mostAhead is how many bytes of what a client sends may lie there before the handshake is over.
const mostAhead = 32 << 10

// stuffed says whether so much has come that more is of no use now.
func (w *wire) stuffed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.in) >= mostAhead
}

// finish says that the client sends nothing more, or, with closed, that nobody wants it.
func (w *wire) finish(closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended, w.closed = true, w.closed || closed
	w.more.Signal()
}

// Close implements net.Conn: the connection closes the socket.
func (w *wire) Close() error { return nil }

// A connection's deadlines are the reactor's.

func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr and RemoteAddr are asked for by callbacks that are not used here.

func (w *wire) LocalAddr() net.Addr  { return nil }
func (w *wire) RemoteAddr() net.Addr { return nil }
