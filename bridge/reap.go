package bridge

import (
	"os"
	"os/signal"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// waitPidfd reaps the child behind a pidfd if it is dead; info.pid stays 0 if it lives.
func waitPidfd(pidfd int, info *siginfo) error {
	for {
		_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_PIDFD, uintptr(pidfd),
			uintptr(unsafe.Pointer(info)), unix.WEXITED|unix.WNOHANG, 0, 0)
		switch errno {
		case 0, unix.EAGAIN:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// reaper buries strangers: the front is a subreaper, so what an application starts and
// abandons becomes its child. Its own children, the zygotes and the workers, are known
// by pid and left to those who wait for them.
type reaper struct {
	mu      sync.Mutex
	own     map[int]bool
	forking int // children of our own are being born, whose pids are not known yet
}

// pause and resume enclose the birth of a child of our own.
func (r *reaper) pause() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forking++
}

func (r *reaper) resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forking--
}

func (r *reaper) adopt(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own[pid] = true
}

func (r *reaper) forget(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.own, pid)
}

// How long the reaper waits before it looks again without being told to: when a child of
// our own stood in its way, which is for its owner to reap in a moment, and else.
const (
	reapSoon = time.Millisecond
	reapIdle = time.Second
)

// run reaps until stop is closed, looking at least every idle.
func (r *reaper) run(stop <-chan struct{}, idle time.Duration) {
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	defer signal.Stop(died)
	next := idle
	again := time.NewTimer(next)
	defer again.Stop()
	for {
		select {
		case <-stop:
			return
		case <-died:
			next = reapSoon
		case <-again.C:
			next = min(2*next, idle) // one whose owner does not come is not looked at all the time
		}
		if !r.bury() {
			next = idle
		}
		again.Reset(next)
	}
}

// bury reaps dead strangers. It reports whether a child of our own stood in its way: who
// is dead behind that one is not seen, and no signal comes for them again.
func (r *reaper) bury() (blocked bool) {
	for {
		var info siginfo
		_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_ALL, 0, uintptr(unsafe.Pointer(&info)),
			unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, 0, 0)
		if errno != 0 || info.pid == 0 {
			return false
		}
		r.mu.Lock()
		stranger := !r.own[int(info.pid)] && r.forking == 0
		if stranger {
			var status unix.WaitStatus
			_, err := unix.Wait4(int(info.pid), &status, unix.WNOHANG, nil)
			stranger = err == nil
		}
		r.mu.Unlock()
		if !stranger {
			return true
		}
	}
}
