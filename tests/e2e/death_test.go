package e2e

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

// startBehaviour serves apps/behaviour.py, with a file in which it notes what it does.
func startBehaviour(t *testing.T, args ...string) (s *server.Server, noted string) {
	t.Helper()
	noted, variable := notes(t)
	return start(t, server.Config{Application: "behaviour:application", Args: args, Env: []string{variable}}), noted
}

// awaitWorkers waits until there are n workers, none of them among the gone.
func awaitWorkers(t *testing.T, s *server.Server, n int, gone ...int) {
	t.Helper()
	err := server.Await(func() bool {
		now := s.Workers()
		return len(now) == n && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(gone, pid) })
	})
	if err != nil {
		t.Fatalf("there are the workers %v, want %d without %v", s.Workers(), n, gone)
	}
}

// TestWorkerIsKilled kills the worker that runs a request, by a signal from outside.
func TestWorkerIsKilled(t *testing.T) {
	withReactors(t, func(t *testing.T, args []string) {
		for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV} {
			t.Run(sig.String(), func(t *testing.T) {
				s, noted := startBehaviour(t, append(args, "--workers", "2")...)
				lost := make(chan answer)
				go func() { lost <- get(s, "/sleep?seconds=600") }()
				pid, err := strconv.Atoi(awaitNote(t, noted, "sleep"))
				must(t, err)
				must(t, syscall.Kill(pid, sig))
				if a := <-lost; a.err != nil || a.status != http.StatusBadGateway {
					t.Errorf("the request that the worker was running: %+v", a)
				}
				name := map[syscall.Signal]string{syscall.SIGKILL: "SIGKILL", syscall.SIGSEGV: "SIGSEGV"}[sig]
				if _, err := s.AwaitLog(fmt.Sprintf(`worker %d was killed by %s.*GET /sleep\?seconds=600`, pid, name)); err != nil {
					t.Error(err)
				}
				awaitWorkers(t, s, 2, pid)
				for range 20 {
					mustGet(t, s, "/pid")
				}
				must(t, s.AtRest())
			})
		}
	})
}

// TestWorkerEndsItself has the application end its own process in different ways.
func TestWorkerEndsItself(t *testing.T) {
	onEach(t, func(t *testing.T, p *python, host string) {
		s, noted := startBehaviour(t, "--python", p.path, "--host", host, "--workers", "2", "--reactors", reactorsFor(host))
		for _, c := range []struct{ path, how string }{
			{"leave", "exited with code 7"},
			{"abort", "was killed by SIGABRT"},
			{"overrun", "was killed by SIGSEGV"},
			{"become", `has become another program \(sleep\), as by os.exec, and was killed`},
		} {
			if a := get(s, "/"+c.path); a.err != nil || a.status != http.StatusBadGateway {
				t.Errorf("%s: %+v", c.path, a)
			}
			pid, err := strconv.Atoi(awaitNote(t, noted, c.path))
			must(t, err)
			if _, err := s.AwaitLog(fmt.Sprintf(`worker %d %s.*GET /%s`, pid, c.how, c.path)); err != nil {
				t.Error(err)
			}
			awaitWorkers(t, s, 2, pid)
			mustGet(t, s, "/pid")
		}
		must(t, s.AtRest())
	})
}

// TestCutAnswer kills a worker when a part of its answer has gone out: the client must see
// that it is not all.
func TestCutAnswer(t *testing.T) {
	withReactors(t, func(t *testing.T, args []string) {
		s, noted := startBehaviour(t, append(args, "--workers", "1")...)
		lost := make(chan answer)
		go func() { lost <- get(s, "/half?seconds=600") }()
		pid, err := strconv.Atoi(awaitNote(t, noted, "half"))
		must(t, err)
		awaitNote(t, noted, "half-sent")
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		if a := <-lost; a.err == nil || a.status != http.StatusOK || a.body != "first half, " {
			t.Errorf("the client cannot see that the answer is cut: %+v", a)
		}
		awaitWorkers(t, s, 1, pid)
		if a := mustGet(t, s, "/half"); a.body != "first half, second half" {
			t.Errorf("the next one: %+v", a)
		}
		must(t, s.AtRest())
	})
}

// TestOthersAreUntouched kills workers while requests wait for room behind the ones that
// are lost: those all go to other workers, in the order in which they came.
func TestOthersAreUntouched(t *testing.T) {
	withReactors(t, func(t *testing.T, args []string) {
		s, noted := startBehaviour(t, append(args, "--workers", "2")...)
		var lost [2]chan answer
		for i := range lost {
			lost[i] = make(chan answer)
			go func() { lost[i] <- get(s, "/sleep?seconds=600") }()
		}
		running := awaitBegun(t, noted, "sleep", len(lost))
		const others = 30
		served := make(chan answer)
		for range others {
			go func() { served <- get(s, "/pid") }()
		}
		err := server.Await(func() bool { // until all of them are in an inbox or in the line
			u, err := s.Usage()
			return err == nil && u.Line+u.Streams >= others
		})
		must(t, err)
		for _, pid := range running {
			must(t, syscall.Kill(pid, syscall.SIGKILL))
		}
		for i := range lost {
			if a := <-lost[i]; a.status != http.StatusBadGateway {
				t.Errorf("a request that a killed worker was running: %+v", a)
			}
		}
		for range others {
			if a := <-served; a.err != nil || a.status != http.StatusOK {
				t.Errorf("a request that was waiting: %+v", a)
			}
		}
		must(t, s.AtRest())
	})
}

// awaitBegun waits until the application has noted a word n times, and returns the pids.
func awaitBegun(t *testing.T, noted, word string, n int) (pids []int) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^` + word + ` (\d+)$`)
	err := server.Await(func() bool {
		text, _ := os.ReadFile(noted)
		pids = nil
		for _, m := range line.FindAllStringSubmatch(string(text), -1) {
			pid, err := strconv.Atoi(m[1])
			must(t, err)
			pids = append(pids, pid)
		}
		return len(pids) >= n
	})
	must(t, err)
	return pids
}

// TestZygoteIsKilled kills the process that workers are forked from: those that are there
// go on, and the next one that dies is replaced all the same. (TestTemplateIsKilled is
// the same with preload.)
func TestZygoteIsKilled(t *testing.T) {
	onEach(t, func(t *testing.T, p *python, host string) {
		s, _ := startBehaviour(t, "--python", p.path, "--host", host, "--workers", "2", "--preload", "off")
		var old []int
		if err := server.Await(func() bool { // a worker has the zygote's name until it takes its own
			old = s.Zygotes()
			return len(old) == 1
		}); err != nil {
			t.Fatalf("there are the zygotes %v", old)
		}
		before := s.Workers()
		must(t, syscall.Kill(old[0], syscall.SIGKILL))
		for range 20 {
			mustGet(t, s, "/pid")
		}
		must(t, syscall.Kill(before[0], syscall.SIGKILL))
		awaitWorkers(t, s, 2, before[0])
		if _, err := s.AwaitLog("zygote"); err != nil {
			t.Error(err)
		}
		for range 20 {
			mustGet(t, s, "/pid")
		}
		if now := s.Zygotes(); len(now) != 1 || now[0] == old[0] {
			t.Errorf("there are the zygotes %v after %v", now, old)
		}
	})
}

// TestApplicationFails: an exception ends the request, not the worker.
func TestApplicationFails(t *testing.T) {
	s, _ := startBehaviour(t, "--workers", "1")
	pid := mustGet(t, s, "/pid").body
	if a := get(s, "/fail"); a.err != nil || a.status/100 != 5 {
		t.Errorf("an exception before the answer: %+v", a)
	}
	if a := get(s, "/fail_late"); a.err == nil {
		t.Errorf("an exception amid the answer cannot be seen: %+v", a)
	}
	for _, want := range []string{`failed on purpose\n`, `failed on purpose, late\n`} {
		if _, err := s.AwaitLog(`(?s)Traceback.*` + want); err != nil {
			t.Error(err)
		}
	}
	if now := mustGet(t, s, "/pid").body; now != pid {
		t.Errorf("worker %s was replaced by %s", pid, now)
	}
}

// TestNothingStays: when the front is killed, its processes leave, even amid a request.
func TestNothingStays(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		s, noted := startBehaviour(t, "--python", p.path, "--host", host, "--workers", "2")
		go get(s, "/sleep?seconds=600")
		awaitNote(t, noted, "sleep")
		all := slices.Concat(s.Workers(), s.Zygotes(), s.Templates())
		s.Kill()
		s.Wait()
		err := server.Await(func() bool { return !slices.ContainsFunc(all, server.Running) })
		if err != nil || len(all) != 4 {
			t.Errorf("of %v some are still there", all)
		}
		if strings.Contains(s.Log(), "Traceback") {
			t.Errorf("they complain:\n%s", s.Log())
		}
	})
}

// TestHeir: a process that a worker leaves behind has the worker's socket, too, and the
// worker's death is noticed all the same.
func TestHeir(t *testing.T) {
	s, noted := startBehaviour(t, "--workers", "1")
	lost := make(chan answer, 1)
	go func() { lost <- get(s, "/bequeath") }()
	heir, err := strconv.Atoi(awaitNote(t, noted, "heir"))
	must(t, err)
	defer syscall.Kill(heir, syscall.SIGKILL)
	if err := server.Await(func() bool { return len(lost) > 0 }); err != nil {
		t.Fatal("the request that was lost is never answered")
	}
	if a := <-lost; a.status != http.StatusBadGateway || !server.Running(heir) {
		t.Errorf("%+v; is the heir there? %v", a, server.Running(heir))
	}
	mustGet(t, s, "/pid")
}
