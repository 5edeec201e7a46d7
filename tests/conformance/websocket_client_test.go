package conformance

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"gobridge/tests/server"
	"gobridge/tests/sockets"
)

// websocket is a client's end of a WebSocket.
type websocket struct{ *client }

// shake asks for a WebSocket, and returns what was answered.
func shake(t *testing.T, s *server.Server, target string, fields ...string) (*websocket, *answer) {
	t.Helper()
	c := dial(t, s)
	c.send(t, "GET %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n", target, sockets.Fields, strings.Join(append(fields, ""), "\r\n"))
	got, err := c.head()
	if err == nil && got.status != 101 {
		err = c.body(got, "GET")
	}
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return &websocket{c}, got
}

// talk asks for a WebSocket that is accepted.
func (a *asgi) talk(t *testing.T, target string, fields ...string) *websocket {
	t.Helper()
	s, got := shake(t, a.one, target, fields...)
	if got.status != 101 || got.get("Sec-WebSocket-Accept") != sockets.Accept || !strings.EqualFold(got.get("Upgrade"), "websocket") {
		t.Fatalf("%s: %v", target, got)
	}
	return s
}

func (s *websocket) frame(t *testing.T, first byte, payload string) {
	t.Helper()
	if _, err := s.Write(sockets.Frame(first, payload)); err != nil {
		t.Fatal(err)
	}
}

func (s *websocket) message(t *testing.T) (op byte, text string) {
	t.Helper()
	op, message, err := sockets.ReadMessage(s.in)
	if err != nil {
		t.Fatalf("no message, behind %d bytes of one: %v", len(message), err)
	}
	return op, string(message)
}

// want reads a message that must be this one.
func (s *websocket) want(t *testing.T, op byte, text string) {
	t.Helper()
	if gotOp, got := s.message(t); gotOp != op || got != text {
		t.Errorf("got %x %.100q of %d bytes, want %x %.100q", gotOp, got, len(got), op, text)
	}
}

// wantClose reads what is left, which must be a close frame and the end of the connection. Any
// reason will do for "*".
func (s *websocket) wantClose(t *testing.T, code int, reason string) {
	t.Helper()
	op, got := s.message(t)
	if op != sockets.Close || len(got) < 2 || int(binary.BigEndian.Uint16([]byte(got))) != code || got[2:] != reason && reason != "*" {
		t.Errorf("got %x %.100q, want a close with %d %q", op, got, code, reason)
	}
	s.frame(t, sockets.Fin|sockets.Close, got[:min(2, len(got))])
	if b, err := io.ReadAll(s.in); err != nil || len(b) > 0 {
		t.Errorf("behind the close: %q, %v", b, err)
	}
}
