package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

// TestDrain sends the signal that ends the server while requests run and wait: each of
// them is answered, nobody else gets in, and the exit code is 0.
func TestDrain(t *testing.T) {
	withReactors(t, func(t *testing.T, args []string) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(sig.String(), func(t *testing.T) {
				s, noted := startBehaviour(t, append(args, "--workers", "2")...)
				idle := connect(t, s)
				idle.send(t, "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
				if a := idle.receive("GET"); a.status != http.StatusOK {
					t.Fatalf("%+v", a)
				}
				const n = 6 // two run, the others wait for them
				answers := make(chan answer)
				for range n {
					go func() { answers <- get(s, "/sleep?seconds=0.7") }()
				}
				awaitBegun(t, noted, "sleep", 2)
				err := server.Await(func() bool {
					u, err := s.Usage()
					return err == nil && u.Streams+u.Line >= n
				})
				must(t, err)
				must(t, s.Signal(sig))
				for range n {
					if a := <-answers; a.err != nil || a.body != "slept" {
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
