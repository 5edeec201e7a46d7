package conformance

import (
	"fmt"
	"strings"
	"testing"

	"gobridge/tests/server"
	"gobridge/tests/sockets"
)

// asgiSockets are the lines of the table that are about WebSocket.
var asgiSockets = []check[*asgi]{
	{"scope of type websocket: scheme, subprotocols across lines, extensions, fresh", socketScope},
	{"websocket.connect first; close before accept: 403, exception or return before it: 500", socketsAreRefused},
	{"denial response with several bodies", socketDenial},
	{"accept: subprotocol echoed or absent, headers; sec-websocket-protocol in headers refused", socketAccept},
	{"receive has one of bytes and text, and of the other not even the key; empty messages kept, fragments joined, pings answered", socketMessages},
	{"invalid UTF-8: 1007, too big: 1009, against the protocol: 1002", socketFaults},
	{"websocket.close: default 1000, reason sent; return without it 1000, exception 1011", socketCloses},
	{"disconnect: the client's code and reason, 1005 for an empty close frame, 1006 for a lost connection", socketDisconnects},
	{"1012 at a reload when its time is nearly over, at the server's end at once", socketRestart},
	{"send after disconnect raises OSError, receive repeats it, nothing is logged", socketAfterDisconnect},
	{"what was sent before a close arrives, in order, of several tasks too; the closing handshake ends", socketFlush},
	{"receive in one task, send in another; back-pressure both ways", socketBoth},
	{"wrong messages and a wrong order raise", socketWrong},
	{"one rule for the codes of a close, whoever sends it", socketCodes},
	{"a client that has closed his half is lost: before accept, amid messages to him", socketHalfClosed},
}

// script has the page sends send messages, and returns what was answered, and whose notes they are.
func (a *asgi) script(t *testing.T, messages ...string) (s *websocket, got *answer, name string) {
	t.Helper()
	name = unique()
	s, got = shake(t, a.one, "/sends?"+name, "Messages: ["+strings.Join(messages, ", ")+"]")
	return s, got, name
}

const (
	acceptIt = `{"type": "websocket.accept"}`
	closeIt  = `{"type": "websocket.close"}`
	denyIt   = `{"type": "websocket.http.response.start", "status": 418, "headers": [(b"x-a", b"1")]}`
)

func socketScope(t *testing.T, a *asgi) {
	own, other, forwarded := "ws", "wss", "https"
	if a.encrypted {
		own, other, forwarded = other, own, "http"
	}
	for range 2 {
		s := a.talk(t, "/scope?a=%20b", "Sec-WebSocket-Protocol: a , b", "sec-websocket-protocol: c")
		_, text := s.message(t)
		scope := (&answer{body: text}).scope(t)
		wantScope(t, a.withoutTLS(t, scope), map[string]string{
			"type": "'websocket'", "scheme": "'" + own + "'", "subprotocols": "['a', 'b', 'c']", "query_string": "b'a=%20b'", "path": "'/scope'", "http_version": "'1.1'",
			"extensions": "map[websocket.http.response:map[]]", "asgi": "map[spec_version:'2.5' version:'3.0']",
		})
		if _, has := scope["method"]; has || len(scope["state"].is.(map[string]value)) == 0 {
			t.Errorf("%v", scope)
		}
		s.wantClose(t, 1000, "")
	}
	s := a.talk(t, "/scope", "X-Forwarded-Proto: "+forwarded)
	_, text := s.message(t)
	wantScope(t, (&answer{body: text}).scope(t), map[string]string{"scheme": "'" + other + "'", "subprotocols": "[]"})
}

func socketsAreRefused(t *testing.T, a *asgi) {
	_, got, name := a.script(t, closeIt)
	if got.status != 403 || got.cut != nil {
		t.Errorf("%v", got)
	}
	a.awaitNotes(t, name, "websocket.connect", "sent", "websocket.disconnect code=1006 reason=''")
	for how, log := range map[string]string{"raises": "(?s:.*)ValueError: ", "returns": " .*before it accepted or refused"} {
		name := unique() + "&" + how
		if _, got := shake(t, a.one, "/ends?"+name); got.status != 500 || got.cut != nil {
			t.Errorf("%s: %v", how, got)
		}
		a.logged(t, `GET /ends\?`+name+`:`+log)
	}
}

func socketDenial(t *testing.T, a *asgi) {
	name := unique()
	_, got := shake(t, a.one, "/denies?"+name)
	if got.status != 418 || got.get("x-a") != "1" || got.body != "one"+strings.Repeat("t", 200000)+"end" || got.cut != nil {
		t.Errorf("%v", got)
	}
	a.awaitNotes(t, name, "websocket.connect", "sent", "sent", "sent", "sent", "RuntimeError", "websocket.disconnect code=1006 reason=''")
}

func socketAccept(t *testing.T, a *asgi) {
	s, got, _ := a.script(t, `{"type": "websocket.accept", "subprotocol": "b", "headers": [(b"X-A", b"1"), (b"set-cookie", b"c=1"), (b"set-cookie", b"d=2")]}`)
	if got.status != 101 || got.get("Sec-WebSocket-Protocol") != "b" || got.get("x-a") != "1" || len(got.all("set-cookie")) != 2 {
		t.Errorf("%v", got)
	}
	s.Close()
	s, got, name := a.script(t, `{"type": "websocket.accept", "headers": [(b"Sec-WebSocket-Protocol", b"a")]}`, `{"type": "websocket.accept", "subprotocol": "a b"}`, `{"type": "websocket.accept", "subprotocol": None}`)
	if len(got.all("sec-websocket-protocol")) != 0 || got.status != 101 {
		t.Errorf("%v", got)
	}
	s.frame(t, sockets.Fin|sockets.Close, sockets.Closing(1000, ""))
	a.awaitNotes(t, name, "websocket.connect", "ValueError", "ValueError", "sent", "websocket.disconnect code=1000 reason=''")
}

func socketMessages(t *testing.T, a *asgi) {
	name := unique()
	s := a.talk(t, "/echo?"+name)
	for _, m := range []struct {
		op   byte
		text string
	}{{sockets.Text, "h\u00e9llo"}, {sockets.Binary, "\x00\xff"}, {sockets.Text, ""}, {sockets.Binary, ""}, {sockets.Text, strings.Repeat("\u20ac", 100000)}, {sockets.Binary, strings.Repeat("b", 1000000)}} {
		s.frame(t, sockets.Fin|m.op, m.text)
		s.want(t, m.op, m.text)
	}
	s.frame(t, sockets.Text, "in \xe2\x82")
	s.frame(t, sockets.Fin|sockets.Ping, "are you there")
	s.want(t, sockets.Pong, "are you there")
	s.frame(t, 0, "\xac ")
	s.frame(t, 0, "")
	s.frame(t, sockets.Fin, "pieces")
	s.want(t, sockets.Text, "in \u20ac pieces")
	s.frame(t, sockets.Fin|sockets.Close, sockets.Closing(1000, ""))
	euros, bytes := strings.Repeat("\u20ac", 40), "b'"+strings.Repeat("b", 42)
	a.awaitNotes(t, name, "websocket.connect", "websocket.receive text='h\u00e9llo'", `websocket.receive bytes=b'\x00\xff'`,
		"websocket.receive text=''", "websocket.receive bytes=b''", "websocket.receive text='"+euros+"'",
		"websocket.receive bytes="+bytes, "websocket.receive text='in \u20ac pieces'",
		"websocket.disconnect code=1000 reason=''", "websocket.disconnect code=1000 reason=''", "ConnectionResetError OSError")
}

func socketFaults(t *testing.T, a *asgi) {
	for _, c := range []struct {
		frames string
		code   int
	}{
		{string(sockets.Frame(sockets.Fin|sockets.Text, "\xc3(")), 1007},
		{string(sockets.Head(sockets.Fin|sockets.Binary, 0x80, 17<<20)) + "mask", 1009},
		{string(sockets.Head(sockets.Fin|sockets.Text, 0, 1)) + "x", 1002}, // without a mask
		{string(sockets.Frame(sockets.Fin|0x3, "x")), 1002},
		{string(sockets.Frame(sockets.Fin, "x")), 1002}, // goes on with nothing
	} {
		name := unique()
		s := a.talk(t, "/echo?"+name)
		s.send(t, "%s", c.frames)
		if op, got := s.message(t); op != sockets.Close || len(got) < 2 || got[:2] != sockets.Closing(c.code, "") {
			t.Errorf("%q: got %x %q, want %d", c.frames, op, got, c.code)
		}
		s.Close()
		var notes []string
		if err := server.Await(func() bool { notes = strings.Split(a.notes(t, name), "\n"); return len(notes) > 3 }); err != nil || !strings.HasPrefix(notes[1], fmt.Sprintf("websocket.disconnect code=%d ", c.code)) {
			t.Errorf("%q: %q, want %d", c.frames, notes, c.code)
		}
	}
}

func socketCloses(t *testing.T, a *asgi) {
	for message, want := range map[string]struct {
		code   int
		reason string
	}{
		closeIt: {1000, ""}, `{"type": "websocket.close", "code": 3210, "reason": "because"}`: {3210, "because"},
	} {
		s, _, name := a.script(t, acceptIt, message)
		s.wantClose(t, want.code, want.reason)
		a.awaitNotes(t, name, "websocket.connect", "sent", "sent", fmt.Sprintf("websocket.disconnect code=%d reason='%s'", want.code, want.reason))
	}
	s := a.talk(t, "/ends?"+unique()+"&open")
	s.want(t, sockets.Text, "first")
	s.wantClose(t, 1000, "")
	name := unique() + "&open+raises"
	s = a.talk(t, "/ends?"+name)
	s.want(t, sockets.Text, "first")
	s.wantClose(t, 1011, "*")
	a.logged(t, `GET /ends\?`+strings.ReplaceAll(name, "+", `\+`)+`:(?s:.*)ValueError: `)
}

func socketDisconnects(t *testing.T, a *asgi) {
	for _, c := range []struct {
		leave func(s *websocket)
		code  int
		why   string
	}{
		{func(s *websocket) { s.frame(t, sockets.Fin|sockets.Close, sockets.Closing(3000, "tschüß")) }, 3000, "tschüß"},
		{func(s *websocket) { s.frame(t, sockets.Fin|sockets.Close, sockets.Closing(1001, "")) }, 1001, ""},
		{func(s *websocket) { s.frame(t, sockets.Fin|sockets.Close, "") }, 1005, ""},
		{func(s *websocket) { s.Close() }, 1006, ""},
		{func(s *websocket) { s.reset() }, 1006, ""},
	} {
		name := unique()
		s := a.talk(t, "/echo?"+name)
		c.leave(s)
		told := fmt.Sprintf("websocket.disconnect code=%d reason='%s'", c.code, c.why)
		a.awaitNotes(t, name, "websocket.connect", told, told, "ConnectionResetError OSError")
	}
}

func socketAfterDisconnect(t *testing.T, a *asgi) {
	for _, leave := range []func(s *websocket){
		func(s *websocket) { s.frame(t, sockets.Fin|sockets.Close, sockets.Closing(1000, "")); s.Close() },
		func(s *websocket) { s.reset() },
	} {
		name, before := unique(), len(a.one.Log())
		s := a.talk(t, "/endless?"+name)
		leave(s)
		a.awaitNotes(t, name, "OSError: True")
		a.get(t, "/life")
		if log := a.one.Log()[before:]; strings.Contains(log, name) {
			t.Errorf("it is logged: %s", log)
		}
	}
}

func socketFlush(t *testing.T, a *asgi) {
	s := a.talk(t, "/flushes")
	for i := range 100 {
		s.want(t, sockets.Binary, strings.Repeat(string([]byte{byte(i)}), 10000))
	}
	s.wantClose(t, 4000, "all")
}

func socketBoth(t *testing.T, a *asgi) {
	s := a.talk(t, "/both")
	sent := make(chan error, 1)
	go func() {
		var err error
		frame := sockets.Frame(sockets.Fin|sockets.Binary, strings.Repeat("z", 10000))
		for i := 0; i < 100 && err == nil; i++ {
			_, err = s.Write(frame)
		}
		sent <- err
	}()
	for i := range 50 {
		s.want(t, sockets.Binary, strings.Repeat(string([]byte{byte(i)}), 20000))
	}
	s.want(t, sockets.Text, "1000000")
	if err := <-sent; err != nil {
		t.Error(err)
	}
	s = a.talk(t, "/waits")
	s.want(t, sockets.Text, "open")
	for range 30 {
		s.frame(t, sockets.Fin|sockets.Binary, strings.Repeat("w", 100000))
	}
	s.want(t, sockets.Text, "3000000")
	s.wantClose(t, 1000, "")
}

func socketWrong(t *testing.T, a *asgi) {
	message := func(more string) string { return `{"type": "websocket.send"` + more + `}` }
	s, _, name := a.script(t, message(`, "text": "a"`), acceptIt, acceptIt, message(""), message(`, "text": "a", "bytes": b"a"`), message(`, "text": b"a"`), message(`, "bytes": "a"`),
		`{"type": "http.response.start", "status": 200}`, denyIt, message(`, "text": None, "bytes": b"b"`), `{"type": "websocket.close", "code": 1005}`, closeIt, closeIt, message(`, "text": "a"`))
	s.want(t, sockets.Binary, "b")
	s.wantClose(t, 1000, "")
	a.awaitNotes(t, name, "websocket.connect", "RuntimeError", "sent", "RuntimeError", "ValueError", "ValueError", "TypeError", "TypeError", "ValueError", "RuntimeError", "sent",
		"ValueError", "sent", "RuntimeError", "RuntimeError", "websocket.disconnect code=1000 reason=''")
	if got := a.ask(t, "GET", "/echo", ""); got.status != 200 { // no handshake: a request of HTTP
		t.Errorf("%v", got)
	}
}
