package bridge

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// worker is a worker process as the front sees it. It is the front's own child; it is
// known, signalled and waited for by its pidfd alone.
type worker struct {
	incarnation uint32
	pid         int
	pidfd       *os.File
	control     *os.File
	evidence    *evidence
	failure     *StartError // what it said when it could not start
	slot        *slot       // whose requests it takes, once it is ready
	hearing     hearing

	// Guarded by the generation's mutex.
	imported bool      // it is a template, or was, and has imported the application in time
	ready    time.Time // when it was; zero until then
	late     bool      // it was killed because it was not ready in time
	stack    string    // where it was then

	limits     Renewal // its own
	leaves     bool    // another one has its place: it is to finish and to go
	overstayed bool    // it was killed because that took too long
	recalled   bool    // what goes on without an end in it was told to end
	stopped    bool    // the application has stopped its event loop: it goes by itself

	expired  bool   // it was killed because of a request's time limit
	disowned string // what it had done when it was killed for having no socket any more
}

// greet takes over the socket of a process that has just been forked, and receives its
// pidfd.
func greet(fd int, incarnation uint32) (*worker, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("prepare a worker's socket: %w", err)
	}
	evidence, err := newEvidence()
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	w := &worker{incarnation: incarnation, control: os.NewFile(uintptr(fd), "worker"), evidence: evidence}
	m, fds, err := w.receive()
	switch {
	case err != nil:
		err = fmt.Errorf("the new worker died before it said anything: %w", err)
	case m.Kind == pyhost.MsgFailed:
		err = &StartError{Text: string(m.Payload), Code: int(m.B)}
	case m.Kind != pyhost.MsgHello || len(fds) != 1:
		err = fmt.Errorf("the new worker said %d with %d descriptors instead of its name", m.Kind, len(fds))
	default:
		err = unix.SetNonblock(fds[0], true)
	}
	if err != nil {
		for _, fd := range fds {
			unix.Close(fd)
		}
		w.control.Close()
		w.evidence.close()
		return nil, err
	}
	w.pid, w.pidfd = int(m.A), os.NewFile(uintptr(fds[0]), "pidfd")
	return w, nil
}

// receive waits for the worker's next message. The end of the socket is io.EOF.
func (w *worker) receive() (m pyhost.Message, fds []int, err error) {
	raw, err := w.control.SyscallConn()
	if err != nil {
		return m, nil, err
	}
	buf := make([]byte, pyhost.MaxMessage)
	waited := raw.Read(func(fd uintptr) bool {
		m, fds, err = pyhost.Receive(int(fd), buf)
		return !errors.Is(err, unix.EAGAIN)
	})
	if waited != nil { // EAGAIN, else
		err = waited
	}
	return m, fds, err
}

// receiveLeft receives what a dead process has said, without a wait. io.EOF: nothing more.
func (w *worker) receiveLeft() (m pyhost.Message, fds []int, err error) {
	raw, err := w.control.SyscallConn()
	if err != nil {
		return m, nil, err
	}
	closed := raw.Control(func(fd uintptr) { m, fds, err = pyhost.Receive(int(fd), make([]byte, pyhost.MaxMessage)) })
	if closed != nil || errors.Is(err, unix.EAGAIN) {
		err = io.EOF
	}
	return m, fds, err
}

// receiveUntil waits for the next message until the deadline, or the death of a process for
// which hushWhenDead waits, too. io.EOF: there is none.
func (w *worker) receiveUntil(deadline time.Time) (m pyhost.Message, err error) {
	if err := w.control.SetReadDeadline(deadline); err != nil {
		return m, err
	}
	if w.hasEnded() { // then hush has come too early
		w.hush()
	}
	m, fds, err := w.receive()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		m, fds, err = w.receiveLeft()
	}
	closeAll(fds)
	return m, err
}

func (w *worker) send(m *pyhost.Message, fds ...int) error {
	raw, err := w.control.SyscallConn()
	if err != nil {
		return err
	}
	waited := raw.Write(func(fd uintptr) bool {
		err = pyhost.Send(int(fd), m, fds...)
		return !errors.Is(err, unix.EAGAIN)
	})
	if err == nil {
		err = waited
	}
	return err
}

// trySend sends a message if there is room for it, and does not wait.
func (w *worker) trySend(m *pyhost.Message, fds ...int) error {
	raw, err := w.control.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) { err = pyhost.Send(int(fd), m, fds...) }); e != nil {
		return e
	}
	return err
}

// setup gives the worker its segment, its doorbells, its file for evidence and the
// application's name.
func (w *worker) setup(g *generation, s *slot) error {
	shared := s.gen.seg.worker(s.index)
	atomic.StoreUint32(&shared.Put, 0)
	atomic.StoreUint32(&shared.Taken, 0)
	atomic.StoreUint32(&shared.Sleeping, 0)
	atomic.StoreUint32(&shared.Pace, 0)
	atomic.StoreUint32(&shared.Incarnation, w.incarnation) //gb:step new_incarnation
	fds := []int{s.gen.seg.fd, s.doorbell}
	for _, p := range g.bridge.ports {
		fds = append(fds, p.doorbell)
	}
	fds = append(fds, w.evidence.fd)
	return w.send(&pyhost.Message{Kind: pyhost.MsgSetup, A: uint64(s.index), B: uint64(w.incarnation),
		Payload: pyhost.Settings(append(g.bridge.config.forImport(), "title", g.titleOf(s))...)}, fds...)
}

// titleOf is how ps shows the slot's worker.
func (g *generation) titleOf(s *slot) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bridge.config.title("worker " + strconv.Itoa(s.number))
}

// title is how ps shows a process.
func (c *Config) title(process string) string { return "gobridge: " + process + " " + c.Application }

// forImport are the settings with which the application is imported, as names and values.
func (c *Config) forImport() []string {
	return []string{"application", c.Application, "chdir", c.Dir, "interface", c.Interface,
		"loop", c.Loop, "lifespan", c.Lifespan, "threads", strconv.Itoa(c.Threads), "multiprocess", flag(c.Workers > 1), "pathsend", flag(!c.NoPathsend)}
}

// flag is a yes or no as the settings of the control messages write it.
func flag(yes bool) string {
	if yes {
		return "1"
	}
	return "0"
}

// signal sends a signal to the process, which cannot be another one.
func (w *worker) signal(sig unix.Signal) error {
	raw, err := w.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); e != nil {
		return e
	}
	return err
}

// death says how a process ended.
type death struct {
	code   int         // of exit
	signal unix.Signal // 0: it exited
	core   bool
	memory string // why the kernel has most likely killed it for want of memory; "": it has not
}

func (d death) String() string {
	if d.signal != 0 {
		text := "was killed by " + unix.SignalName(d.signal)
		if d.core {
			text += " (core dumped)"
		}
		if d.memory != "" {
			text += ", most likely by the kernel because " + d.memory
		}
		return text
	}
	return "exited with code " + strconv.Itoa(d.code)
}

// siginfo is the part of siginfo_t that waitid fills for a child (64-bit Linux).
type siginfo struct {
	signo, errno, code, _ int32
	pid                   int32
	uid                   uint32
	status                int32
	_                     [128 - 28]byte
}

// Codes of a child's siginfo.
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

// wait returns when the process is dead, having reaped it.
func (w *worker) wait() (death, error) {
	raw, err := w.pidfd.SyscallConn()
	if err != nil {
		return death{}, err
	}
	var info siginfo
	waited := raw.Read(func(fd uintptr) bool {
		err = waitPidfd(int(fd), &info)
		return err != nil || info.pid != 0
	})
	if err == nil {
		err = waited
	}
	if err != nil {
		return death{}, fmt.Errorf("wait for worker %d: %w", w.pid, err)
	}
	if info.code == cldExited {
		return death{code: int(info.status)}, nil
	}
	return death{signal: unix.Signal(info.status), core: info.code == cldDumped}, nil
}

// hush ends the wait for what a dead process says. Its socket need not end by itself: a
// process that it has left behind can have it, too.
func (w *worker) hush() {
	_ = w.control.SetReadDeadline(time.Now()) // it fails on a socket that is closed: nobody waits there
}

// hushWhenDead waits for the death, and leaves it to wait to reap.
func (w *worker) hushWhenDead() {
	if raw, err := w.pidfd.SyscallConn(); err == nil {
		_ = raw.Read(pidfdEnded) // it fails when the pidfd is closed: it was reaped
	}
	w.hush()
}

// hasEnded says whether the process is dead, reaped or not.
func (w *worker) hasEnded() (ended bool) {
	raw, err := w.pidfd.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { ended = pidfdEnded(fd) })
	}
	return ended || err != nil
}

func pidfdEnded(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
}

func (w *worker) close() {
	w.control.Close()
	w.pidfd.Close()
	w.evidence.close()
}
