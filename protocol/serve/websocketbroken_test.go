package serve

import (
	"bytes"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What a client sends behind a breach of the protocol, or behind its close frame, is not looked at;
// also when the answer to that must wait, because the client takes nothing.
func TestWebSocketBreachOfSlowClient(t *testing.T) {
	for name, last := range map[string]string{
		"a control frame too long": "\x89\xfe" + strings.Repeat("\x00", 6),
		"a message amid another":   frame(0x01, "a") + frame(0x01, "b"),
		"a close":                  frame(0x88, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said atomic.Int64
			ends := make(chan fakeMessage, 1)
			s := start(t, 1, func(c *call) {
				c.accept()
				for c.say(binaryOf(bytes.Repeat([]byte{1}, 50_000))) == nil {
					said.Add(1)
				}
				ends <- c.receive()
			})
			c := s.dial(t)
			c.open(handshake)
			eventually(t, "the client's socket is full", func() bool {
				before := said.Load()
				time.Sleep(50 * time.Millisecond)
				return before > 0 && said.Load() == before
			})
			c.send(last)
			for range 20 { // each a piece of its own
				c.send(strings.Repeat("\x89", 1000))
				time.Sleep(time.Millisecond)
			}
			c.Close()
			<-ends
		})
	}
}

// A WebSocket that is accepted when its worker is about to end, by a client that takes nothing any
// more, is gone; its server is not.
func TestWebSocketRecalledBeforeItIsAccepted(t *testing.T) {
	l, err := Listen("unix:" + tempSocket(t))
	if err != nil {
		t.Fatal(err)
	}
	closed, ends := make(chan bool), make(chan fakeMessage, 1)
	s := startOn(t, l, 1, func(c *call) {
		<-closed
		c.mu.Lock()
		c.socket.recalled = true
		c.mu.Unlock()
		c.accept()
		ends <- c.receive()
	})
	c := s.dial(t)
	c.send(handshake)
	if err := c.Conn.(*net.UnixConn).CloseRead(); err != nil {
		t.Fatal(err)
	}
	close(closed)
	<-ends
	eventually(t, "the connection is closed", func() bool { return s.Connections() == 0 })
}
