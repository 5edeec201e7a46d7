package e2e

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// TestDispatch: a request goes to the worker that runs least, and there to the thread that
// was the last to fall asleep: what it needs is still in its processor's cache, and threads
// that are not needed cost nothing.
func TestDispatch(t *testing.T) {
	s, noted, control := startRenewed(t, "--workers", "2", "--threads", "16")
	must(t, server.Await(func() bool {
		w := workersIn(t, control)
		return w[0].State == "ready" && w[1].State == "ready"
	}))
	running := func(n int) {
		t.Helper()
		must(t, server.Await(func() bool { u, err := s.Usage(); return err == nil && u.Streams == n && u.Line == 0 }))
	}
	c := connect(t, s)
	// one asks when nothing is left of the request before.
	one := func(n int) (worker, thread string) {
		t.Helper()
		running(n)
		c.send(t, "GET /thread HTTP/1.1\r\nHost: x\r\n\r\n")
		a := c.receive("GET")
		worker, thread, ok := strings.Cut(a.body, " ")
		if a.status != http.StatusOK || !ok {
			t.Fatalf("%+v", a)
		}
		return worker, thread
	}

	threads, workers := map[string]int{}, map[string]int{}
	for range 48 {
		w, th := one(0)
		workers[w]++
		threads[w+" "+th]++
	}
	// A thread that is not yet asleep when the next request comes leaves that to the one
	// before it.
	if len(workers) != 1 || len(threads) > 5 {
		t.Errorf("one request after the other took the threads %v", threads)
	}

	answers := make(chan answer)
	for i := range 3 {
		go func() { answers <- get(s, "/patient") }()
		running(i + 1)
	}
	begun := awaitBegun(t, noted, "patient", 3)
	runs := map[int]int{}
	for _, pid := range begun {
		runs[pid]++
	}
	if len(runs) != 2 {
		t.Fatalf("three requests run in the workers %v", runs)
	}
	for range 16 {
		if w, _ := one(3); runs[atoi(t, w)] != 1 {
			t.Errorf("worker %s, which runs two requests, got one more; the workers run %v", w, runs)
		}
	}
	must(t, os.WriteFile(noted+".go", nil, 0o600))
	for range 3 {
		if a := <-answers; a.status != http.StatusOK {
			t.Errorf("%+v", a)
		}
	}
	must(t, s.AtRest())
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}
