package conformance

import (
	"net"
	"strings"
	"testing"
)

func scopeNames(t *testing.T, a *asgi) {
	s := a.get(t, "/scope", "X-Two: a", "Content-TYPE: b", "x-two: c", "COOKIE: d=1", "Cookie: e=2").scope(t)
	wantScope(t, s, map[string]string{"headers": "[(b'host', b'x'), (b'connection', b'close'), (b'x-two', b'a'), (b'content-type', b'b'), (b'x-two', b'c'), (b'cookie', b'd=1'), (b'cookie', b'e=2')]"})
}

func scopeValues(t *testing.T, a *asgi) {
	s := a.get(t, "/scope", "X-A: \t a b \t", "X-B:", "X-C: \xe4\xff").scope(t)
	if got := s["headers"].String(); !strings.HasSuffix(got, "(b'x-a', b'a b'), (b'x-b', b''), (b'x-c', b'\u00e4\u00ff')]") {
		t.Errorf("the headers are %s", got)
	}
}

func scopePaths(t *testing.T, a *asgi) {
	for raw, path := range map[string]string{
		"/": "/", "/a%20b//c": "/a b//c", "/caf%C3%A9": "/café", "/%E4%FF-%2F": "/\ufffd\ufffd-/", "/%zz%4": "/%zz%4", "/%25zz": "/%zz",
		"/" + strings.Repeat("long", 100): "/" + strings.Repeat("long", 100),
	} {
		wantScope(t, a.get(t, raw+"?x").scope(t), map[string]string{"raw_path": "b'" + raw + "'", "path": "'" + path + "'"})
	}
}

func scopeQuery(t *testing.T, a *asgi) {
	for target, want := range map[string]string{"/scope": "", "/scope?": "", "/scope?a=%20b&c?d": "a=%20b&c?d"} {
		wantScope(t, a.get(t, target).scope(t), map[string]string{"query_string": "b'" + want + "'"})
	}
}

func scopeRoot(t *testing.T, a *asgi) {
	wantScope(t, a.get(t, "/scope").scope(t), map[string]string{"root_path": "''", "path": "'/scope'"})
	for path, want := range map[string]string{"/shop/x": "/shop/x", "/shop": "/shop", "/x": "/shop/x", "/shopping": "/shop/shopping"} {
		s := askServer(t, a.two, "GET", path, "").scope(t)
		wantScope(t, s, map[string]string{"root_path": "'/shop'", "path": "'" + want + "'", "raw_path": "b'" + path + "'"})
	}
}

func (a *asgi) onSocket(t *testing.T) *client {
	t.Helper()
	conn, err := net.Dial("unix", a.socket)
	return connected(t, conn, err)
}

func scopeClient(t *testing.T, a *asgi) {
	c := dial(t, a.one)
	for range 2 {
		c.send(t, "GET /scope HTTP/1.1\r\nHost: x\r\n\r\n")
		_, port, err := net.SplitHostPort(c.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		wantScope(t, c.receive(t, "GET").scope(t), map[string]string{"client": "('127.0.0.1', " + port + ")"})
	}
	c = a.onSocket(t)
	c.send(t, "GET /scope HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := c.receive(t, "GET").scope(t)["client"].kind; got != "NoneType" {
		t.Errorf("on a unix socket client is of type %s", got)
	}
}

func scopeServer(t *testing.T, a *asgi) {
	_, port, err := net.SplitHostPort(a.one.Address())
	if err != nil {
		t.Fatal(err)
	}
	wantScope(t, a.get(t, "/scope").scope(t), map[string]string{"server": "('127.0.0.1', " + port + ")"})
	c := a.onSocket(t)
	c.send(t, "GET /scope HTTP/1.1\r\nHost: x\r\n\r\n")
	wantScope(t, c.receive(t, "GET").scope(t), map[string]string{"server": "('" + a.socket + "', <nil>)"})
}

func scopeScheme(t *testing.T, a *asgi) {
	own, other := "http", "https"
	if a.encrypted {
		own, other = other, own
	}
	wantScope(t, a.get(t, "/scope").scope(t), map[string]string{"scheme": "'" + own + "'"})
	wantScope(t, a.get(t, "/scope", "X-Forwarded-Proto: "+other, "X-Forwarded-For: 198.51.100.7").scope(t), map[string]string{"scheme": "'" + other + "'"})
	wantScope(t, askServer(t, a.two, "GET", "/shop/scope", "", "X-Forwarded-Proto: "+other).scope(t), map[string]string{"scheme": "'" + own + "'"})
}

func scopeVersion(t *testing.T, a *asgi) {
	wantScope(t, a.get(t, "/scope").scope(t), map[string]string{"http_version": "'1.1'"})
	c := dial(t, a.one)
	c.send(t, "GET /scope HTTP/1.0\r\n\r\n")
	wantScope(t, c.receive(t, "GET").scope(t), map[string]string{"http_version": "'1.0'"})
}

func scopeMethod(t *testing.T, a *asgi) {
	for method, want := range map[string]string{"GET": "GET", "DELETE": "DELETE", "M-SEARCH": "M-SEARCH", "FROB": "FROB", "patch": "PATCH"} {
		wantScope(t, a.ask(t, method, "/scope", "").scope(t), map[string]string{"method": "'" + want + "'", "type": "'http'"})
	}
}

func scopeASGI(t *testing.T, a *asgi) {
	wantScope(t, a.get(t, "/scope").scope(t), map[string]string{"asgi": "map[spec_version:'2.5' version:'3.0']"})
	wantScope(t, askServer(t, a.two, "GET", "/shop/scope", "").scope(t), map[string]string{"asgi": "map[spec_version:'2.5' version:'2.0']"})
}

func scopeIsFresh(t *testing.T, a *asgi) {
	c := dial(t, a.one)
	for range 3 {
		c.send(t, "GET /scope HTTP/1.1\r\nHost: x\r\n\r\n")
		s := c.receive(t, "GET").scope(t)
		wantScope(t, s, map[string]string{"asgi": "map[spec_version:'2.5' version:'3.0']", "headers": "[(b'host', b'x')]", "path": "'/scope'"})
		state, extensions := s["state"].is.(map[string]value), s["extensions"].is.(map[string]value)
		if _, mine := state["mine"]; mine || state["asgi"].String() != "'3.0'" || state["list"].kind != "list" {
			t.Errorf("the state is %v", state)
		}
		if _, mine := extensions["mine"]; mine || s["mine"].kind != "" {
			t.Errorf("the scope is %v", s)
		}
	}
	name := unique()
	a.get(t, "/shared?"+name)
	if got := a.get(t, "/shared?"+name).body; strings.Count(got, name) != 2 {
		t.Errorf("a list in the state is not shared: %s", got)
	}
}
