package conformance

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"gobridge/tests/server"
)

// lifespanFails starts servers of applications whose lifespan goes wrong.
func lifespanFails(t *testing.T, a *asgi) {
	var all sync.WaitGroup
	defer all.Wait()
	for _, c := range []struct {
		application, lifespan string
		code                  int    // 0: it serves
		log                   string // "": nothing of a failure
	}{
		{"failed", "auto", 3, "there is no database"},
		{"failed", "on", 3, "there is no database"},
		{"failed", "off", 0, ""},
		{"raises", "auto", 0, ""},
		{"raises", "on", 3, "NotImplementedError: no lifespan"},
		{"raises_later", "auto", 0, "ZeroDivisionError: in the startup"},
		{"raises_later", "on", 3, "ZeroDivisionError: in the startup"},
		{"raises_while_serving", "on", 0, "has failed while it serves; it goes on without\nTraceback (most recent call last):\n"},
		{"returns", "auto", 0, ""},
		{"returns", "on", 3, "returned before its startup was complete"},
		{"exits", "on", 3, "SystemExit"},
		{"bad_end", "auto", 0, "the database has gone"},
	} {
		if !a.all && (c.lifespan != "auto" || c.application != "failed" && c.application != "raises") {
			continue
		}
		all.Go(func() {
			a.comesUp(t, server.Config{Application: "lifespans:" + c.application, Args: []string{"--lifespan", c.lifespan}}, c.code, c.log)
		})
	}
}

// comesUp runs a server of the application until it serves, if the code is 0, or ends with this code; "" as
// log: nothing has failed.
func (a *asgi) comesUp(t *testing.T, c server.Config, code int, log string) {
	t.Helper()
	application, args := c.Application, c.Args
	c.Dir, c.Args = "apps", append([]string{"--python", a.python, "--host", a.host, "--workers", "1"}, args...)
	s, err := server.Run(c)
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Kill()
	ready := func() bool { return strings.Contains(s.Output(), " serves ") }
	if err := server.Await(func() bool { return ready() || !s.Alive() }); err != nil {
		t.Error(err)
	}
	if ready() != (code == 0) {
		t.Errorf("%s %v: does it serve? %v\n%s", application, args, ready(), s.Log())
	}
	if ready() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	} else if got := s.Wait(); got != code {
		t.Errorf("%s %v: exit code %d, want %d", application, args, got, code)
	}
	if log != "" && !strings.Contains(s.Log()+s.Output(), log) || log == "" && strings.Contains(s.Log(), "Traceback") {
		t.Errorf("%s %v: %s%s", application, args, s.Output(), s.Log())
	}
}

// life is what the page life tells.
type life struct {
	Started         bool
	Startups, Early int
	Pid             int
	Loop            string
}

func (a *answer) life(t *testing.T) (l life) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &l); err != nil {
		t.Fatalf("%v: %v", a, err)
	}
	return l
}

func startupComesFirst(t *testing.T, a *asgi) {
	if l := a.get(t, "/life").life(t); !l.Started || l.Early != 0 || l.Startups != 1 {
		t.Errorf("%+v", l)
	}
}

func shutdownComesLast(t *testing.T, a *asgi) {
	s := server.UntilEnd(t, server.Config{Application: "asgi_checks:application", Dir: "apps",
		Args: []string{"--python", a.python, "--host", a.host, "--workers", "1", "--threads", a.loops}})
	name, c := unique(), dial(t, s)
	c.send(t, "GET /computes?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	second := dial(t, s)
	waits := func() bool {
		second.send(t, "GET /notes?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
		return strings.Contains(second.receive(t, "GET").body, "computing")
	}
	if err := server.Await(waits); err != nil {
		t.Fatal(err)
	}
	second.send(t, "GET /exits?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	if got := second.receive(t, "GET"); got.body != "exits" {
		t.Fatalf("%v", got)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	if _, err := s.AwaitLog("finishing what is running"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.Log(), "shutdown with") {
		t.Error("the application was shut down while a request ran")
	}
	second.send(t, "GET /open?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	second.receive(t, "GET")
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if log := s.Log(); strings.Count(log, "shutdown with ['asgi', 'list'] and 2 tasks") != 1 {
		t.Errorf("%s", log)
	}
}

func lifespanPerWorker(t *testing.T, a *asgi) {
	first := askServer(t, a.two, "GET", "/life", "").life(t)
	c := dial(t, a.two)
	c.send(t, "GET /waits?%s HTTP/1.1\r\nHost: x\r\n\r\n", unique()) // until this client leaves
	defer c.reset()
	if err := server.Await(func() bool { // the worker that has this request is not the next one's
		return askServer(t, a.two, "GET", "/life", "").life(t).Pid != first.Pid
	}); err != nil {
		t.Error(err)
	}
	if starts := a.starts(t); len(starts) != 2 || starts[0] == starts[1] {
		t.Errorf("lifespan was started by the processes %v", starts)
	}
}

func contextIsOwn(t *testing.T, a *asgi) {
	var all sync.WaitGroup
	for range 8 {
		name := unique()
		all.Go(func() {
			if got := a.get(t, "/context?"+name).body; got != `["unset", "`+name+`", true, "application"]` {
				t.Errorf("%s", got)
			}
		})
	}
	all.Wait()
}
