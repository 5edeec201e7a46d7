package serve

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// An acceptor takes the connections of all listeners and deals each to the reactor
// that has the fewest. There is one, on a goroutine of its own: reactors that accepted
// for themselves would each take what came while the others were busy, and keep it. Where
// connections are short they do accept for themselves (door.go).
//
// When descriptors or memory run out it says so and looks again a little later; what
// came meanwhile waits in the backlog. At the limit of connections it waits likewise,
// until one has been closed.
type acceptor struct {
	listeners []*Listener
	reactors  []*reactor
	log       zerolog.Logger
	limit     int64         // connections at most; 0: no limit
	addresses addresses     // how many each client has
	count     atomic.Int64  // connections open
	full      atomic.Bool   // it waits for count to fall
	stopping  atomic.Bool   // no more connections
	hasty     atomic.Bool   // do not wait for any
	stopped   chan struct{} // closed when run has returned
	last      bool          // the limit counts no more; run's own
	poller    poller
	wake      int // eventfd
	complaint time.Time
	crowded   atomic.Int64                                              // Unix nanoseconds; when a client with too many connections was last told of
	accept    func(fd int, from *unix.RawSockaddrAny) (int, unix.Errno) // accept4; tests have it fail
}

// newcomer is a connection on its way to its reactor.
type newcomer struct {
	fd       int
	listener *Listener
	remote   netip.AddrPort // invalid for a unix socket
	counted  *addressCount  // nil: it is not counted
}

const (
	acceptPause    = 50 * time.Millisecond // when there are no descriptors
	complainEvery  = time.Second
	acceptBatch    = 64 // of one listener, before the next one's turn
	acceptFromHere = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
)

func newAcceptor(listeners []*Listener, reactors []*reactor, limit int, log zerolog.Logger) (*acceptor, error) {
	a := &acceptor{listeners: listeners, reactors: reactors, limit: int64(limit), log: log,
		stopped: make(chan struct{}), accept: accept4}
	if err := a.poller.open(); err != nil {
		return nil, err
	}
	var err error
	if a.wake, err = newBell(); err != nil {
		a.poller.close()
		return nil, err
	}
	if err = a.watchAll(); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *acceptor) watchAll() error {
	if err := a.poller.control(unix.EPOLL_CTL_ADD, a.wake, interestIn, bellIndex, 0); err != nil {
		return err
	}
	for i, l := range a.listeners {
		if l.selfServed() {
			continue
		}
		if err := a.watch(i); err != nil {
			return err
		}
	}
	return nil
}

// watch registers a listener level-triggered: what is left in a backlog after a batch is
// told again. Any goroutine may call it.
func (a *acceptor) watch(listener int) error {
	return a.poller.control(unix.EPOLL_CTL_ADD, a.listeners[listener].fd, unix.EPOLLIN, int32(listener), 0)
}

// run accepts until stop, and then whoever is connected already.
func (a *acceptor) run() {
	defer close(a.stopped)
	defer a.takeLast()
	for !a.stopping.Load() {
		n := a.poller.wait(-1)
		for _, e := range a.poller.events[:n] {
			if e.Fd != bellIndex && !a.stopping.Load() {
				a.drainBacklog(a.listeners[e.Fd])
			}
		}
		a.tell()
	}
}

// tell wakes the reactors that were given connections.
func (a *acceptor) tell() {
	for _, r := range a.reactors {
		r.arrived()
	}
}

// drainBacklog takes a batch of a listener's connections. It reports whether there may
// be more at once, and otherwise what accept said, if it was asked.
func (a *acceptor) drainBacklog(l *Listener) (more bool, errno unix.Errno) {
	for range acceptBatch {
		if a.limit > 0 && !a.last && !a.room() {
			return false, 0
		}
		var from unix.RawSockaddrAny
		var fd int
		fd, errno = a.accept(l.fd, &from)
		switch errno {
		case 0:
			a.admit(newcomer{fd: fd, listener: l, remote: addressOf(&from)})
		case unix.EAGAIN, unix.EINVAL: // nobody waits; nor will anybody, after turnAway
			return false, errno
		case unix.EINTR:
		case unix.ECONNABORTED, unix.EPROTO, unix.EPERM, unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENOPROTOOPT, unix.ENONET:
			// The connection was gone before it was accepted: the next one may be well.
			a.complain(errno, "a connection ended before it was accepted")
		default:
			a.complain(errno, advice(errno))
			a.pause()
			return false, errno
		}
	}
	return true, 0
}

// advice says what to do about an accept that fails for all connections alike.
func advice(errno unix.Errno) string {
	switch errno {
	case unix.EMFILE:
		return "no connection can be accepted, because the process has no file descriptors left: raise its limit (ulimit -n, LimitNOFILE=), or lower the limit of connections"
	case unix.ENFILE:
		return "no connection can be accepted, because the machine has no file descriptors left: raise fs.file-max"
	case unix.ENOBUFS, unix.ENOMEM:
		return "no connection can be accepted, because the kernel has no memory for it"
	}
	return "no connection can be accepted"
}

// complain logs an error, once a second at most.
func (a *acceptor) complain(errno unix.Errno, text string) {
	if now := time.Now(); now.Sub(a.complaint) >= complainEvery {
		a.complaint = now
		a.log.Error().Err(errno).Int64("connections", a.count.Load()).Msg(text)
	}
}

// pause waits until an accept may succeed again, or until stop. What was accepted before
// it goes to its reactor first.
func (a *acceptor) pause() {
	a.tell()
	bell := [1]unix.PollFd{{Fd: int32(a.wake), Events: unix.POLLIN}}
	// EINTR ends the pause early, which is harmless.
	if n, err := unix.Poll(bell[:], int(acceptPause/time.Millisecond)); err == nil && n > 0 {
		quiet(a.wake)
	}
}

// room says whether one more connection may be accepted; otherwise it waits a moment
// for one to be closed.
func (a *acceptor) room() bool {
	if a.count.Load() < a.limit {
		return true
	}
	a.full.Store(true)
	if a.count.Load() >= a.limit {
		a.pause()
	}
	a.full.Store(false)
	return false
}

// admit deals a connection, unless its client has too many.
func (a *acceptor) admit(c newcomer) {
	if a.counts(&c) {
		a.deal(c)
	}
}

// counts counts a connection for its client. It reports false, and has turned the client down,
// when that one has too many. A web server has many clients'. Any goroutine may call it.
func (a *acceptor) counts(c *newcomer) (ok bool) {
	if c.listener.gateways.Names(c.remote.Addr()) {
		return true
	}
	if c.counted, ok = a.addresses.enter(c.remote.Addr()); ok {
		return true
	}
	turnDown(c.fd, c.listener.tls != nil)
	now := time.Now().UnixNano()
	if last := a.crowded.Load(); now-last >= int64(complainEvery) && a.crowded.CompareAndSwap(last, now) {
		a.addresses.tell(&a.log, c.remote.Addr())
	}
	return false
}

// deal gives a connection to the reactor with the fewest.
func (a *acceptor) deal(c newcomer) {
	best := a.idlest()
	a.count.Add(1)
	best.load.Add(1)
	best.give(c)
}

// idlest is the reactor with the fewest connections. Any goroutine may call it.
func (a *acceptor) idlest() *reactor {
	best := a.reactors[0]
	for _, r := range a.reactors[1:] {
		if r.load.Load() < best.load.Load() {
			best = r
		}
	}
	return best
}

// gone is told by a reactor that one of its connections was closed.
func (a *acceptor) gone(counted *addressCount) {
	if counted != nil {
		a.addresses.leave(counted)
	}
	if a.count.Add(-1) < a.limit && a.full.Load() {
		ring(a.wake)
	}
}

// stop ends accepting; when it returns, no more connections come to the reactors. In haste
// it waits for no connection that is only half made.
func (a *acceptor) stop(hasty bool) {
	a.hasty.Store(hasty)
	a.stopping.Store(true)
	ring(a.wake)
	<-a.stopped
}

func (a *acceptor) close() {
	a.poller.close()
	closeSocket(a.wake)
}

// accept4 accepts a connection; from nil does not ask who it is, and the size is not looked at.
func accept4(fd int, from *unix.RawSockaddrAny) (int, unix.Errno) {
	size := uint32(unix.SizeofSockaddrAny)
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(from)),
		uintptr(unsafe.Pointer(&size)), acceptFromHere, 0, 0)
	return int(n), errno
}

// addressOf decodes a socket address; of a unix socket it is invalid.
func addressOf(sa *unix.RawSockaddrAny) netip.AddrPort {
	port := func(p *uint16) uint16 { return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:]) }
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), port(&in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom16(in.Addr).Unmap(), port(&in.Port))
	}
	return netip.AddrPort{}
}
