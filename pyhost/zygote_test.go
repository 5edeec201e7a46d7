package pyhost_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
	"gobridge/python"
)

// TestMain makes this process what the front is: the parent of orphaned descendants.
func TestMain(m *testing.M) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// everyHost runs f on each interpreter of this machine, in each host that it can have.
func everyHost(t *testing.T, f func(t *testing.T, i *pyhost.Interpreter, h pyhost.Host)) {
	inHosts(t, pyhost.MachinePythons(t), f)
}

// lastHost does it with the last interpreter of the list, the distribution's own.
func lastHost(t *testing.T, f func(t *testing.T, i *pyhost.Interpreter, h pyhost.Host)) {
	all := pyhost.MachinePythons(t)
	inHosts(t, all[len(all)-1:], f)
}

func inHosts(t *testing.T, paths []string, f func(t *testing.T, i *pyhost.Interpreter, h pyhost.Host)) {
	hosted := 0
	for _, path := range paths {
		i, err := pyhost.Find(t.Context(), pyhost.FindOptions{Python: path})
		if err != nil {
			t.Logf("not hosted: %v", err)
			continue
		}
		for _, h := range []pyhost.Host{pyhost.HostEmbedded, pyhost.HostInterpreter} {
			if h, err = i.Choose(h); err != nil {
				if h == pyhost.HostEmbedded && i.Library == "" {
					t.Logf("not embedded: %v", err)
					continue
				}
				t.Fatal(err)
			}
			hosted++
			t.Run(i.Version+" "+string(h), func(t *testing.T) { f(t, i, h) })
		}
	}
	if hosted < 2 {
		t.Errorf("only %d interpreters and hosts were tested", hosted)
	}
}

func launch(t *testing.T, i *pyhost.Interpreter, h pyhost.Host) *pyhost.Zygote {
	t.Helper()
	z, err := pyhost.Launch(i, h, python.Helper, "gobridge: test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(z.Close)
	return z
}

func TestZygotesBootAndFork(t *testing.T) {
	everyHost(t, func(t *testing.T, i *pyhost.Interpreter, h pyhost.Host) {
		z := launch(t, i, h)
		if !strings.HasPrefix(z.Version, i.Version) {
			t.Errorf("the interpreter is %s, the zygote runs %s", i.Version, z.Version)
		}
		for incarnation := range uint32(2) {
			control, err := z.Spawn(incarnation)
			if err != nil {
				t.Fatal(err)
			}
			hello, fds, err := pyhost.Receive(control, make([]byte, pyhost.MaxMessage))
			if err != nil || hello.Kind != pyhost.MsgHello || len(fds) != 1 {
				t.Fatalf("the worker began with %+v, %v, %v", hello, fds, err)
			}
			pid := int(hello.A)
			if parent := parentOf(t, pid); parent != os.Getpid() {
				t.Errorf("worker %d is a child of %d, not of ours", pid, parent)
			}
			unix.Close(control) // the front is gone: so goes the worker
			var status unix.WaitStatus
			if _, err := unix.Wait4(pid, &status, 0, nil); err != nil || !status.Exited() || status.ExitStatus() != 0 {
				t.Errorf("the worker ended with %#x, %v", status, err)
			}
			unix.Close(fds[0])
		}
	})
}

// parentOf reads the parent from /proc.
func parentOf(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "PPid:"); ok {
			parent, err := strconv.Atoi(strings.TrimSpace(rest))
			if err != nil {
				t.Fatal(err)
			}
			return parent
		}
	}
	t.Fatal("no parent")
	return 0
}

func TestWorkersOutliveTheirZygote(t *testing.T) {
	everyHost(t, func(t *testing.T, i *pyhost.Interpreter, h pyhost.Host) {
		z := launch(t, i, h)
		control, err := z.Spawn(1)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(control)
		buf := make([]byte, pyhost.MaxMessage)
		hello, fds, err := pyhost.Receive(control, buf)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fds[0])
		if err := unix.Kill(z.Pid(), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-z.Done()
		if _, err := z.Spawn(2); !errors.Is(err, pyhost.ErrZygoteGone) {
			t.Errorf("a dead zygote forked: %v", err)
		}
		if err := unix.PidfdSendSignal(fds[0], 0, nil, 0); err != nil {
			t.Errorf("its worker died with it: %v", err)
		}
		if err := unix.PidfdSendSignal(fds[0], unix.SIGKILL, nil, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Wait4(int(hello.A), nil, 0, nil); err != nil {
			t.Error(err)
		}
		if _, _, err := pyhost.Receive(control, buf); !errors.Is(err, io.EOF) {
			t.Errorf("a dead worker's socket: %v", err)
		}
	})
}

func TestAZygoteThatCannotStartSaysWhy(t *testing.T) {
	text := filepath.Join(t.TempDir(), "libpython3.so")
	if err := os.WriteFile(text, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	i := &pyhost.Interpreter{Path: "/usr/bin/python3", Version: "3.x", Library: text}
	_, err := pyhost.Launch(i, pyhost.HostEmbedded, python.Helper, "")
	failed, ok := errors.AsType[*pyhost.FailedError](err)
	if !ok || failed.ExitCode == 0 || !strings.Contains(err.Error(), text) {
		t.Errorf("a library that is none: %v", err)
	}
	everyHost(t, func(t *testing.T, i *pyhost.Interpreter, h pyhost.Host) {
		_, err := pyhost.Launch(i, h, pyhost.Settings("_gobridge", "raise ValueError('the helper is broken')"), "")
		if _, ok := errors.AsType[*pyhost.FailedError](err); !ok || !strings.Contains(err.Error(), "the helper is broken") {
			t.Errorf("a helper that raises: %v", err)
		}
	})
}
