package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

// startRenewed serves apps/renewed.py, with a control socket.
func startRenewed(t *testing.T, args ...string) (s *server.Server, noted, control string) {
	t.Helper()
	noted, variable := notes(t)
	control = filepath.Join(shortDir(t), "control")
	s = start(t, server.Config{Application: "renewed:application", Args: append(args, "--control", control), Env: []string{variable}})
	return s, noted, control
}

// renewing is a worker as gobridge status shows it.
type renewing struct {
	Slot, Pid, Renewals, Deaths int
	State, Renewing             string
	Memory                      int64
}

func workersIn(t *testing.T, control string) []renewing {
	t.Helper()
	out, _ := command(t, server.Config{}, 0, "status", "--control", control, "--json")
	var status struct {
		Generations []struct{ Workers []renewing }
	}
	must(t, json.Unmarshal([]byte(out), &status))
	return status.Generations[len(status.Generations)-1].Workers
}

// TestMaxRequests follows the only worker of a server through its renewal: it serves until
// its successor is ready, however long that takes; what it has not begun goes to that one;
// what it runs it finishes, and its exit handlers run.
func TestMaxRequests(t *testing.T) {
	t.Parallel()
	s, noted, control := startRenewed(t, "--workers", "1", "--preload", "off", "--max-requests", "20")
	must(t, os.WriteFile(noted+".closed", nil, 0o600))
	old := mustGet(t, s, "/").body
	pid, err := strconv.Atoi(old)
	must(t, err)
	for range 30 {
		if a := mustGet(t, s, "/"); a.body != old {
			t.Errorf("before its successor is ready, %s answers instead of %s", a.body, old)
		}
	}
	if _, err := s.AwaitLog(`worker 1 is renewed: it has finished [23]\d requests, and --max-requests \(with its jitter\) is 20.* pid=` + old); err != nil {
		t.Error(err)
	}
	must(t, server.Await(func() bool { return len(s.Workers()) == 2 }))
	if w := workersIn(t, control); len(w) != 2 || w[0].Pid != pid || w[0].State != "ready" || !strings.Contains(w[0].Renewing, "--max-requests") ||
		w[1].Slot != 1 || w[1].State != "starting" || w[0].Memory < 1<<20 {
		t.Errorf("while the successor starts: %+v", w)
	}

	patient, waiting := make(chan answer, 1), make(chan answer, 1)
	go func() { patient <- get(s, "/patient") }()
	awaitNote(t, noted, "patient")
	go func() { waiting <- get(s, "/") }()
	must(t, server.Await(func() bool { u, err := s.Usage(); return err == nil && u.Streams == 2 }))
	must(t, os.Remove(noted+".closed"))
	if a := <-waiting; a.status != http.StatusOK || a.body == old {
		t.Errorf("what the old worker had not begun: %+v", a)
	}
	if w := workersIn(t, control); len(w) != 2 || w[0].Slot != 1 || w[1].Slot != 1 || w[0].State != "leaving" || w[0].Pid != pid || w[1].State != "ready" {
		t.Errorf("while the old one finishes: %+v", w)
	}
	must(t, os.WriteFile(noted+".go", nil, 0o600))
	if a := <-patient; a.err != nil || a.body != old {
		t.Errorf("what the old worker ran: %+v", a)
	}
	awaitNote(t, noted, "left-"+old)
	awaitWorkers(t, s, 1, pid)
	must(t, server.Await(func() bool {
		w := workersIn(t, control)
		return len(w) == 1 && w[0].Renewals == 1 && w[0].Deaths == 0 && w[0].Renewing == "" && w[0].Pid != pid
	}))
	if strings.Contains(s.Log(), "another one takes its place") || strings.Contains(s.Log(), "ERR") {
		t.Error("the log calls a renewal a death")
	}

	t.Run("a successor that does not come up", func(t *testing.T) {
		must(t, os.WriteFile(noted+".broken", nil, 0o600))
		now := mustGet(t, s, "/").body
		for range 30 {
			mustGet(t, s, "/")
		}
		for _, pattern := range []string{`ValueError: broken on purpose`, `worker 1 serves on, because its successor did not come up; the next one is tried in 1s`} {
			if _, err := s.AwaitLog(pattern); err != nil {
				t.Error(err)
			}
		}
		if a := mustGet(t, s, "/"); a.body != now {
			t.Errorf("%s answers instead of %s", a.body, now)
		}
		must(t, os.Remove(noted+".broken"))
		must(t, server.Await(func() bool { return mustGet(t, s, "/").body != now }))
	})
	must(t, s.AtRest())
}

// TestMaxWorkerMemory: what has grown is renewed, and the others are not.
func TestMaxWorkerMemory(t *testing.T) {
	t.Parallel()
	s, _, _ := startRenewed(t, "--workers", "2", "--max-worker-memory", "150M", "--max-worker-memory-jitter", "20M")
	before := s.Workers()
	big := mustGet(t, s, "/keep?mebibytes=180").body
	if _, err := s.AwaitLog(`worker \d is renewed: it has (1[89]|2\d)\d MiB of memory, and --max-worker-memory \(with its jitter\) is 1[567]\d MiB.* pid=` + big); err != nil {
		t.Error(err)
	}
	pid, err := strconv.Atoi(big)
	must(t, err)
	awaitWorkers(t, s, 2, pid)
	now := s.Workers()
	for _, p := range before {
		if p != pid && !slices.Contains(now, p) {
			t.Errorf("worker %d was renewed, too", p)
		}
	}
	must(t, s.AtRest())
}

// TestOverstayed: a worker that does not leave within the graceful timeout is killed.
func TestOverstayed(t *testing.T) {
	t.Parallel()
	s, noted, _ := startRenewed(t, "--workers", "1", "--threads", "2", "--max-worker-lifetime", "1s", "--graceful-timeout", "300ms")
	lost := get(s, "/patient")
	if lost.status != http.StatusBadGateway {
		t.Errorf("a request that runs for ever: %+v", lost)
	}
	pid := awaitNote(t, noted, "patient")
	if _, err := s.AwaitLog(`worker ` + pid + ` was killed because it did not finish within --graceful-timeout 300ms, when another one had its place already.*GET /patient`); err != nil {
		t.Error(err)
	}
	mustGet(t, s, "/")
	must(t, s.AtRest())
}

// TestRenewalsLoseNothing has workers renewed all the time, by each limit's way, while clients
// ask without a pause and the code is reloaded.
func TestRenewalsLoseNothing(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		for _, preload := range []string{"auto", "off"} {
			t.Run("preload "+preload, func(t *testing.T) {
				s, _, control := startRenewed(t, "--python", p.path, "--host", host, "--workers", "2", "--threads", "2", "--preload", preload,
					"--reactors", reactorsFor(host), "--max-requests", "100", "--max-requests-jitter", "50", "--max-worker-lifetime", "1s")
				var over atomic.Bool
				var asking sync.WaitGroup
				var mu sync.Mutex
				served := map[string]int{}
				for range 4 {
					asking.Go(func() {
						c := connect(t, s)
						for !over.Load() {
							if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
								t.Error(err)
								return
							}
							a := c.receive("GET")
							if a.err != nil || a.status != http.StatusOK {
								t.Errorf("a request was lost: %+v", a)
								return
							}
							mu.Lock()
							served[a.body]++
							mu.Unlock()
						}
					})
				}
				renewed := func(n int) func() bool {
					return func() bool { return strings.Count(s.Log(), " is renewed: ") >= n || t.Failed() }
				}
				must(t, server.Await(renewed(3)))
				must(t, s.Signal(syscall.SIGHUP))
				_, err := s.AwaitLog("generation 2 serves")
				must(t, err)
				must(t, server.Await(renewed(strings.Count(s.Log(), " is renewed: ")+3)))
				over.Store(true)
				asking.Wait()
				if len(served) < 6 {
					t.Errorf("%d workers have served", len(served))
				}
				if strings.Contains(s.Log(), "another one takes its place") || strings.Contains(s.Log(), " ERR ") {
					t.Error("the log calls a renewal a death")
				}
				must(t, s.AtRest())
				for _, w := range workersIn(t, control) {
					if w.Deaths > 0 {
						t.Errorf("%+v", w)
					}
				}
			})
		}
	})
}
