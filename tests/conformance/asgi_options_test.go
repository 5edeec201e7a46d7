package conformance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gobridge/tests/server"
	"gobridge/tests/sockets"
)

// optionsHold: each option that limits what an ASGI application gets does so.
func optionsHold(t *testing.T, a *asgi) {
	if !a.all {
		return
	}
	limited := a.own(t, "--limit-concurrency", "3", "--ws-max-size", "1K", "--ws-max-queue", "2", "--ws-per-message-deflate", "off", "--pathsend", "off")
	concurrencyIsLimited(t, limited)
	for name := range askServer(t, limited, "GET", "/scope", "").scope(t)["extensions"].is.(map[string]value) {
		if name == "http.response.pathsend" || name == "http.response.zerocopysend" {
			t.Errorf("--pathsend off announces %s", name)
		}
	}
	s, got := shake(t, limited, "/echo?"+unique(), "Sec-WebSocket-Extensions: permessage-deflate")
	if got.status != 101 || got.get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("%v", got)
	}
	long := strings.Repeat("x", 1024)
	s.frame(t, sockets.Fin|sockets.Text, long)
	s.want(t, sockets.Text, long)
	s.frame(t, sockets.Fin|sockets.Text, long+"x")
	s.wantClose(t, 1009, "*")
	queueIsLimited(t, limited)

	pinging := a.own(t, "--ws-ping-interval", "50ms", "--ws-ping-timeout", "50ms")
	if s, got = shake(t, pinging, "/echo?"+unique()); got.status != 101 {
		t.Fatal(got)
	}
	s.want(t, sockets.Ping, "")
	for op, text := s.message(t); ; op, text = s.message(t) {
		if op == sockets.Ping {
			continue // it came in time
		}
		if op != sockets.Close || text[:2] != sockets.Closing(1011, "") {
			t.Errorf("who answers no ping gets %x %q", op, text)
		}
		break
	}
}

// concurrencyIsLimited: more requests than there may be at once, or handshakes, get 503.
func concurrencyIsLimited(t *testing.T, s *server.Server) {
	t.Helper()
	var running []*client
	for range 3 {
		running = append(running, streaming(t, s, "/endless?"+unique()+"slow"))
	}
	if got := askServer(t, s, "GET", "/life", ""); got.status != 503 || got.get("Retry-After") == "" {
		t.Errorf("a fourth request: %v", got)
	}
	if _, got := shake(t, s, "/echo?"+unique()); got.status != 503 || got.get("Retry-After") == "" {
		t.Errorf("a handshake beside three requests: %v", got)
	}
	for _, c := range running {
		if err := c.reset(); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Await(func() bool { return askServer(t, s, "GET", "/life", "").status == 200 }); err != nil {
		t.Errorf("when the others have left: %v", err)
	}
}

// queueIsLimited: of a client that has sent as many messages as may wait, nothing more is read.
func queueIsLimited(t *testing.T, own *server.Server) {
	t.Helper()
	name := unique()
	s, got := shake(t, own, "/gated?"+name)
	if got.status != 101 {
		t.Fatal(got)
	}
	for _, text := range []string{"1", "2", "3"} {
		s.frame(t, sockets.Fin|sockets.Text, text)
	}
	s.frame(t, sockets.Fin|sockets.Ping, "ping")
	if err := s.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if b, err := s.in.Peek(1); err == nil {
		t.Errorf("a ping behind three messages is answered: %q", b)
	}
	if err := s.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	askServer(t, own, "GET", "/open?"+name, "")
	var all []string
	for range 4 {
		_, text := s.message(t)
		all = append(all, text)
	}
	if slices.Sort(all); strings.Join(all, " ") != "1 2 3 ping" {
		t.Errorf("%q", all)
	}
}
