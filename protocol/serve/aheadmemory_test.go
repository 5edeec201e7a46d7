package serve

import (
	"strings"
	"sync"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/proxyproto"
)

// budgetOfTwo has memory for two buffers, and whatever is smaller.
func budgetOfTwo(s *Settings) { s.Memory = 2*bufferSize + 4*smallBuffer }

// gate is what applications wait for, and what opens it, once.
func gate() (may <-chan struct{}, open func()) {
	opened := make(chan struct{})
	return opened, sync.OnceFunc(func() { close(opened) })
}

// answersWhen is an application that answers when it may, having read nothing.
func answersWhen(may <-chan struct{}) application {
	return func(c *call) {
		<-may
		c.start(200, 5)
		c.Write([]byte("hello"))
	}
}

// next is a request that is sent behind another one.
var next = "POST /next HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n" + strings.Repeat("x", 10_000)

// What a client sends behind a request while that is answered counts, too. Where there is no memory
// for it, it is lost, and the connection ends in an orderly way with the answer.
func TestRequestsAheadWithoutMemory(t *testing.T) {
	may, open := gate()
	defer open()
	s := start(t, 1, answersWhen(may), budgetOfTwo)
	var clients []*client
	for n := range 3 {
		c := s.dial(t)
		c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n" + next)
		eventually(t, "the request", func() bool { return s.begun() == int64(n+1) })
		clients = append(clients, c)
	}
	if used := s.budget.used.Load(); used > s.budget.limit {
		t.Errorf("%d bytes are taken of %d", used, s.budget.limit)
	}
	open()
	for n, c := range clients {
		if c.want("GET", 200, "hello"); n < 2 {
			c.want("GET", 200, "hello")
		} else {
			c.finish()
			c.wantEnd()
		}
	}
	if n := s.begun(); n != 5 {
		t.Errorf("%d requests were begun, want 5", n)
	}
	s.idle(t)
}

// Of a body that comes as the application reads it, what finds neither room in the pipe nor memory
// has its request refused.
func TestBodiesAheadWithoutMemory(t *testing.T) {
	may, open := gate()
	defer open()
	s := start(t, 1, answersWhen(may), budgetOfTwo)
	var clients []*client
	for n := range 3 {
		c := s.dial(t)
		c.send("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + strings.Repeat("x", fakePipe+bufferSize/2))
		if n < 2 {
			eventually(t, "what the pipe does not hold", func() bool { return s.budget.used.Load() == int64(n+1)*bufferSize })
		}
		clients = append(clients, c)
	}
	if r := clients[2].want("POST", 503, "*"); !r.Close || r.Header.Get("Retry-After") == "" {
		t.Errorf("close %v, Retry-After %q", r.Close, r.Header.Get("Retry-After"))
	}
	open()
	for _, c := range clients[:2] {
		c.want("POST", 200, "hello")
		c.reset()
	}
	clients[2].reset()
	s.idle(t)
}

// Who is slow before a request costs as little as one who is slow amid its head.
func TestAnnouncementsWithoutMemory(t *testing.T) {
	s := startAnnounced(t, demo, proxyproto.Auto, "127.0.0.1", func(s *Settings) { s.Memory = 20 * smallBuffer })
	for range 20 {
		s.dial(t).send(announce1[:20])
	}
	eventually(t, "all of them", func() bool { return s.budget.used.Load() == s.budget.limit })
	late := s.dial(t)
	late.send(announce1[:20])
	late.wantEnd()
	whole := s.dial(t)
	whole.send(announce1 + helloRequest)
	whole.want("GET", 200, "hello")
}

// A WebSocket whose client sends ahead of its application is ended where there is no memory for it,
// and told to try later.
func TestMessagesAheadWithoutMemory(t *testing.T) {
	may, open := gate()
	defer open()
	ends := make(chan fakeMessage, 3)
	s := start(t, 1, func(c *call) {
		c.accept()
		<-may
		for {
			if m := c.receive(); m.kind == bridge.CloseMessage {
				ends <- m
				return
			}
		}
	}, budgetOfTwo)
	messages := strings.Repeat(frame(0x82, strings.Repeat("x", 1000)), (fakePipe+bufferSize/2)/1000)
	var clients []*client
	for n := range 3 {
		c := s.dial(t)
		c.open(handshake)
		c.send(messages)
		if n < 2 {
			eventually(t, "what the pipe does not hold", func() bool { return s.budget.used.Load() == int64(n+1)*bufferSize })
		}
		clients = append(clients, c)
	}
	clients[2].hears(0x88, closing(1013, "there is no memory for the message at the moment"))
	clients[2].send(frame(0x88, closing(1013, "")))
	clients[2].wantEnd()
	open()
	wantEnd(t, ends, 1013, "there is no memory for the message at the moment")
	for _, c := range clients[:2] {
		c.send(frame(0x88, ""))
		c.hears(0x88, "")
		c.wantEnd()
		wantEnd(t, ends, 1005, "")
	}
	s.idle(t)
}

// Inside TLS what comes while a request is answered has to be read, for a close_notify may stand
// behind it. It counts, too.
func TestTLSAheadWithoutMemory(t *testing.T) {
	encrypted = newPKI(t)
	defer func() { encrypted = nil }()
	may, open := gate()
	defer open()
	s := start(t, 1, answersWhen(may), func(s *Settings) { s.Memory = handshakeMemory })
	var clients []*client
	for n := range 3 {
		c := s.dial(t)
		clients = append(clients, c)
		c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
		eventually(t, "the request", func() bool { return s.begun() == int64(n+1) })
	}
	allow := func(n int64) {
		done := make(chan struct{})
		s.ports[0].post(func() { s.budget.limit = n; close(done) })
		<-done
	}
	for n, c := range clients {
		if n == 2 {
			allow(s.budget.used.Load())
		}
		c.send(next)
		eventually(t, "what is ahead", func() bool {
			return s.count(func(c *conn) bool { return c.phase == serving && len(c.channel.ahead) > 0 }) == min(n+1, 2) &&
				s.count(func(c *conn) bool { return c.phase == serving && c.work.refused }) == n/2
		})
	}
	allow(handshakeMemory)
	open()
	for n, c := range clients {
		if c.want("GET", 200, "hello"); n < 2 {
			c.want("GET", 200, "hello")
		} else {
			c.wantEnd()
		}
	}
}
