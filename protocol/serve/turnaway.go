package serve

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// A listener is not simply closed: the kernel connects clients without asking the server,
// and closing resets those whose turn to be accepted has not come. So a listener first turns
// away who comes anew, then everyone who is connected is accepted, and then it is closed.

// handshakeTime is for how long clients whose connection is half made when the listener
// turns others away may complete it. On the machine itself that takes no time.
const (
	handshakeTime     = 200 * time.Millisecond
	handshakeTimeHere = 5 * time.Millisecond
)

// turnAway has the kernel take no new connections. Those that it has taken can be accepted
// afterwards.
func (l *Listener) turnAway() error {
	var err error
	if l.path != "" {
		err = unix.Shutdown(l.fd, unix.SHUT_RD) // connecting fails from here on
	} else {
		err = dropFirstPackets(l.fd)
	}
	if err != nil {
		return fmt.Errorf("turn new clients away from %s: %w", l.url, err)
	}
	return nil
}

// handshake is how long the last connections may take to be made.
func (l *Listener) handshake() time.Duration {
	switch {
	case l.path != "":
		return 0
	case l.here:
		return handshakeTimeHere
	}
	return handshakeTime
}

// A TCP socket that listens has no such call: shutdown resets whoever waits to be accepted.
// But a filter sees each packet before TCP does, and a packet with SYN is the first one of a
// client. To that client its packet was lost: it sends it again after a second, and is
// refused by then. Accepted connections inherit the filter, in which nothing concerns them.
const (
	tcpFlags = 13 // where they stand in a TCP header, at which a listener's filter begins
	tcpSYN   = 0x02
)

func dropFirstPackets(fd int) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: tcpFlags},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: tcpSYN, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1<<32 - 1},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: unsafe.SliceData(filter)}
	err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	runtime.KeepAlive(filter)
	return err
}

// takeLast accepts everyone who is connected already, the limit of connections or not: they
// believe that they are served, and nobody comes after them. Without a way to turn others
// away it takes a backlog's worth and leaves it at that.
func (a *acceptor) takeLast() {
	a.last = true
	var longest time.Duration
	for _, l := range a.listeners {
		if err := l.turnAway(); err != nil {
			a.notTurned(err)
			continue
		}
		if !a.hasty.Load() {
			longest = max(longest, l.handshake())
		}
	}
	out := time.Now().Add(longest)
	for tries := 0; ; tries++ {
		short := false
		for _, l := range a.listeners {
			short = a.empty(l) || short
		}
		a.tell()
		left := time.Until(out)
		if left <= 0 && !(short && tries < lastTries) || a.hasty.Load() {
			return
		}
		a.await(max(left, time.Millisecond))
	}
}

// notTurned says that clients can come until the listener is closed. Some kernels let only
// CAP_NET_ADMIN filter what comes by TCP: that is no news at each stop of a server without it,
// and there is nothing to be done about it.
func (a *acceptor) notTurned(err error) {
	level := zerolog.WarnLevel
	if errors.Is(err, unix.EPERM) {
		level = zerolog.DebugLevel
	}
	a.log.WithLevel(level).Err(err).Msg("who connects in this moment may be reset")
}

// lastTries is how often the last connections are asked for while descriptors are short: for
// a second, in which connections end and make room.
const lastTries = int(time.Second / acceptPause)

// empty accepts until nobody waits. It reports whether somebody may be left there for lack of
// descriptors.
func (a *acceptor) empty(l *Listener) (short bool) {
	for n := 0; n <= l.backlog; n += acceptBatch {
		more, errno := a.drainBacklog(l)
		if !more {
			return errno != 0 && !errors.Is(errno, unix.EAGAIN) && !errors.Is(errno, unix.EINVAL)
		}
	}
	return false
}

// await waits for a TCP listener to have a connection. Not for a unix socket: turned away
// from, it has an event for ever.
func (a *acceptor) await(d time.Duration) {
	var watched []unix.PollFd
	for _, l := range a.listeners {
		if l.path == "" {
			watched = append(watched, unix.PollFd{Fd: int32(l.fd), Events: unix.POLLIN})
		}
	}
	// EINTR ends it early, which is harmless.
	unix.Poll(watched, int((d+time.Millisecond-1)/time.Millisecond))
}
