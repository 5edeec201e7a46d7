package serve

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/bridge"
	"gobridge/protocol/trust"
)

// A stage has a reactor that turns when it is told to, with one connection and with an application
// that is asked between its turns: no goroutine and no clock decides what comes first.
type stage struct {
	s *Server
	r *reactor
	l *Listener
	p *turnPort

	peer   int    // the web server's end of the connection
	answer []byte // what has come there
	closed bool   // and nothing more comes
	cut    bool   // since the server has closed
}

// newStage makes one for connections of a listener with such a name. It may have so much memory.
func newStage(f *testing.F, name string, buffer, memory int64) *stage {
	f.Helper()
	bind := name + ":127.0.0.1:0"
	if name == "http" {
		bind = "127.0.0.1:0"
	}
	l, err := Listen(bind)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { l.Close() })
	peers, err := trust.Parse([]string{"unix"})
	if err != nil {
		f.Fatal(err)
	}
	settings := DefaultSettings()
	settings.Buffer, settings.Memory, settings.GatewayFrom = buffer, memory, map[string]trust.List{name: peers}
	g := &stage{l: l, p: &turnPort{fakePort: newFakePort(f, nil)}}
	if g.s, err = newServer([]*Listener{l}, []Port{g.p}, settings, time.Now); err != nil {
		f.Fatal(err)
	}
	g.r = g.s.reactors[0]
	f.Cleanup(func() {
		g.s.acceptor.close()
		g.s.discard()
	})
	return g
}

// connect makes the connection.
func (g *stage) connect(t *testing.T) {
	t.Helper()
	g.answer, g.closed, g.p.calls = nil, false, nil
	g.r.readClock()
	g.peer = connect(t, g.s, g.l, "")
	g.rest(t)
}

// connect has a reactor that does not run by itself admit a connection that has brought a text, and
// returns its other end.
func connect(t *testing.T, s *Server, l *Listener, sends string) (peer int) {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(ends[0], []byte(sends)); err != nil {
		t.Fatal(err)
	}
	r := s.reactors[0]
	s.acceptor.count.Add(1)
	r.load.Add(1)
	r.admit(&newcomer{fd: ends[1], listener: l})
	return ends[0]
}

// send has the web server send a text in pieces, with a rest behind each.
func (g *stage) send(t *testing.T, text []byte, piece int) {
	t.Helper()
	for len(text) > 0 {
		n, err := unix.Write(g.peer, text[:min(len(text), piece)])
		switch {
		case errors.Is(err, unix.EPIPE): // it is refused
			return
		case errors.Is(err, unix.EAGAIN): // nobody takes more
			return
		case err != nil:
			t.Fatal(err)
		}
		text = text[n:]
		g.rest(t)
	}
}

// rest turns until there is nothing more to do.
func (g *stage) rest(t *testing.T) {
	t.Helper()
	const most = 10000
	for range most {
		g.r.readClock()
		events := g.r.poller.look()
		if events+g.r.turn(events)+g.p.act()+g.hear(t)+len(g.r.again) == 0 {
			return
		}
		if used := g.s.budget.used.Load(); used > g.s.budget.limit {
			t.Fatalf("%d bytes are kept for one connection", used)
		}
	}
	t.Fatal("the reactor does not come to rest")
}

// hear takes what was sent to the web server.
func (g *stage) hear(t *testing.T) (any int) {
	t.Helper()
	b := make([]byte, 4<<10)
	for !g.closed {
		n, err := unix.Read(g.peer, b)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return any
		case errors.Is(err, unix.ECONNRESET), n == 0:
			g.closed = true
		case err != nil:
			t.Fatal(err)
		default:
			g.answer = append(g.answer, b[:n]...)
		}
		any++
	}
	return any
}

// leave has the web server close, after which nothing must be left of the connection.
func (g *stage) leave(t *testing.T) {
	t.Helper()
	if err := unix.Shutdown(g.peer, unix.SHUT_WR); err != nil && !g.closed {
		t.Fatal(err)
	}
	g.rest(t)
	unix.Close(g.peer)
	g.cut, g.closed = g.closed, true
	g.rest(t)
	if n, live, held, used := g.s.Connections(), g.p.live.Load(), g.p.held.Load(), g.s.budget.used.Load(); n+int(live+held+used) > 0 {
		t.Fatalf("%d connections, %d exchanges, %d that are held and %d bytes are left", n, live, held, used)
	}
}

// turnPort is a bridge whose application is asked by act.
type turnPort struct {
	*fakePort
	calls []*turnCall // in the order in which they were begun
}

// A turnCall is a request as that application sees it. The letter behind the slash of its path says
// what becomes of it: it is answered with its path when its body is whole, or, after e, at once, or,
// after f, unread and when no more of it fits; s is answered in two parts, l has its worker die, h waits
// for ever, and n is not begun at all.
type turnCall struct {
	*call
	body []byte
	said bool // it has begun to answer
	over bool
}

func (p *turnPort) WebSockets() bool { return false }

func (p *turnPort) Begin(x Exchange, r *bridge.Request, client bridge.Client) bool {
	if !p.Hold(x, r, client) {
		return false
	}
	p.Submit(x, r.BodyLength, -1)
	return true
}

func (p *turnPort) Hold(x Exchange, r *bridge.Request, client bridge.Client) bool {
	return letter(string(r.Target)) != 'n' && p.fakePort.Hold(x, r, client)
}

func (p *turnPort) Submit(x Exchange, length int64, _ int) {
	c := x.(*fakeExchange).call
	c.bodyLength, c.submitted = length, true
	p.held.Add(-1)
	p.calls = append(p.calls, &turnCall{call: c})
}

// letter is the first one of a path.
func letter(target string) byte {
	if len(target) < 2 {
		return 0
	}
	return target[1]
}

// act has the application do what it can, and returns how much that was.
func (p *turnPort) act() (did int) {
	for _, c := range p.calls {
		did += c.act()
	}
	return did
}

func (c *turnCall) act() (did int) {
	c.mu.Lock()
	full := letter(c.target) == 'f'
	if full && !c.over && !c.noRoom && !c.inEnd && !c.closed {
		c.mu.Unlock()
		return 0
	}
	did = len(c.in)
	c.body, c.in = append(c.body, c.in...), nil
	if c.noRoom {
		c.noRoom = false
		c.tell()
	}
	whole := c.inEnd
	c.over = c.over || c.closed
	c.mu.Unlock()
	if c.over {
		return did
	}
	switch kind := letter(c.target); {
	case kind == 'h':
		return did
	case kind == 'l':
		c.end(bridge.Lost)
	case kind == 's' && !c.said:
		c.said = true
		c.start(200, -1)
		c.Write([]byte("first "))
		return did + 1
	case kind == 's' && whole:
		c.Write([]byte("<" + c.target + ">"))
		c.end(bridge.Finished)
	case whole || full || kind == 'e':
		c.atOnce(200, "<"+c.target+">")
	default:
		return did
	}
	c.over = true
	return did + 1
}
