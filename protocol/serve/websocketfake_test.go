package serve

import (
	"bytes"

	"gobridge/bridge"
)

// fakeSocket is a call's WebSocket: messages in both directions, as the bridge has them.
type fakeSocket struct {
	open     bool
	in       []fakeMessage
	size     int  // bytes of in
	noRoom   bool // the front waits for room
	out      []fakeMessage
	sent     int // bytes of out
	recalled bool
	rests    int
	wholes   int // messages that came in one piece
}

// fakeMessage is a piece of a message.
type fakeMessage struct {
	kind bridge.MessageKind
	data []byte
	last bool
	code int
}

// text and binaryOf are messages as the application sees it.
func text(b string) fakeMessage {
	return fakeMessage{kind: bridge.TextMessage, data: []byte(b), last: true}
}

func binaryOf(b []byte) fakeMessage {
	return fakeMessage{kind: bridge.BinaryMessage, data: b, last: true}
}

func theEnd(code int, reason string) fakeMessage {
	return fakeMessage{kind: bridge.CloseMessage, data: []byte(reason), last: true, code: code}
}

// ---- The application's side.

// accept accepts the handshake.
func (c *call) accept(lines ...string) {
	h := &bridge.ResponseHead{Status: 101, BodyLength: -1}
	for _, l := range lines {
		h.Lines = append(h.Lines, l+"\r\n"...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head, c.socket.open = h, true
	c.tell()
}

// receive returns the next message whole; a CloseMessage at the end.
func (c *call) receive() (m fakeMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.socket
	for pieces := 1; ; pieces++ {
		for len(s.in) == 0 {
			if c.closed {
				return theEnd(1006, "nobody said so")
			}
			c.cond.Wait()
		}
		piece := s.in[0]
		s.in = s.in[1:]
		s.size -= len(piece.data)
		if s.noRoom {
			s.noRoom = false
			c.tell()
		}
		if m.kind != bridge.NoMessage && m.kind != piece.kind && piece.kind != bridge.CloseMessage {
			panic("a message changes its kind")
		}
		if piece.kind == bridge.CloseMessage {
			return piece
		}
		m.kind, m.data, m.last = piece.kind, append(m.data, piece.data...), piece.last
		if m.last {
			if pieces == 1 {
				s.wholes++
			}
			return m
		}
	}
}

// say sends a piece of a message, or the end.
func (c *call) say(m fakeMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.socket
	for s.sent > 0 && s.sent+len(m.data) > fakePipe && !c.closed {
		c.cond.Wait()
	}
	if c.closed {
		return errClosed
	}
	m.data = bytes.Clone(m.data)
	s.out = append(s.out, m)
	s.sent += len(m.data)
	c.tell()
	return nil
}

// ---- The front's side.

func (s *fakeSocket) advance(n int) {
	m := &s.out[0]
	m.data = m.data[n:]
	s.sent -= n
	if len(m.data) == 0 {
		s.out = s.out[1:]
	}
}

func (x *fakeExchange) MessageRoom() int {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if room := fakePipe - c.socket.size; room >= 4096 {
		return room
	}
	c.socket.noRoom = true
	return -1
}

func (x *fakeExchange) WriteMessage(kind bridge.MessageKind, b []byte, last bool) {
	x.come(fakeMessage{kind: kind, data: bytes.Clone(b), last: last})
}

func (x *fakeExchange) WriteClose(code int, reason []byte) {
	x.come(theEnd(code, string(reason)))
}

func (x *fakeExchange) come(m fakeMessage) {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == bridge.Waiting {
		c.socket.in = append(c.socket.in, m)
		c.socket.size += len(m.data)
		c.cond.Broadcast()
	}
}

// Message cuts a piece in two, as at the end of a ring.
func (x *fakeExchange) Message() (m bridge.Message) {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == bridge.Lost || len(c.socket.out) == 0 {
		return m
	}
	next := c.socket.out[0]
	if next.kind == bridge.CloseMessage {
		c.socket.out = nil
		return bridge.Message{Kind: next.kind, Last: true, Code: next.code, Reason: next.data}
	}
	half := (len(next.data) + 1) / 2
	return bridge.Message{Kind: next.kind, A: next.data[:half], B: next.data[half:], Size: len(next.data), Last: next.last}
}

func (x *fakeExchange) Recalled() bool {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.socket.recalled
}

func (x *fakeExchange) Rest() {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	c.socket.rests++
}
