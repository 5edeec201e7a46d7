package serve

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A poller is a reactor's epoll set. Everything in it but listeners is edge-triggered: a socket is
// registered once in its life, for EPOLLIN and EPOLLRDHUP, and the connection
// remembers whether there is something left to read. So a request costs no epoll_ctl,
// and a connection whose body nobody takes at the moment does not wake its reactor in
// a circle. Only a response that the socket does not take whole adds EPOLLOUT, until
// it is out: a unix socket reports room at every read of its peer, and that would wake
// the reactor for nothing.
type poller struct {
	fd     int
	events [256]unix.EpollEvent
}

// What epoll carries for a descriptor: a connection's index and its use count, so that
// an event of a closed connection never reaches the next one in its place. Doorbells
// have bellIndex.
const bellIndex = -1

const (
	interestIn  = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET
	interestOut = interestIn | unix.EPOLLOUT
)

func (p *poller) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("create an epoll set: %w", err)
	}
	p.fd = fd
	return nil
}

// control adds or changes a descriptor (EPOLL_CTL_*).
func (p *poller) control(operation, fd int, interest uint32, index int32, uses uint32) error {
	event := unix.EpollEvent{Events: interest, Fd: index, Pad: int32(uses)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(operation), uintptr(fd),
		uintptr(unsafe.Pointer(&event)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// look returns how many events there are, without waiting. It is a raw call: a system
// call that cannot block need not tell the scheduler.
func (p *poller) look() int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// wait waits for events, for d at most; negative: as long as it takes. The scheduler
// knows and lends the processor to others.
func (p *poller) wait(d time.Duration) int {
	ms := -1
	if d >= 0 {
		ms = int(min((d+time.Millisecond-1)/time.Millisecond, time.Hour/time.Millisecond))
	}
	n, err := unix.EpollWait(p.fd, p.events[:], ms)
	if err != nil {
		return 0 // EINTR
	}
	return n
}

// doze waits like wait, for less than a millisecond.
func (p *poller) doze(d time.Duration) int {
	ts := unix.NsecToTimespec(int64(d))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if errno == unix.ENOSYS { // before Linux 5.11
		return p.wait(d)
	}
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (p *poller) close() { closeSocket(p.fd) }
