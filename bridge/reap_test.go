package bridge

import (
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dead starts a process that has ended and is not reaped.
func dead(t *testing.T) (pid int) {
	t.Helper()
	c := exec.Command("/bin/true")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	pid = c.Process.Pid
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	return pid
}

func reaped(pid int) bool {
	var info unix.Siginfo
	return unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil) == unix.ECHILD
}

// A stranger who died behind a child of our own is buried as soon as that one is gone,
// although no signal comes for it any more, and not only at the next look that is due.
func TestReaperComesAgainForWhoStoodBehind(t *testing.T) {
	runtime.LockOSThread() // the children of one thread are seen in the order of their births
	defer runtime.UnlockOSThread()
	first, own, behind := dead(t), dead(t), dead(t)
	r := reaper{own: map[int]bool{own: true}}
	stop, stopped := make(chan struct{}), make(chan struct{})
	defer func() { close(stop); <-stopped }()
	go func() { r.run(stop, time.Hour); close(stopped) }()
	await(t, "the first to be buried", func() bool {
		if err := unix.Kill(unix.Getpid(), unix.SIGCHLD); err != nil {
			t.Fatal(err)
		}
		return reaped(first)
	})
	time.Sleep(10 * time.Millisecond) // by now it stands before our own, in all likelihood
	if reaped(own) {
		t.Fatal("a child of our own was reaped")
	}
	if _, err := unix.Wait4(own, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	r.forget(own)
	await(t, "the one behind to be buried", func() bool { return reaped(behind) })
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("this did not come: %s", what)
		}
	}
}

func TestReaperLeavesOurOwn(t *testing.T) {
	own := dead(t)
	r := reaper{own: map[int]bool{own: true}}
	if !r.bury() || reaped(own) {
		t.Error("a child of our own was not left to its owner")
	}
	r.forget(own)
	if r.bury() || !reaped(own) {
		t.Error("a stranger was not buried")
	}
}
