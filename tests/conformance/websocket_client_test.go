package conformance

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// websocket is a client's end of a WebSocket, whose frames are written and read as they are
// (RFC 6455 section 5.2).
type websocket struct{ *client }

// Opcodes, and the bit of a message's last frame.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa
	fin      = 0x80
)

// shake asks for a WebSocket, and returns what was answered.
func shake(t *testing.T, s *server.Server, target string, fields ...string) (*websocket, *answer) {
	t.Helper()
	c := dial(t, s)
	more := strings.Join(append(fields, ""), "\r\n")
	c.send(t, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", target, more)
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
	// The key of RFC 6455 section 1.3, and its answer.
	if got.status != 101 || got.get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || !strings.EqualFold(got.get("Upgrade"), "websocket") {
		t.Fatalf("%s: %v", target, got)
	}
	return s
}

// frame writes a frame, masked as a client's must be.
func (s *websocket) frame(t *testing.T, first byte, payload string) {
	t.Helper()
	if _, err := s.Write(append(frameHead(first, 0x80, len(payload)), masked(payload)...)); err != nil {
		t.Fatal(err)
	}
}

// frameHead is what stands before a payload, without the key.
func frameHead(first, mask byte, size int) []byte {
	b := []byte{first, mask}
	switch {
	case size < 126:
		b[1] |= byte(size)
	case size < 1<<16:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(size))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(size))
	}
	return b
}

// masked is a key, and the payload with it.
func masked(payload string) []byte {
	key := [4]byte{0x5a, 0, 0xa5, 0x11}
	b := append(key[:], payload...)
	for i := range len(payload) {
		b[4+i] ^= key[i%4]
	}
	return b
}

// next reads a frame.
func (s *websocket) next() (first byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(s.in, head[:2]); err != nil {
		return 0, nil, err
	}
	size, more := uint64(head[1]), 0
	switch size {
	case 126:
		more = 2
	case 127:
		more = 8
	}
	if _, err := io.ReadFull(s.in, head[2:2+more]); err != nil {
		return 0, nil, err
	}
	switch more {
	case 2:
		size = uint64(binary.BigEndian.Uint16(head[2:]))
	case 8:
		size = binary.BigEndian.Uint64(head[2:])
	}
	if size > 1<<26 {
		return 0, nil, fmt.Errorf("a frame of %d bytes, or one with a mask", size)
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(s.in, payload)
	return head[0], payload, err
}

// message reads a message, in frames as they may be.
func (s *websocket) message(t *testing.T) (op byte, text string) {
	t.Helper()
	var whole bytes.Buffer
	for {
		first, payload, err := s.next()
		if err != nil {
			t.Fatalf("no message, behind %d bytes of one: %v", whole.Len(), err)
		}
		if first&0xf != 0 {
			op = first & 0xf
		}
		whole.Write(payload)
		if first&fin != 0 {
			return op, whole.String()
		}
	}
}

// want reads a message that must be this one.
func (s *websocket) want(t *testing.T, op byte, text string) {
	t.Helper()
	if gotOp, got := s.message(t); gotOp != op || got != text {
		t.Errorf("got %x %.100q of %d bytes, want %x %.100q", gotOp, got, len(got), op, text)
	}
}

// wantClose reads what is left, which must be a close frame and the end of the connection.
func (s *websocket) wantClose(t *testing.T, code int, reason string) {
	t.Helper()
	op, got := s.message(t)
	if op != opClose || len(got) < 2 || int(binary.BigEndian.Uint16([]byte(got))) != code || got[2:] != reason && reason != "*" {
		t.Errorf("got %x %.100q, want a close with %d %q", op, got, code, reason)
	}
	s.frame(t, fin|opClose, got[:min(2, len(got))])
	if b, err := io.ReadAll(s.in); err != nil || len(b) > 0 {
		t.Errorf("behind the close: %q, %v", b, err)
	}
}

// closing is the payload of a close frame.
func closingWith(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}
