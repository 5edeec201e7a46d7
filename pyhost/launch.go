package pyhost

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// hostFDVariable makes a started process a zygote (GB_HOST_FD_VARIABLE).
const hostFDVariable = "GOBRIDGE_HOST_FD"

// How long the zygote may take. Both are a matter of milliseconds on an idle
// machine; the limits only keep a wedged one from holding the front for ever.
const (
	bootLimit  = time.Minute
	closeLimit = 2 * time.Second
)

// SpawnLimit is how long zygote and template may take for a fork.
const SpawnLimit = 30 * time.Second

// titleRoom is how many bytes there are for a process's title.
const titleRoom = 256

// loadHost runs inside the interpreter (interpreter host). Importing the library
// would not do: inside a PyInit_ a free-threaded build turns its GIL on.
const loadHost = `import sys
if sys.path and sys.path[0] == "":
    del sys.path[0]
import ctypes
ctypes.PyDLL(sys.argv[1]).gb_host_main()`

// ErrZygoteGone says that the zygote died or closed its socket: a new one is needed.
var ErrZygoteGone = errors.New("the Python host process is gone")

// FailedError is what a zygote or worker gave as the reason of its failure (GB_MSG_FAILED).
type FailedError struct {
	Text     string // what and why, with a traceback if there is one
	ExitCode int    // the exit code it asks for
}

func (e *FailedError) Error() string { return strings.TrimRight(e.Text, "\n") }

// Zygote is a started CPython that forks workers on request. Its methods may be
// called from any goroutine.
type Zygote struct {
	Version string // sys.version of the Python it runs, on one line

	command *exec.Cmd
	done    chan struct{} // closed when it has been reaped

	mu      sync.Mutex // one question and its answer at a time
	control int        // -1 once closed
	buf     []byte
}

// Launch starts the interpreter in the host that Choose chose (helper is the names and
// sources of the Python helper's modules, as GB_MSG_BOOT wants them) and waits until it
// is up. title is how ps shows it.
func Launch(i *Interpreter, h Host, helper []byte, title string) (*Zygote, error) {
	command, library, err := hostCommand(i, h)
	if err != nil {
		return nil, err
	}
	z, err := start(command)
	if err != nil {
		return nil, err
	}
	boot := Message{Kind: MsgBoot, Payload: Settings("library", library, "program", i.Path, "title", title)}
	if err := z.boot(&boot, helper); err != nil {
		z.Close()
		return nil, fmt.Errorf("start Python %s (%s, %s host): %w", i.Version, i.Path, h, err)
	}
	return z, nil
}

// start runs the command with one end of a new control socket as descriptor 3.
func start(command *exec.Cmd) (*Zygote, error) {
	ours, theirs, err := SocketPair()
	if err != nil {
		return nil, fmt.Errorf("make the Python host's control socket: %w", err)
	}
	command.ExtraFiles = []*os.File{theirs} // becomes descriptor 3
	command.Env = hostEnvironment(os.Environ())
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	err = command.Start()
	theirs.Close()
	if err != nil {
		unix.Close(ours)
		return nil, fmt.Errorf("start the Python host: %w", err)
	}
	z := &Zygote{command: command, done: make(chan struct{}), control: ours, buf: make([]byte, MaxMessage)}
	go func() {
		command.Wait() // its error is in command.ProcessState
		close(z.done)
	}()
	return z, nil
}

// hostCommand is the process to start, and the libpython that it is to open (empty: it is an interpreter).
func hostCommand(i *Interpreter, h Host) (*exec.Cmd, string, error) {
	switch h {
	case HostEmbedded:
		// Not os.Executable: while an upgrade is being installed that path is another program.
		command := exec.Command("/proc/self/exe")
		command.Args[0] = "gobridge: python host" + strings.Repeat(" ", titleRoom) // which becomes the title (title.c)
		return command, i.Library, nil
	case HostInterpreter:
		host, err := hostLibrary()
		if err != nil {
			return nil, "", err
		}
		// The same settings as embedded: UTF-8 mode, output not buffered.
		return exec.Command(i.Path, "-X", "utf8", "-u", "-c", loadHost, host), "", nil
	}
	return nil, "", fmt.Errorf("host %q was not chosen: call Choose first", h)
}

// hostEnvironment is the environment of zygote and workers. glibc reads its arena
// limit when a process starts; by default every thread gets an arena of its own,
// which multiplies an application's memory.
func hostEnvironment(environ []string) []string {
	out := make([]string, 0, len(environ)+2)
	arenas := false
	for _, e := range environ {
		if strings.HasPrefix(e, hostFDVariable+"=") {
			continue
		}
		arenas = arenas || strings.HasPrefix(e, "MALLOC_ARENA_MAX=")
		out = append(out, e)
	}
	if !arenas {
		out = append(out, "MALLOC_ARENA_MAX=2")
	}
	return append(out, hostFDVariable+"=3")
}

// SocketPair makes a control socket: our end, and the one that its process is to get.
func SocketPair() (ours int, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil, err
	}
	return fds[0], os.NewFile(uintptr(fds[1]), "control"), nil
}

// boot has the zygote start Python with the helper's source.
func (z *Zygote) boot(boot *Message, helper []byte) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	fd, err := Memfd("gobridge-helper")
	if err != nil {
		return err
	}
	source := os.NewFile(uintptr(fd), "helper")
	defer source.Close()
	if _, err := source.WriteAt(helper, 0); err != nil { // the offset is shared with the reader: it stays 0
		return fmt.Errorf("write the Python helper: %w", err)
	}
	answer, err := z.ask(boot, source, MsgBooted, bootLimit)
	if err != nil {
		return err
	}
	z.Version = strings.ReplaceAll(string(answer.Payload), "\n", " ")
	return nil
}

// Spawn asks for a worker of this incarnation and returns our end of its socket,
// which is the caller's. The worker is then forked and the front's own child; its
// first message is HELLO. ErrZygoteGone asks for a new zygote.
func (z *Zygote) Spawn(incarnation uint32) (control int, err error) {
	return z.fork(&Message{Kind: MsgSpawn, A: uint64(incarnation)})
}

// Template asks for a template of this incarnation, which begins to import the
// application that the settings name, and is like Spawn else. What it says next is
// HELLO, then IMPORTED or FAILED.
func (z *Zygote) Template(incarnation uint32, settings []byte) (control int, err error) {
	return z.fork(&Message{Kind: MsgTemplate, A: uint64(incarnation), Payload: settings})
}

// fork asks for a process, which gets the socket that it brings along.
func (z *Zygote) fork(m *Message) (control int, err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	ours, theirs, err := SocketPair()
	if err != nil {
		return -1, fmt.Errorf("make a worker's control socket: %w", err)
	}
	answer, err := z.ask(m, theirs, MsgSpawned, SpawnLimit)
	theirs.Close()
	if err == nil && answer.A != m.A {
		z.command.Process.Kill()
		err = fmt.Errorf("the Python host forked worker %d instead of %d", answer.A, m.A)
	}
	if err != nil {
		unix.Close(ours)
		return -1, err
	}
	return ours, nil
}

// ask sends one message with one descriptor and waits for the answer of the given
// kind; z.mu is held. A zygote that is late or says something else is of no further
// use: its next answer could be to this question. It is killed.
func (z *Zygote) ask(m *Message, descriptor *os.File, want uint32, limit time.Duration) (Message, error) {
	if z.control < 0 {
		return Message{}, ErrZygoteGone
	}
	if err := Send(z.control, m, int(descriptor.Fd())); err != nil {
		return Message{}, z.gone(err)
	}
	if err := waitReadable(z.control, limit); err != nil {
		z.command.Process.Kill()
		return Message{}, fmt.Errorf("the Python host gave no answer: %w", err)
	}
	answer, fds, err := Receive(z.control, z.buf)
	if err != nil {
		return Message{}, z.gone(err)
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	switch answer.Kind {
	case want:
		return answer, nil
	case MsgFailed:
		return Message{}, &FailedError{Text: string(answer.Payload), ExitCode: int(answer.B)}
	}
	z.command.Process.Kill()
	return Message{}, fmt.Errorf("the Python host answered with message %d instead of %d", answer.Kind, want)
}

// gone turns a broken control socket into ErrZygoteGone, and says how the process ended if it has.
func (z *Zygote) gone(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		z.command.Process.Kill()
		return fmt.Errorf("speak with the Python host: %w", err)
	}
	select {
	case <-z.done:
		return fmt.Errorf("%w (%v)", ErrZygoteGone, z.command.ProcessState)
	case <-time.After(closeLimit): // it closed its socket, and lives
		return ErrZygoteGone
	}
}

// waitReadable waits for a packet or the end of the socket. A thread sleeps here
// meanwhile; there is one question at a time, and seldom any.
func waitReadable(fd int, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("nothing within %v", limit)
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Pid is the zygote's process id. The caller must not reap it: os/exec does.
func (z *Zygote) Pid() int { return z.command.Process.Pid }

// Done is closed when the zygote has ended and is reaped. Its workers live on.
func (z *Zygote) Done() <-chan struct{} { return z.done }

// Exit says how the zygote ended ("exit status 1", "signal: killed"). Only after Done.
func (z *Zygote) Exit() string { return z.command.ProcessState.String() }

// Close lets the zygote go, kills it if it does not, and returns when it is reaped.
// Its workers live on.
func (z *Zygote) Close() {
	if !z.mu.TryLock() { // a question is open: with the process gone it has its answer
		z.command.Process.Kill()
		z.mu.Lock()
	}
	if z.control >= 0 {
		unix.Close(z.control)
		z.control = -1
	}
	z.mu.Unlock()
	select {
	case <-z.done:
	case <-time.After(closeLimit):
		z.command.Process.Kill()
		<-z.done
	}
}

// Memfd is a file in memory, closed on exec, that may be sealed and cannot be made
// executable. Where vm.memfd_noexec is 2 only such are allowed; kernels before 6.3
// do not know the flag.
func Memfd(name string) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, fmt.Errorf("create a file in memory (%s): %w", strconv.Quote(name), err)
	}
	return fd, nil
}
