package conformance

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gobridge/tests/server"
	"gobridge/tests/sockets"
)

// own starts a server for one check, which ends it as it wants to.
func (a *asgi) own(t *testing.T, args ...string) *server.Server {
	t.Helper()
	s, err := server.Start(server.Config{Application: "asgi_checks:application", Dir: "apps",
		Args: append([]string{"--python", a.python, "--host", a.host, "--workers", "1"}, args...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

// streaming asks for an answer that has no end, and reads the begin of it.
func streaming(t *testing.T, s *server.Server, target string) *client {
	t.Helper()
	c := dial(t, s)
	c.send(t, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
	got, err := c.head()
	if err == nil {
		_, err = c.chunk()
	}
	if err != nil || got.status != 200 {
		t.Fatal(got, err)
	}
	return c
}

// socketRestart: after a reload a WebSocket lives on until its time is nearly over. At the server's
// end nothing is gained by waiting.
func socketRestart(t *testing.T, a *asgi) {
	if !a.all {
		return
	}
	control := filepath.Join(t.TempDir(), "control")
	own := a.own(t, "--graceful-timeout", "3s", "--control", control)
	s, got := shake(t, own, "/echo?"+unique())
	undecided := undecidedSocket(t, own)
	if _, err := own.Reload(control); err != nil || got.status != 101 {
		t.Fatal(got, err)
	}
	s.frame(t, sockets.Fin|sockets.Text, "still there")
	s.want(t, sockets.Text, "still there")
	undecided.wantTurnedAway(t, own)
	s.wantClose(t, 1012, "*")
	if err := own.Stop(); err != nil || strings.Contains(own.Log(), "killed") {
		t.Errorf("%v: %s", err, own.Log())
	}
	patient := a.own(t, "--graceful-timeout", "off")
	told, undecided := streaming(t, patient, "/told"), undecidedSocket(t, patient)
	if s, got = shake(t, patient, "/echo?"+unique()); got.status != 101 {
		t.Fatal(got)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- patient.Stop() }()
	undecided.wantTurnedAway(t, patient)
	s.wantClose(t, 1012, "*")
	if text, err := told.chunk(); err != nil || text != "told" {
		t.Errorf("who waits for SIGTERM has sent %q, %v", text, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// undecidedSocket asks for a WebSocket that the application neither accepts nor refuses.
func undecidedSocket(t *testing.T, s *server.Server) *client {
	t.Helper()
	c, name := dial(t, s), unique()
	c.send(t, "GET /delays?%s HTTP/1.1\r\nHost: x\r\n%s\r\n", name, sockets.Fields)
	if err := server.Await(func() bool { return strings.Contains(askServer(t, s, "GET", "/notes?"+name, "").body, "connect") }); err != nil {
		t.Fatal(err)
	}
	return c
}

// wantTurnedAway: its client need not wait, and neither need the server's end.
func (c *client) wantTurnedAway(t *testing.T, s *server.Server) {
	t.Helper()
	if got := c.receive(t, "GET"); got.status != 503 || got.get("Retry-After") == "" || got.cut != nil {
		t.Errorf("an undecided handshake is answered by %v", got)
	}
	if _, err := s.AwaitLog(`undecided, and told 1012`); err != nil {
		t.Error(err)
	}
}

// endlessEnds: what has no end is cut when the time is nearly over, so that the application's own
// end still has its time.
func endlessEnds(t *testing.T, a *asgi) {
	if !a.all {
		return
	}
	control := filepath.Join(t.TempDir(), "control")
	own := a.own(t, "--graceful-timeout", "3s", "--control", control)
	shutdowns := func(n int) {
		t.Helper()
		if err := server.Await(func() bool { return strings.Count(own.Log(), "shutdown with ") == n }); err != nil {
			t.Errorf("%d shutdowns: %s", n, own.Log())
		}
	}
	for n, end := range []struct {
		begin func() error
		log   string
	}{
		{func() error { _, err := own.Reload(control); return err }, `answers without an end in sight, because their worker must leave .* were cut: 1 requests=\["GET /endless\?`},
		{func() error { return own.Signal(syscall.SIGTERM) }, `waiting for requests to finish: 1 requests=\["GET /endless\?(?s:.*)answers without an end in sight were cut.*: 1 requests=\["GET /endless\?`},
	} {
		c := streaming(t, own, "/endless?"+unique()+"slow")
		if err := end.begin(); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(c.in); err != nil || strings.HasSuffix(string(rest), "0\r\n\r\n") {
			t.Errorf("its client cannot see that it was cut: %v", err)
		}
		if _, err := own.AwaitLog(end.log); err != nil {
			t.Error(err)
		}
		shutdowns(n + 1)
	}
	if code := own.Wait(); code != 6 || strings.Contains(own.Log(), "killed") || strings.Contains(own.Log(), "Traceback") {
		t.Errorf("exit code %d: %s", code, own.Log())
	}
}

// stoppedLoops: a loop that stops by itself ends its worker, and hangs nobody.
func stoppedLoops(t *testing.T, a *asgi) {
	if !a.all {
		return
	}
	own := a.own(t, "--loop", "asyncio", "--threads", a.loops, "--graceful-timeout", "4s")
	endless := streaming(t, own, "/endless?"+unique()+"slow")
	if got := askServer(t, own, "GET", "/stops", ""); got.status != 200 || got.body != `"finished"` {
		t.Errorf("the request that has stopped its loop: %v", got)
	}
	if rest, err := io.ReadAll(endless.in); err != nil || strings.HasSuffix(string(rest), "0\r\n\r\n") {
		t.Errorf("the client of an endless answer cannot see that it was cut: %v", err)
	}
	if got := askServer(t, own, "GET", "/breaks", ""); got.status != 502 {
		t.Errorf("the request of a loop that has failed: %v", got)
	}
	if got := askServer(t, own, "GET", "/life", ""); got.status != 200 {
		t.Errorf("the next worker: %v", got)
	}
	for _, line := range []string{
		`the application has stopped the event loop of a worker, which finishes what it runs; another one takes its place`,
		`(?s)shutdown with .*worker \d+ exited with code 0, because the application has stopped an event loop of it; another one takes its place`,
		`(?s)a worker could not go on, and another one takes its place: (the event loop|event loop \d of \d) has failed:\nTraceback .*requests=\["GET /breaks"\]`,
	} {
		if _, err := own.AwaitLog(line); err != nil {
			t.Error(err)
		}
	}
}

// socketCodes: the application may close with the codes that a client may close with.
func socketCodes(t *testing.T, a *asgi) {
	for code, may := range map[int]bool{0: false, 999: false, 1000: true, 1003: true, 1004: false, 1005: false, 1006: false, 1007: true,
		1014: true, 1015: false, 1016: false, 2999: false, 3000: true, 4999: true, 5000: false, 65536 + 1000: false} {
		s, _, name := a.script(t, acceptIt, fmt.Sprintf(`{"type": "websocket.close", "code": %d}`, code), closeIt)
		if may {
			s.wantClose(t, code, "")
			a.awaitNotes(t, name, "websocket.connect", "sent", "sent", "RuntimeError", fmt.Sprintf("websocket.disconnect code=%d reason=''", code))
		} else {
			s.wantClose(t, 1000, "")
			a.awaitNotes(t, name, "websocket.connect", "sent", "ValueError", "sent", "websocket.disconnect code=1000 reason=''")
		}
		if code > 65535 {
			continue
		}
		s = a.talk(t, "/echo?"+unique())
		s.frame(t, sockets.Fin|sockets.Close, sockets.Closing(code, ""))
		want := code
		if !may {
			want = 1002
		}
		if op, got := s.message(t); op != sockets.Close || len(got) < 2 || got[:2] != sockets.Closing(want, "") {
			t.Errorf("a client's %d is answered by %x %q, want %d", code, op, got, want)
		}
	}
}

// socketHalfClosed: from a client that sends its FIN no close frame can come any more.
func socketHalfClosed(t *testing.T, a *asgi) {
	name, c := unique(), dial(t, a.one)
	c.send(t, "GET /delays?%s HTTP/1.1\r\nHost: x\r\n%s\r\n", name, sockets.Fields)
	a.awaitNotes(t, name, "websocket.connect")
	if err := c.finish(); err != nil {
		t.Fatal(err)
	}
	a.awaitNotes(t, name, "websocket.connect", "websocket.disconnect code=1006 reason=''")
	name = unique()
	s := a.talk(t, "/endless?"+name)
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, s.in) // it takes on what comes
	a.awaitNotes(t, name, "OSError: True")
}
