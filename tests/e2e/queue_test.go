package e2e

import (
	"net/http"
	"strconv"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

// TestQueueTimeout: requests that a busy or a stopped worker does not begin in time are
// answered, whether they wait in its inbox or in the line.
func TestQueueTimeout(t *testing.T) {
	withReactors(t, func(t *testing.T, args []string) {
		s, noted := startBehaviour(t, append(args, "--workers", "1", "--queue-timeout", "300ms")...)
		busy := make(chan answer)
		go func() {
			a := get(s, "/sleep?seconds=600")
			for ; a.status == http.StatusServiceUnavailable; a = get(s, "/sleep?seconds=600") { // the machine was busy
			}
			busy <- a
		}()
		pid, err := strconv.Atoi(awaitNote(t, noted, "sleep"))
		must(t, err)
		overdue := func(n int) {
			t.Helper()
			answers := make(chan answer)
			for range n {
				go func() { answers <- get(s, "/pid") }()
			}
			for range n {
				if a := <-answers; a.err != nil || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
					t.Errorf("a request that waited: %+v", a)
				}
			}
		}
		overdue(60) // an inbox takes about half of them
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		if a := <-busy; a.status != http.StatusBadGateway {
			t.Errorf("the request that was running: %+v", a)
		}
		awaitWorkers(t, s, 1, pid)
		awaitAnswer(t, s, "/pid") // while it starts it may be too late for some
		pid = s.Workers()[0]
		must(t, syscall.Kill(pid, syscall.SIGSTOP))
		for range 8 { // their hints stay in the inbox, and fill it in the end
			overdue(40)
		}
		must(t, syscall.Kill(pid, syscall.SIGCONT))
		if a := awaitAnswer(t, s, "/pid"); a.body != strconv.Itoa(pid) {
			t.Errorf("worker %d was replaced by %s", pid, a.body)
		}
		must(t, s.AtRest())
	})
}

// awaitAnswer asks until the application answers.
func awaitAnswer(t *testing.T, s *server.Server, path string) (a answer) {
	t.Helper()
	err := server.Await(func() bool {
		a = get(s, path)
		return a.status == http.StatusOK
	})
	if err != nil {
		t.Fatalf("%v: %+v", err, a)
	}
	return a
}
