package pyhost

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// actor is a Python program that plays a zygote: `answer` is what it does with each
// message. The real one is tested in zygote_test.go.
const actor = `
import os, socket, struct
control = socket.socket(fileno=int(os.environ["GOBRIDGE_HOST_FD"]))

def receive():
    packet, fds, _, _ = socket.recv_fds(control, 131072, 16)
    if not packet:
        os._exit(0)
    kind, size, a, b = struct.unpack("<IIQQ", packet[:24])
    return kind, a, b, packet[24:], fds

def send(kind, a=0, b=0, payload=b""):
    control.send(struct.pack("<IIQQ", kind, len(payload), a, b) + payload)

while True:
    kind, a, b, payload, fds = receive()
`

// play starts an actor. Its body is the loop's.
func play(t *testing.T, body string) *Zygote {
	t.Helper()
	body = "    " + strings.ReplaceAll(strings.TrimSpace(body), "\n", "\n    ")
	command := exec.Command(aPython(t), "-c", actor+body)
	z, err := start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(z.Close)
	return z
}

func TestBootHandsOverSettingsAndHelper(t *testing.T) {
	z := play(t, `
helper = os.read(fds[0], 1000)
ok = kind == 1 and payload == b"library\0/l.so\0" and helper == b"print('the helper')" and len(fds) == 1
send(16 if ok else 19, payload=b"3.11.2 (main)\n[GCC]" if ok else repr((kind, payload, helper)).encode())`)
	err := z.boot(&Message{Kind: MsgBoot, Payload: Settings("library", "/l.so")}, []byte("print('the helper')"))
	if err != nil {
		t.Fatal(err)
	}
	if z.Version != "3.11.2 (main) [GCC]" {
		t.Errorf("version %q", z.Version)
	}
}

func TestSpawnHandsOverTheWorkersSocket(t *testing.T) {
	z := play(t, `
socket.socket(fileno=fds[0]).send(struct.pack("<IIQQ", 17, 0, os.getpid(), 0))
send(20, a=a)`)
	before := openDescriptors(t)
	for incarnation := range uint32(3) {
		control, err := z.Spawn(incarnation)
		if err != nil {
			t.Fatal(err)
		}
		hello, _, err := Receive(control, make([]byte, MaxMessage))
		if err != nil || hello.Kind != MsgHello || hello.A != uint64(z.Pid()) {
			t.Errorf("the worker's socket gave %+v, %v", hello, err)
		}
		if err := unix.Close(control); err != nil {
			t.Error(err)
		}
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestSpawnErrors(t *testing.T) {
	for _, c := range []struct {
		name, body string
		gone       bool // ErrZygoteGone
		code       int  // FailedError's
		says       string
	}{
		{"it fails", `send(19, a=a, b=1, payload=b"fork: no memory\n")`, false, 1, "fork: no memory"},
		{"it dies", `os.kill(os.getpid(), 9)`, true, 0, "signal: killed"},
		{"it exits", `os._exit(7)`, true, 0, "exit status 7"},
		{"it answers for another", `send(20, a=a+1)`, false, 0, "worker 43 instead of 42"},
		{"it answers something else", `send(16)`, false, 0, "message 16 instead of 20"},
		{"it answers too little", `control.send(b"x")`, false, 0, "does not have the size"},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := play(t, c.body)
			before := openDescriptors(t)
			_, err := z.Spawn(42)
			if err == nil {
				t.Fatal("spawned")
			}
			failed, isFailed := errors.AsType[*FailedError](err)
			if errors.Is(err, ErrZygoteGone) != c.gone || isFailed != (c.code != 0) || isFailed && failed.ExitCode != c.code {
				t.Errorf("error %#v", err)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not contain %q", err, c.says)
			}
			if after := openDescriptors(t); after > before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}

func TestCloseEndsAZygoteThatListensAndOneThatDoesNot(t *testing.T) {
	for name, body := range map[string]string{
		"listens":     `pass`,
		"is deaf":     "send(20, a=a)\nimport time\nwhile True: time.sleep(60)",
		"stops in it": "send(20, a=a)\nos.kill(os.getpid(), 19)",
	} {
		t.Run(name, func(t *testing.T) {
			z := play(t, body)
			if name != "listens" {
				control, err := z.Spawn(1)
				if err != nil {
					t.Fatal(err)
				}
				unix.Close(control)
			}
			z.Close()
			<-z.Done()
			if _, err := z.Spawn(1); !errors.Is(err, ErrZygoteGone) {
				t.Errorf("spawning after close: %v", err)
			}
			z.Close() // again: nothing happens
			if err := unix.Kill(z.Pid(), 0); !errors.Is(err, unix.ESRCH) {
				t.Errorf("its process is still there: %v", err)
			}
		})
	}
}

func TestCloseInterruptsAnOpenQuestion(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "asked")
	if err := unix.Mkfifo(ready, 0o600); err != nil {
		t.Fatal(err)
	}
	z := play(t, "open("+quote(ready)+", 'w').close()\nimport time\ntime.sleep(3600)")
	answered := make(chan error)
	go func() {
		_, err := z.Spawn(1)
		answered <- err
	}()
	if fd, err := unix.Open(ready, unix.O_RDONLY, 0); err != nil { // opens when the actor has the question
		t.Fatal(err)
	} else {
		unix.Close(fd)
	}
	z.Close()
	if err := <-answered; !errors.Is(err, ErrZygoteGone) {
		t.Errorf("the open question ended with %v", err)
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `\'`) + "'" }

func TestHostEnvironment(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{[]string{"A=1"}, []string{"A=1", "MALLOC_ARENA_MAX=2", "GOBRIDGE_HOST_FD=3"}},
		{[]string{"GOBRIDGE_HOST_FD=9", "MALLOC_ARENA_MAX=8"}, []string{"MALLOC_ARENA_MAX=8", "GOBRIDGE_HOST_FD=3"}},
	} {
		if got := hostEnvironment(c.in); !slices.Equal(got, c.want) {
			t.Errorf("hostEnvironment(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestMemfdCanBeSealedAndCloses(t *testing.T) {
	fd, err := Memfd("test")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, 4096); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(fd, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("a sealed file was cut: %v", err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags %#x, %v", flags, err)
	}
}
