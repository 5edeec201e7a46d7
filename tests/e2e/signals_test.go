package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gobridge/tests/server"
)

// TestDrain sends the signal that ends the server while requests run and wait: each of
// them is answered, nobody else gets in, and the exit code is 0.
func TestDrain(t *testing.T) {
	withReactors(t, func(t *testing.T, args []string) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(sig.String(), func(t *testing.T) {
				drains(t, server.Config{Args: args}, func(s *server.Server) { must(t, s.Signal(sig)) })
			})
		}
	})
}

// TestDrainOfTree sends the signal to each process of the server, as systemd does by default
// with those of the cgroup; behind it SIGCONT and SIGHUP, as when it is told so.
func TestDrainOfTree(t *testing.T) {
	onEach(t, func(t *testing.T, p *python, host string) {
		drains(t, server.Config{Args: []string{"--python", p.path, "--host", host}}, func(s *server.Server) {
			for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT, syscall.SIGHUP} {
				for _, pid := range s.Tree() {
					if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
						t.Error(err)
					}
				}
			}
		})
	})
}

// TestDrainOfGroup sends the signal to the server's group.
func TestDrainOfGroup(t *testing.T) {
	group := server.Config{Group: true}
	t.Run("the group", func(t *testing.T) {
		drains(t, group, func(s *server.Server) { must(t, syscall.Kill(-s.Pid(), syscall.SIGTERM)) })
	})
	t.Run("the process and the group", func(t *testing.T) { // what timeout(1) does
		drains(t, group, func(s *server.Server) {
			must(t, s.Signal(syscall.SIGTERM))
			must(t, syscall.Kill(-s.Pid(), syscall.SIGTERM))
		})
	})
	t.Run("Ctrl-C in a terminal", func(t *testing.T) {
		keyboard, terminal := openTerminal(t)
		drains(t, server.Config{Terminal: terminal}, func(s *server.Server) {
			_, err := keyboard.Write([]byte{'C' - '@'})
			must(t, err)
		})
	})
	t.Run("a terminal in whose background it is", func(t *testing.T) {
		_, terminal := openTerminal(t)
		drains(t, server.Config{Terminal: terminal}, func(s *server.Server) { countsWorkers(t, s); must(t, s.Signal(syscall.SIGTERM)) })
	})
	t.Run("a terminal that goes away", func(t *testing.T) {
		keyboard, terminal := openTerminal(t)
		drains(t, server.Config{Terminal: terminal}, func(s *server.Server) {
			must(t, terminal.Close())
			must(t, keyboard.Close())
		})
	})
}

// countsWorkers sends what stops a job by default, and has gunicorn count its workers.
func countsWorkers(t *testing.T, s *server.Server) {
	t.Helper()
	for _, sig := range []syscall.Signal{syscall.SIGTTOU, syscall.SIGTTIN} {
		must(t, s.Signal(sig))
	}
	if _, err := s.AwaitLog("SIGTTIN: the number of workers stays as it is"); err != nil {
		t.Error(err)
	}
}

// drains starts the server of a configuration and ends it by end while requests run and wait.
func drains(t *testing.T, c server.Config, end func(s *server.Server)) {
	t.Helper()
	noted, variable := notes(t)
	c.Application, c.Env, c.Args = "behaviour:application", []string{variable}, append(c.Args, "--workers", "2")
	s := start(t, c)
	idle := connect(t, s)
	idle.send(t, "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
	if a := idle.receive("GET"); a.status != http.StatusOK {
		t.Fatalf("%+v", a)
	}
	const n = 6 // two run, the others wait for them
	answers := make(chan answer)
	for range n {
		go func() { answers <- get(s, "/patient") }()
	}
	awaitBegun(t, noted, "patient", 2)
	err := server.Await(func() bool {
		u, err := s.Usage()
		return err == nil && u.Streams+u.Line >= n
	})
	must(t, err)
	end(s)
	if _, err := s.AwaitLog("finishing what is running"); err != nil {
		t.Error(err)
	}
	must(t, os.WriteFile(noted+".go", nil, 0o600))
	for range n {
		if a := <-answers; a.err != nil || a.body != "waited" {
			t.Errorf("a request that had come before: %+v", a)
		}
	}
	if code := s.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if conn, err := s.Dial(); err == nil {
		conn.Close()
		t.Error("somebody still listens")
	}
	if _, err := idle.in.ReadByte(); err == nil {
		t.Error("an idle connection was sent something")
	}
}

// openTerminal opens a pair of pseudo terminals: what is written to the keyboard's end is
// typed in the terminal.
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { keyboard.Close() })
	must(t, unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	must(t, err)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { terminal.Close() })
	return keyboard, terminal
}

// TestDrainDelay: after the signal the server serves on, tells its clients to come by new
// connections, and says that it leaves. Only then the graceful time begins.
func TestDrainDelay(t *testing.T) {
	control := filepath.Join(shortDir(t), "control")
	s, noted := startBehaviour(t, "--workers", "2", "--control", control, "--drain-delay", "8s", "--graceful-timeout", "8s")
	answers := make(chan answer)
	go func() { answers <- get(s, "/sleep?seconds=9") }()
	awaitNote(t, noted, "sleep")
	old := connect(t, s)
	old.send(t, "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
	if a := old.receive("GET"); a.err != nil || a.status != http.StatusOK {
		t.Fatalf("before: %+v", a)
	}
	must(t, s.Signal(syscall.SIGTERM))
	if _, err := s.AwaitLog("SIGTERM: serving on for 8s"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*connection{old, connect(t, s)} {
		c.send(t, "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
		if a := c.receive("GET"); a.err != nil || a.status != http.StatusOK {
			t.Errorf("meanwhile: %+v", a)
		}
		if _, err := c.in.ReadByte(); err != io.EOF {
			t.Errorf("the connection does not end: %v", err)
		}
	}
	if _, log := command(t, server.Config{}, 8, "status", "--control", control); !strings.Contains(log, "the server is draining") {
		t.Errorf("the status: %s", log)
	}
	if a := <-answers; a.err != nil || a.body != "slept" {
		t.Errorf("a request within both times together: %+v", a)
	}
	if code := s.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestSignalInTheDelay: a second signal ends it.
func TestSignalInTheDelay(t *testing.T) {
	s, noted := startBehaviour(t, "--workers", "1", "--drain-delay", "1h")
	go get(s, "/sleep?seconds=600")
	awaitNote(t, noted, "sleep")
	must(t, s.Signal(syscall.SIGTERM))
	if _, err := s.AwaitLog("serving on for 1h"); err != nil {
		t.Fatal(err)
	}
	must(t, s.Signal(syscall.SIGTERM))
	if code := s.Wait(); code != 6 {
		t.Errorf("exit code %d, want 6", code)
	}
}

// TestQuit: SIGQUIT waits for nothing, and leaves nothing.
func TestQuit(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		for _, c := range []struct {
			name string
			busy bool
			code int
			send func(s *server.Server) error
		}{
			{"while a request runs", true, 6, func(s *server.Server) error { return s.Signal(syscall.SIGQUIT) }},
			{"the group, at rest", false, 0, func(s *server.Server) error { return syscall.Kill(-s.Pid(), syscall.SIGQUIT) }},
		} {
			t.Run(c.name, func(t *testing.T) {
				noted, variable := notes(t)
				dir := shortDir(t)
				s := start(t, server.Config{Application: "behaviour:application", Bind: "unix:" + filepath.Join(dir, "http"), Env: []string{variable},
					Group: true,
					Args:  []string{"--python", p.path, "--host", host, "--workers", "2", "--control", filepath.Join(dir, "control")}})
				mustGet(t, s, "/pid")
				idle := connect(t, s)
				answers := make(chan answer, 1)
				if c.busy {
					go func() { answers <- get(s, "/half?seconds=600") }()
					awaitNote(t, noted, "half-sent")
				}
				tree := s.Tree()
				must(t, c.send(s))
				if code := s.Wait(); code != c.code {
					t.Errorf("exit code %d, want %d", code, c.code)
				}
				if c.busy {
					if a := <-answers; a.err == nil {
						t.Errorf("the client cannot see that its answer was cut: %+v", a)
					}
				}
				if _, err := idle.in.ReadByte(); err == nil {
					t.Error("an idle connection was sent something")
				}
				for _, pid := range tree {
					if err := server.Await(func() bool { return !server.Running(pid) }); err != nil {
						t.Errorf("process %d stays", pid)
					}
				}
				left, err := os.ReadDir(dir)
				if err != nil || len(left) > 0 {
					t.Errorf("these are left: %v, %v", left, err)
				}
				if strings.Contains(s.Log(), "another one takes its place") {
					t.Error("a worker was replaced")
				}
			})
		}
	})
}

// TestSecondSignal: it does not wait for what runs.
func TestSecondSignal(t *testing.T) {
	withReactors(t, func(t *testing.T, args []string) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(sig.String(), func(t *testing.T) {
				s, noted := startBehaviour(t, append(args, "--workers", "1", "--graceful-timeout", "off")...)
				answers := make(chan answer)
				go func() { answers <- get(s, "/half?seconds=600") }()
				awaitNote(t, noted, "half-sent")
				must(t, s.Signal(sig))
				if _, err := s.AwaitLog("finishing what is running"); err != nil {
					t.Fatal(err)
				}
				must(t, s.Signal(sig))
				if code := s.Wait(); code != 6 {
					t.Errorf("exit code %d, want 6", code)
				}
				if a := <-answers; a.err == nil {
					t.Errorf("the client cannot see that its answer was cut: %+v", a)
				}
			})
		}
	})
}

// TestSecondSignalAmidExitHandlers: every request is answered, and the warning says once why
// the exit handlers did not run to their end. Signals that other servers count their workers
// by, before that, change nothing.
func TestSecondSignalAmidExitHandlers(t *testing.T) {
	noted, variable := notes(t)
	s := start(t, server.Config{Application: "lingering:application", Env: []string{variable}, Args: []string{"--workers", "2"}})
	mustGet(t, s, "/")
	countsWorkers(t, s)
	if _, err := s.AwaitLog("SIGTTOU: the number of workers stays as it is"); err != nil {
		t.Error(err)
	}
	mustGet(t, s, "/")
	must(t, s.Signal(syscall.SIGTERM))
	awaitNote(t, noted, "lingering")
	must(t, s.Signal(syscall.SIGTERM))
	if code := s.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(s.Log(), "a second signal"); n != 1 {
		t.Errorf("it is said %d times why", n)
	}
}

// TestGracefulTimeout: what takes longer is cut, and the exit code says so.
func TestGracefulTimeout(t *testing.T) {
	s, noted := startBehaviour(t, "--workers", "1", "--graceful-timeout", "200ms")
	answers := make(chan answer)
	go func() { answers <- get(s, "/sleep?seconds=600") }()
	awaitNote(t, noted, "sleep")
	must(t, s.Signal(syscall.SIGTERM))
	if code := s.Wait(); code != 6 {
		t.Errorf("exit code %d, want 6", code)
	}
	if a := <-answers; a.err == nil && a.status == http.StatusOK {
		t.Errorf("a request that could not be answered was: %+v", a)
	}
	if !strings.Contains(s.Log(), "--graceful-timeout") {
		t.Errorf("the log does not name the setting:\n%s", s.Log())
	}
}

// TestSignalsToWorkers: what a terminal or a service manager sends to all processes of a
// group at once ends nothing early.
func TestSignalsToWorkers(t *testing.T) {
	onEach(t, func(t *testing.T, p *python, host string) {
		s, noted := startBehaviour(t, "--python", p.path, "--host", host, "--workers", "2")
		answers := make(chan answer)
		go func() { answers <- get(s, "/sleep?seconds=0.7") }()
		awaitNote(t, noted, "sleep")
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			for _, pid := range append(s.Workers(), s.Zygotes()...) {
				must(t, syscall.Kill(pid, sig))
			}
		}
		must(t, s.Stop())
		if a := <-answers; a.err != nil || a.body != "slept" {
			t.Errorf("the request that was running: %+v", a)
		}
	})
}

// TestOwnHandlerEndsALongRequest: the handler is called when the end begins, not when the
// last answer is out, so that an application can cut short what it does.
func TestOwnHandlerEndsALongRequest(t *testing.T) {
	noted, variable := notes(t)
	s := start(t, server.Config{Application: "handler:application", Env: []string{variable},
		Args: []string{"--workers", "1", "--graceful-timeout", "off"}})
	answers := make(chan answer)
	go func() { answers <- get(s, "/until-told") }()
	awaitNote(t, noted, "begun")
	must(t, s.Stop())
	if a := <-answers; a.err != nil || a.body != "slept" {
		t.Errorf("the request that waited for the handler: %+v", a)
	}
}

// TestOwnHandler: what the application has set for SIGTERM is called once in each worker,
// when it is told to leave, and neither a signal to the whole group nor what the handler
// raises costs a request.
func TestOwnHandler(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		noted, variable := notes(t)
		s := start(t, server.Config{Application: "handler:application", Env: []string{variable},
			Args: []string{"--python", p.path, "--host", host, "--workers", "1"}}) // it is ready, so its handler is held
		answers := make(chan answer)
		go func() { answers <- get(s, "/") }()
		awaitNote(t, noted, "begun")
		workers := s.Workers()
		for _, pid := range workers {
			must(t, syscall.Kill(pid, syscall.SIGTERM))
		}
		must(t, s.Stop())
		if a := <-answers; a.err != nil || a.body != "slept" {
			t.Errorf("the request that was running: %+v", a)
		}
		text, err := os.ReadFile(noted)
		must(t, err)
		for _, pid := range workers {
			if n := strings.Count(string(text), fmt.Sprintf("handled-%d 15\n", pid)); n != 1 {
				t.Errorf("the handler was called %d times in worker %d:\n%s", n, pid, text)
			}
		}
	})
}
