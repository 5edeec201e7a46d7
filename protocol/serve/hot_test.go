package serve

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/fastcgi"
	"gobridge/protocol/forwarded"
)

// instantPort answers each request in the turn that begins it, and allocates nothing:
// what is measured before it is the reactor.
type instantPort struct {
	*fakePort
	head  bridge.ResponseHead
	body  []byte
	begun []*instantExchange
	spare []*instantExchange
}

type instantExchange struct {
	port   *instantPort
	client bridge.Client
	left   []byte
	head   *bridge.ResponseHead
	echo   bridge.Message // what a WebSocket has heard and is to say
	memory [4096]byte
}

func (p *instantPort) NewExchange() Exchange { return &instantExchange{port: p} }

func (p *instantPort) Begin(x Exchange, r *bridge.Request, c bridge.Client) bool {
	i := x.(*instantExchange)
	i.client, i.left, i.head = c, p.body, &p.head
	if r.WebSocket {
		i.head = &bridge.ResponseHead{Status: switching}
	}
	p.begun = append(p.begun, i)
	return true
}

func (p *instantPort) Hold(Exchange, *bridge.Request, bridge.Client) bool { return false }
func (p *instantPort) Holds() bool                                        { return false }
func (p *instantPort) Submit(Exchange, int64, int)                        {}

func (p *instantPort) Turn() int {
	p.begun, p.spare = p.spare[:0], p.begun
	for _, x := range p.spare {
		x.client.Progress()
	}
	return len(p.spare)
}

func (p *instantPort) WebSockets() bool { return true }

func (*instantPort) Came() bool { return false }
func (*instantPort) Taken()     {}

func (p *instantPort) Sleep() bridge.Doze {
	if len(p.begun) > 0 {
		return bridge.Stay
	}
	return bridge.SleepLong
}

func (x *instantExchange) WriteBody(b []byte) int     { return len(b) }
func (x *instantExchange) EndBody()                   {}
func (x *instantExchange) BodyWanted() bool           { return false }
func (x *instantExchange) Head() *bridge.ResponseHead { return x.head }
func (*instantExchange) Hints() *bridge.ResponseHead  { return nil }
func (x *instantExchange) Body() (a, b []byte)        { return x.left, nil }
func (x *instantExchange) Advance(n int) {
	if x.echo.Kind != bridge.NoMessage {
		x.echo = bridge.Message{}
		return
	}
	x.left = x.left[n:]
}
func (*instantExchange) File() (bridge.File, bool) { return bridge.File{}, false }
func (*instantExchange) Trailers() []byte          { return nil }
func (x *instantExchange) HangUp()                 {}
func (x *instantExchange) MessageRoom() int        { return room(x.echo.Kind == bridge.NoMessage) }
func (x *instantExchange) Message() bridge.Message { return x.echo }
func (*instantExchange) WriteClose(int, []byte)    {}
func (*instantExchange) Recalled() bool            { return false }
func (*instantExchange) Rest()                     {}

// WriteMessage has the message said again in the next turn.
func (x *instantExchange) WriteMessage(kind bridge.MessageKind, b []byte, last bool) {
	n := copy(x.memory[:], b)
	x.echo = bridge.Message{Kind: kind, A: x.memory[:n], Size: n, Last: last}
	x.port.begun = append(x.port.begun, x)
}

func room(there bool) int {
	if there {
		return 4096
	}
	return -1
}

func (x *instantExchange) Leave()        {}
func (x *instantExchange) Running() bool { return false }
func (x *instantExchange) State() bridge.State {
	if len(x.left) > 0 {
		return bridge.Waiting
	}
	return bridge.Finished
}

const hotRequest = "GET /hello HTTP/1.1\r\nHost: localhost:8000\r\nAccept: */*\r\nUser-Agent: test\r\n\r\n"

// hot starts a server before an instant port and returns one connection to it.
func hot(t testing.TB, change func(*Settings)) net.Conn { return hotOn(t, "127.0.0.1:0", change) }

func hotOn(t testing.TB, bind string, change func(*Settings)) net.Conn {
	t.Helper()
	p := &instantPort{fakePort: newFakePort(t, nil), body: []byte("Hello, World!")}
	p.head = bridge.ResponseHead{Status: 200, Reason: []byte("OK"), BodyLength: int64(len(p.body)),
		Lines: []byte("Content-Type: text/plain\r\nContent-Length: 13\r\n")}
	l, err := Listen(bind)
	if err != nil {
		t.Fatal(err)
	}
	settings := DefaultSettings()
	change(&settings)
	s, err := New([]*Listener{l}, []Port{p}, settings)
	if err != nil {
		t.Fatal(err)
	}
	s.Serve()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	_, at, _ := strings.Cut(l.URL(), "://")
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends n requests at once and reads their answers.
func ask(t testing.TB, conn net.Conn, n int, requests, answers []byte) {
	t.Helper()
	if _, err := conn.Write(requests[:n*len(hotRequest)]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, answers); err != nil {
		t.Fatal(err)
	}
}

// answerSize asks once and returns the size of an answer, which is always the same.
func answerSize(t testing.TB, conn net.Conn) int {
	t.Helper()
	b := make([]byte, 4096)
	if _, err := io.WriteString(conn, hotRequest); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; {
		m, err := conn.Read(b[n:])
		if err != nil {
			t.Fatal(err)
		}
		if n += m; strings.HasSuffix(string(b[:n]), "Hello, World!") {
			return n
		}
	}
}

// A request costs no allocation, with the access log or without.
func TestNoAllocationForARequest(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"plain":            func(*Settings) {},
		"with access log":  func(s *Settings) { s.AccessLog = io.Discard },
		"with request ids": func(s *Settings) { s.AccessLog, s.RequestID = io.Discard, "X-Request-ID" },
		"with what concerns proxies and headers": func(s *Settings) {
			s.Forwarded = forwarded.Rules{Trusted: trustList(t, "127.0.0.1", "10.0.0.0/8"), Believed: forwarded.For | forwarded.Proto}
			s.Root, s.Extra, s.RefuseUnderscores = "/shop", extraFields(t, "X-Frame-Options: DENY"), true
		},
	} {
		t.Run(name, func(t *testing.T) {
			conn := hot(t, change)
			size := answerSize(t, conn)
			requests, answers := []byte(strings.Repeat(hotRequest, 50)), make([]byte, 50*size)
			ask(t, conn, 50, requests, answers) // memory is borrowed for the first time
			const rounds = 100
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range rounds {
				ask(t, conn, 50, requests, answers)
				ask(t, conn, 1, requests, answers[:size])
			}
			runtime.ReadMemStats(&after)
			// The rest of the process (timers of the access log, the test itself) allocates a little.
			if n := after.Mallocs - before.Mallocs; n > rounds*51/10 {
				t.Fatalf("%d allocations for %d requests", n, rounds*51)
			}
		})
	}
}

// A request by FastCGI costs none either, on a connection that is kept.
func TestNoAllocationForFastCGI(t *testing.T) {
	conn := hotOn(t, "fastcgi:127.0.0.1:0", allow(t, "fastcgi", "127.0.0.1"))
	request, answer := []byte(keeps("/hello", "")), make([]byte, 4096)
	const rounds = 5000
	var before, after runtime.MemStats
	for i := range 2 * rounds {
		if i == rounds {
			runtime.ReadMemStats(&before)
		}
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		for n := 0; !bytes.HasSuffix(answer[:n], completed); {
			m, err := conn.Read(answer[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += m
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > rounds/10 {
		t.Fatalf("%d allocations for %d requests", n, rounds)
	}
}

// completed is the end of request 1.
var completed = fastcgi.AppendEndRequest(nil, 1, fastcgi.Complete)

// A message of a WebSocket costs none either, in both directions.
func TestNoAllocationForAMessage(t *testing.T) {
	conn := hot(t, func(*Settings) {})
	c := &client{Conn: conn, t: t, r: bufio.NewReader(conn)}
	c.open(handshake)
	text := strings.Repeat("hot", 40)
	message, answer := []byte(frame(0x81, text)), make([]byte, 2+len(text))
	const rounds = 5000
	var before, after runtime.MemStats
	for i := range 2 * rounds {
		if i == rounds {
			runtime.ReadMemStats(&before)
		}
		if _, err := conn.Write(message); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c.r, answer); err != nil || string(answer[2:]) != text {
			t.Fatalf("%v: %q", err, answer)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > rounds/10 {
		t.Fatalf("%d allocations for %d messages", n, rounds)
	}
}

func BenchmarkRequest(b *testing.B) {
	conn := hot(b, func(*Settings) {})
	size := answerSize(b, conn)
	requests, answers := []byte(hotRequest), make([]byte, size)
	b.ReportAllocs()
	for b.Loop() {
		ask(b, conn, 1, requests, answers)
	}
}
