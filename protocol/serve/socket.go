package serve

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls on client sockets. None of them can block, so they are raw: the scheduler
// is not told.

// receive reads what the socket has, up to len(b) > 0 bytes. 0 without an error is the
// end of what the client sends.
func receive(fd int, b []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// send writes what the socket takes of b.
func send(fd int, b []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// gather is a message in several pieces. It lives in the reactor, on the heap, so that
// the kernel's pointers into it stay good.
type gather struct {
	pieces [4]unix.Iovec
	head   unix.Msghdr
	count  int
	size   int
}

func (g *gather) add(b []byte) {
	if len(b) > 0 {
		g.pieces[g.count].Base = unsafe.SliceData(b)
		g.pieces[g.count].SetLen(len(b))
		g.count++
		g.size += len(b)
	}
}

// send writes what the socket takes of the pieces, and forgets them.
func (g *gather) send(fd int) (int, unix.Errno) {
	g.head.Iov = &g.pieces[0]
	g.head.SetIovlen(g.count)
	defer g.clear()
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&g.head)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

func (g *gather) clear() { *g = gather{} }

// unacked is how many bytes of what was sent the client's side has not taken yet; 0 if the
// socket is broken, which the next call on it will say.
func unacked(fd int) int64 {
	var n int32
	if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCOUTQ, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return 0
	}
	return int64(n)
}

// acknowledge has the kernel say at once that what has come has come. A client that gathers what it
// sends (Nagle's algorithm, RFC 9293 section 3.7.4) keeps its first request back until then, and the
// kernel would wait for 40 ms, since a handshake of TLS 1.3 has no answer to its last message. What
// is no TCP has no such thing.
func acknowledge(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
}

// shutdownWrite tells the client that nothing more comes. That it is gone already is
// for the next receive to say.
func shutdownWrite(fd int) {
	unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
}

// shutdown ends a socket that others hold too, in both directions.
func shutdown(fd int) { unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_RDWR, 0) }

// resetOnClose has the following close cut the connection with a reset.
func resetOnClose(fd int) {
	// If it fails the connection ends with FIN: there is nothing better left to do.
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 0})
}

// closeSocket closes a descriptor that does not linger, which never blocks. The
// descriptor is gone whatever close returns.
func closeSocket(fd int) {
	unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

// ring adds one to an eventfd. A full counter is a bell that rings already.
func ring(fd int) {
	one := uint64(1)
	unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), 8)
}

// quiet reads an eventfd back to zero.
func quiet(fd int) {
	var n uint64
	unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&n)), 8)
}

// yieldProcessor lets another process run, if one waits for this processor.
func yieldProcessor() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

func newBell() (int, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("create a doorbell: %w", err)
	}
	return fd, nil
}
