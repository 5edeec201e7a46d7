package e2e

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gobridge/tests/server"
)

// startStuck serves apps/stuck.py.
func startStuck(t *testing.T, args ...string) (s *server.Server, noted string) {
	t.Helper()
	noted, variable := notes(t)
	return start(t, server.Config{Application: "stuck:application", Args: args, Env: []string{variable}}), noted
}

// record is a pattern for a record of the log: its line, and where the stack below it says
// that the request was.
func record(line, function string) string {
	return `(?m)` + line + `[^\n]*(\n[^\n]+|\n)*?\n  File "[^"]*stuck\.py", line \d+ in ` + function + `$`
}

// TestRequestTimeout has requests that are stuck in every way, each alone in its worker,
// all at once: each gets 504 at the limit and its stack is logged, and everyone else is
// served by the worker that is left.
func TestRequestTimeout(t *testing.T) {
	stuck := []string{"sleeping", "looping", "deadlocked", "in_c", "matching"}
	const limit = 6 * time.Second
	onMain(t, func(t *testing.T, p *python, host string) {
		s, noted := startStuck(t, "--python", p.path, "--host", host, "--workers", strconv.Itoa(len(stuck)+1),
			"--request-timeout", limit.String())
		answers := make(chan answer)
		begin := time.Now()
		var pids []int
		for i, name := range stuck {
			go func() { answers <- get(s, "/"+name) }()
			pid, err := strconv.Atoi(awaitNote(t, noted, name))
			must(t, err)
			pids = append(pids, pid)
			if i > 0 && pid == pids[i-1] {
				t.Fatalf("worker %d has two requests that are stuck", pid)
			}
		}
		served := 0
		for left := len(stuck); left > 0; {
			select {
			case a := <-answers:
				if left--; a.err != nil || a.status != http.StatusGatewayTimeout {
					t.Errorf("a request that is stuck: %+v", a)
				}
				if took := time.Since(begin); took < limit {
					t.Errorf("it was answered after %v", took)
				}
			default:
				mustGet(t, s, "/pid")
				served++
				time.Sleep(10 * time.Millisecond)
			}
		}
		t.Logf("%d requests were served meanwhile", served)
		for i, name := range stuck {
			line := `a request ran longer than --request-timeout 6s[^\n]*pid=` + strconv.Itoa(pids[i]) + `[^\n]*"?GET /` + name
			pattern := record(line, name)
			if p.about.NoGIL {
				pattern = line + `[^\n]*\nthere is no stack: this Python is free-threaded`
			}
			if _, err := s.AwaitLog(pattern); err != nil {
				t.Error(err)
			}
			if _, err := s.AwaitLog(fmt.Sprintf(`worker %d was killed because a request ran longer than --request-timeout 6s; another one`, pids[i])); err != nil {
				t.Error(err)
			}
		}
		awaitWorkers(t, s, len(stuck)+1, pids...)
		must(t, s.AtRest())
	})
}

// TestRequestTimeoutAmongThreads: what else the worker runs has time to finish, and what it
// has not begun is served by the next one.
func TestRequestTimeoutAmongThreads(t *testing.T) {
	withReactors(t, func(t *testing.T, args []string) {
		const limit = 8 * time.Second
		s, noted := startStuck(t, append(args, "--workers", "1", "--threads", "4", "--request-timeout", limit.String())...)
		lost, others := make(chan answer, 1), make(chan answer)
		go func() { lost <- get(s, "/sleeping") }()
		old, err := strconv.Atoi(awaitNote(t, noted, "sleeping"))
		must(t, err)
		time.Sleep(limit / 2) // so that it is the first whose time is over
		for range 3 {
			go func() { others <- get(s, "/patient") }()
		}
		awaitBegun(t, noted, "patient", 3)
		waiting := make(chan answer, 1)
		go func() { waiting <- get(s, "/pid") }()
		if a := <-lost; a.status != http.StatusGatewayTimeout {
			t.Errorf("the request that is stuck: %+v", a)
		}
		// What it has not begun goes back into the line at once, but not before it may have time for it.
		must(t, server.Await(func() bool {
			u, err := s.Usage()
			return err != nil || u.Line == 1
		}))
		must(t, os.WriteFile(noted+".go", nil, 0o600))
		for range 3 {
			if a := <-others; a.err != nil || a.body != strconv.Itoa(old) {
				t.Errorf("another request of the same worker %d: %+v", old, a)
			}
		}
		if a := <-waiting; a.err != nil || a.status != http.StatusOK || a.body == strconv.Itoa(old) {
			t.Errorf("a request that it had not begun: %+v", a)
		}
		awaitWorkers(t, s, 1, old)
		must(t, s.AtRest())
	})
}

// TestRequestTimeoutAmidTheAnswer: the client sees that it is not all.
func TestRequestTimeoutAmidTheAnswer(t *testing.T) {
	s, noted := startStuck(t, "--workers", "1", "--request-timeout", "4s")
	a := get(s, "/begun")
	if a.err == nil || a.status != http.StatusOK || a.body != "first half, " {
		t.Errorf("the client cannot see that the answer is cut: %+v", a)
	}
	awaitNote(t, noted, "sent")
	mustGet(t, s, "/pid") // by the next one
	must(t, s.AtRest())
}

// TestSlowRequest: it is said once where the request is, and it goes on.
func TestSlowRequest(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		s, noted := startStuck(t, "--python", p.path, "--host", host, "--workers", "1", "--threads", "2", "--slow-request", "200ms")
		slow := make(chan answer)
		go func() { slow <- get(s, "/patient") }()
		line := `a request has run for longer than --slow-request 200ms and goes on[^\n]*GET /patient`
		pattern := record(line, "patient")
		if p.about.NoGIL {
			pattern = line
		}
		if _, err := s.AwaitLog(pattern); err != nil {
			t.Error(err)
		}
		must(t, os.WriteFile(noted+".go", nil, 0o600))
		a := <-slow
		if a.err != nil || a.status != http.StatusOK {
			t.Errorf("the request that went on: %+v", a)
		}
		if n := len(regexp.MustCompile(line).FindAllString(s.Log(), -1)); n != 1 {
			t.Errorf("it is said %d times", n)
		}
		if now := mustGet(t, s, "/pid").body; now != a.body {
			t.Errorf("worker %s was replaced by %s", a.body, now)
		}
	})
}

// TestCrashEvidence: one record says how a worker died, what it ran and where.
func TestCrashEvidence(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		s, noted := startStuck(t, "--python", p.path, "--host", host, "--workers", "2")
		for _, c := range []struct{ name, signal, error string }{
			{"crashing", "SIGSEGV", "Segmentation fault"},
			{"aborting", "SIGABRT", "Aborted"},
		} {
			if a := get(s, "/"+c.name); a.status != http.StatusBadGateway {
				t.Errorf("%s: %+v", c.name, a)
			}
			line := `worker ` + awaitNote(t, noted, c.name) + ` was killed by ` + c.signal + `( \(core dumped\))?; another one takes its place` +
				`[^\n]*GET /` + c.name + `[^\n]*\nFatal Python error: ` + c.error
			if _, err := s.AwaitLog(record(line, c.name)); err != nil {
				t.Error(err)
			}
		}
		awaitWorkers(t, s, 2)
		must(t, s.AtRest())
	})
}

// TestStartTimeoutSaysWhere: an import that hangs shows where.
func TestStartTimeoutSaysWhere(t *testing.T) {
	mistake(t, server.Config{Application: "hangs:application", Args: []string{"--python", anyPython(t), "--workers", "1", "--start-timeout", "4s"}},
		3, "--start-timeout", `hangs.py", line 5 in <module>`)
}

// TestCrashLoop: a worker that has finished a request is replaced at once, however often;
// one that ends three times without is held up.
func TestCrashLoop(t *testing.T) {
	s, _ := startStuck(t, "--workers", "1")
	const text = "times in a row"
	var last int
	for range 5 {
		pid, err := strconv.Atoi(mustGet(t, s, "/pid").body)
		must(t, err)
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		awaitWorkers(t, s, 1, pid)
	}
	if strings.Contains(s.Log(), text) {
		t.Error("a worker that had finished a request was held up")
	}
	for range 3 {
		awaitWorkers(t, s, 1, last)
		last = s.Workers()[0]
		must(t, syscall.Kill(last, syscall.SIGKILL))
	}
	if _, err := s.AwaitLog("ended 3 " + text); err != nil {
		t.Error(err)
	}
	mustGet(t, s, "/pid")
}
