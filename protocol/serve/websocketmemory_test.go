package serve

import (
	"strings"
	"testing"
)

// Messages that are not whole have a budget together: whoever goes beyond it is ended, and told to
// try later. What becomes whole, or is given up, makes room.
func TestUnwholeMessagesShareMemory(t *testing.T) {
	ends := make(chan fakeMessage, 4)
	s := start(t, 1, echo(ends), func(s *Settings) { s.Memory = 100_000 })
	piece := strings.Repeat("x", 60_000)
	begun := func() *client {
		c := s.dial(t)
		c.open(handshake)
		c.send(frame(0x02, piece))
		return c
	}
	held := func(n int64) {
		t.Helper()
		eventually(t, "so many bytes are held", func() bool { return s.messages.used.Load() == n })
	}
	first := begun()
	held(60_000)
	second := begun()
	second.hears(0x88, closing(1013, "there is no memory for the message at the moment"))
	second.send(frame(0x88, closing(1013, "")))
	second.wantEnd()
	wantEnd(t, ends, 1013, "there is no memory for the message at the moment")
	held(60_000)
	first.send(frame(0x80, "end"))
	first.hears(0x82, piece+"end")
	held(0)
	first.send(frame(0x02, piece))
	held(60_000)
	first.reset()
	wantEnd(t, ends, 1006, "")
	held(0)
	whole := s.dial(t) // needs none of it
	whole.open(handshake)
	whole.send(frame(0x81, "hello"))
	whole.hears(0x81, "hello")
	whole.send(frame(0x88, ""))
	whole.hears(0x88, "")
	whole.wantEnd()
	wantEnd(t, ends, 1005, "")
	if n := strings.Count(s.logs.String(), "--memory-budget"); n != 1 {
		t.Errorf("the log says it %d times: %s", n, s.logs)
	}
}
