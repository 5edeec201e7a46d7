package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	list "gobridge/tests/pythons"
	"gobridge/tests/server"
)

// freeThreaded are the builds without a GIL. Without one on the list there is nothing to see.
func freeThreaded(all []list.Python) []list.Python {
	return slices.DeleteFunc(slices.Clone(all), func(p list.Python) bool { return !p.About.NoGIL })
}

// TestFreeThreaded: a build without a GIL stays without it, its requests run at once, and
// each has its own answer.
func TestFreeThreaded(t *testing.T) {
	on(t, freeThreaded, func(t *testing.T, p *python, host string) {
		for _, threads := range []int{1, 4} {
			t.Run(fmt.Sprintf("%d threads", threads), func(t *testing.T) {
				s := start(t, server.Config{Application: "together:application", Args: []string{
					"--python", p.path, "--host", host, "--workers", "1", "--threads", strconv.Itoa(threads)}})
				loadEchoes(t, s)
				if met := meetings(s, threads); len(met) != threads {
					t.Errorf("%d requests ran in the threads %v", threads, met)
				}
				if a := mustGet(t, s, "/gil"); a.body != "False" {
					t.Errorf("is the GIL on? %s", a.body)
				}
			})
		}
	})
}

// TestLoops: an ASGI application has several loops in one worker there, which run at once. They
// share what the import and the one lifespan have made; what is a request's is its loop's alone.
func TestLoops(t *testing.T) {
	on(t, freeThreaded, func(t *testing.T, p *python, host string) {
		const loops = 3
		s := start(t, server.Config{Application: "loops:application", Args: []string{
			"--python", p.path, "--host", host, "--workers", "1", "--threads", strconv.Itoa(loops)}})
		if !strings.HasSuffix(s.Ready, "1 worker of 3 asyncio loops") {
			t.Error(s.Ready)
		}
		if met := meetings(s, loops); len(met) != loops || met["alone"] {
			t.Errorf("%d requests ran in the threads %v", loops, met)
		}
		loadEchoes(t, s)
		seen := map[string]bool{}
		for range 20 {
			seen[mustGet(t, s, "/own").body] = true
		}
		for own := range seen {
			if !strings.HasPrefix(own, `["at import", {"made": "in lifespan"}, "`) {
				t.Errorf("a loop has %s", own)
			}
		}
		if a := mustGet(t, s, "/across"); a.body != "[true, true, true, true]" {
			t.Errorf("what another loop does is refused: %s", a.body)
		}
		if a := mustGet(t, s, "/gil"); a.body != "False" {
			t.Errorf("is the GIL on? %s", a.body)
		}
		endsAll(t, s)
	})
}

// TestLoopsThatDoNotStart: the line that the server is ready comes when every loop runs, and never if one
// cannot.
func TestLoopsThatDoNotStart(t *testing.T) {
	on(t, freeThreaded, func(t *testing.T, p *python, host string) {
		args := []string{"--python", p.path, "--host", host, "--workers", "1", "--threads", "3", "--loop", "auto"}
		s := start(t, server.Config{Application: "loops:slow()", Args: args})
		if a := mustGet(t, s, "/made"); a.body != "2" {
			t.Errorf("%s loops beside the main one have been made when the server is ready", a.body)
		}
		s, err := server.Run(server.Config{Application: "loops:failing()", Dir: "apps", Args: args})
		must(t, err)
		defer s.Kill()
		if code := s.Wait(); code != 3 {
			t.Errorf("exit code %d", code)
		}
		if log := s.Log(); !regexp.MustCompile(`(?s)event loop [23] of 3 could not be started:\nTraceback .*ZeroDivisionError: no loop here`).MatchString(log) ||
			strings.Contains(s.Output(), " serves ") {
			t.Errorf("%s%s", s.Output(), log)
		}
	})
}

// endsAll has the application stop one of its loops: the worker ends in order, with all of them,
// and another takes its place.
func endsAll(t *testing.T, s *server.Server) {
	t.Helper()
	old := s.Workers()
	mustGet(t, s, "/stop")
	if err := server.Await(func() bool { now := s.Workers(); return len(now) == 1 && now[0] != old[0] }); err != nil {
		t.Errorf("the worker %v: %v, it is %v", old, err, s.Workers())
	}
	mustGet(t, s, "/own")
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if log := s.Log(); strings.Count(log, "shutdown in MainThread") != 2 || strings.Contains(log, "Traceback") {
		t.Errorf("%s", log)
	}
}

// loadEchoes has 16 clients ask for what only they know.
func loadEchoes(t *testing.T, s *server.Server) {
	t.Helper()
	var clients sync.WaitGroup
	for c := range 16 {
		clients.Go(func() {
			client := s.Client()
			defer client.CloseIdleConnections()
			for i := range 100 {
				nonce := fmt.Sprintf("%d.%d;", c, i)
				body := strings.Repeat(nonce+"\n", 1+i*7)
				request, err := http.NewRequest("POST", s.URL("/echo?"+nonce), strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				request.Header.Set("X-Nonce", nonce)
				a := read(client.Do(request))
				if a.err != nil || a.status != http.StatusOK || a.body != nonce+nonce+body || a.header.Get("X-Nonce") != nonce {
					t.Errorf("request %s: %d %v %v %.200q", nonce, a.status, a.err, a.header, a.body)
					return
				}
			}
		})
	}
	clients.Wait()
}

// meetings are the threads of n requests that wait for each other without ever letting go
// of a GIL.
func meetings(s *server.Server, n int) map[string]bool {
	var all sync.Map
	var clients sync.WaitGroup
	for range n {
		clients.Go(func() { all.Store(get(s, "/meet?"+strconv.Itoa(n)).body, true) })
	}
	clients.Wait()
	met := map[string]bool{}
	all.Range(func(thread, _ any) bool {
		met[thread.(string)] = true
		return true
	})
	return met
}
