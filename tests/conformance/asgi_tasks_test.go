package conformance

import (
	"testing"

	"gobridge/tests/server"
)

// asgiTasks are small applications that use asyncio and anyio as people do. They are asked on
// the loop that is the interpreter's own choice, and on asyncio's in its debug mode.
var asgiTasks = []struct{ page, want string }{
	{"handled", `["ValueError", "ZeroDivisionError"]`},
	{"cancelled", `["CancelledError", "stayed", "CancelledError"]`},
	{"in_time", `["timeout", "in time"]`},
	{"threads", `"http.request"`},
	{"grouped", `[0, 1, 2, true, "here", "timeout"]`},
}

func tasksAsPeopleDo(t *testing.T, a *asgi) {
	for _, s := range []struct {
		*server.Server
		debug string
	}{{a.one, "false"}, {a.two, "true"}} {
		ask := func(page string) string { return askServer(t, s.Server, "GET", page, "").body }
		if got := ask("/debug"); got != s.debug {
			t.Errorf("debug mode: %s, want %s", got, s.debug)
		}
		for _, c := range asgiTasks {
			if got := ask("/" + c.page + "?" + unique()); got != c.want {
				t.Errorf("%s on %s: %s, want %s", c.page, s.Ready, got, c.want)
			}
		}
	}
}

func backgroundGoesOn(t *testing.T, a *asgi) {
	name := unique()
	if got := a.get(t, "/background?"+name); got.body != `"out"` {
		t.Errorf("%v", got)
	}
	a.awaitNoted(t, name, `["task", "application"]`)
}

// streamIsCancelled: an application that watches for it learns that its client has left, and ends.
func streamIsCancelled(t *testing.T, a *asgi) {
	name, c := unique(), dial(t, a.one)
	c.send(t, "GET /events?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	if _, err := c.head(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // each is flushed at once
		if text, err := c.chunk(); err != nil || text != "data: x\n\n" {
			t.Fatalf("%q, %v", text, err)
		}
	}
	if err := c.reset(); err != nil {
		t.Fatal(err)
	}
	a.awaitNoted(t, name, `["CancelledError"]`)
}

// awaitNoted waits until a page of asgi_tasks has noted this, as JSON.
func (a *asgi) awaitNoted(t *testing.T, name, want string) {
	t.Helper()
	got := ""
	if err := server.Await(func() bool { got = a.get(t, "/noted?"+name).body; return len(got) >= len(want) }); err != nil || got != want {
		t.Errorf("%s has noted %s, want %s", name, got, want)
	}
}
