package serve

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"gobridge/bridge"
)

// A bridge that answers in memory: each request is a call that an application function
// answers on a goroutine of its own, through two pipes of bounded size. The news of the
// calls come to the reactor as the real ones do, in Turn, behind a doorbell.

const fakePipe = 64 << 10

type application func(*call)

type fakePort struct {
	app    application
	bell   int
	mu     sync.Mutex
	news   []*call
	mail   []func()
	asleep atomic.Bool
	limit  int64 // of live exchanges; 0: none
	wsgi   bool  // no WebSockets
	begun  atomic.Int64
	held   atomic.Int64 // exchanges held and not submitted
	left   atomic.Int64 // exchanges left before they were finished
	live   atomic.Int64 // exchanges begun and not left
	apps   sync.WaitGroup
}

func newFakePort(t testing.TB, app application) *fakePort {
	t.Helper()
	bell, err := newBell()
	if err != nil {
		t.Fatal(err)
	}
	p := &fakePort{app: app, bell: bell}
	t.Cleanup(func() { p.apps.Wait(); closeSocket(bell) })
	return p
}

// call is one request as the application sees it, and its answer.
type call struct {
	port *fakePort
	mu   sync.Mutex
	cond *sync.Cond

	method, target string
	fields         []string
	peer           bridge.Peer
	root           string
	bodyLength     int64
	spooled        bool // the body came in a file
	submitted      bool

	client  bridge.Client // nil once it has left
	hungUp  chan struct{} // closed when the client sends nothing more
	leaves  sync.Once     // which may be told again
	closed  bool
	queued  bool // among the news
	in      []byte
	inEnd   bool
	wants   bool                   // the application waits for body bytes
	noRoom  bool                   // the front waits for room
	hints   []*bridge.ResponseHead // before the head
	head    *bridge.ResponseHead
	records [][]byte
	size    int          // bytes in records
	file    *bridge.File // behind the records
	tail    []byte       // trailers
	written int64
	state   bridge.State
	socket  *fakeSocket // of a WebSocket's handshake
}

var errClosed = errors.New("the client is gone")

func (p *fakePort) NewExchange() Exchange { return &fakeExchange{} }
func (p *fakePort) Doorbell() int         { return p.bell }
func (p *fakePort) Flush()                {}
func (p *fakePort) Awake()                { p.asleep.Store(false) }
func (p *fakePort) Inflight() int         { return int(p.live.Load()) }

func (p *fakePort) Holds() bool { return true }

func (p *fakePort) WebSockets() bool { return !p.wsgi }

// Hold keeps a request's call until Submit.
func (p *fakePort) Hold(x Exchange, r *bridge.Request, client bridge.Client) bool {
	if p.limit > 0 && p.live.Load() >= p.limit {
		return false
	}
	x.(*fakeExchange).call = p.newCall(r, client)
	p.held.Add(1)
	p.live.Add(1)
	return true
}

func (p *fakePort) Submit(x Exchange, length int64, file int) {
	c := x.(*fakeExchange).call
	c.bodyLength = length
	if file >= 0 {
		c.spooled = true
		c.in, c.inEnd = readAt(file, length), true
		unix.Close(file)
	}
	c.submitted = true
	p.held.Add(-1)
	p.run(c)
}

// readAt returns a file's bytes from its beginning.
func readAt(file int, length int64) []byte {
	b := make([]byte, length+1)
	n, err := unix.Pread(file, b, 0)
	if err != nil || int64(n) != length {
		panic(fmt.Sprintf("a body's file has %d bytes instead of %d (%v)", n, length, err))
	}
	return b[:n]
}

func (p *fakePort) Begin(x Exchange, r *bridge.Request, client bridge.Client) bool {
	if p.limit > 0 && p.live.Load() >= p.limit {
		return false
	}
	c := p.newCall(r, client)
	c.submitted = true
	x.(*fakeExchange).call = c
	p.live.Add(1)
	p.run(c)
	return true
}

func (p *fakePort) newCall(r *bridge.Request, client bridge.Client) *call {
	c := &call{port: p, client: client, method: string(r.Method), target: string(r.Target), bodyLength: r.BodyLength, inEnd: r.BodyLength == 0, hungUp: make(chan struct{})}
	c.cond = sync.NewCond(&c.mu)
	c.peer, c.root = *r.Peer, r.Root
	if r.WebSocket {
		c.socket = new(fakeSocket)
	}
	for _, f := range r.Fields {
		c.fields = append(c.fields, string(f.Name)+": "+string(f.Value))
	}
	return c
}

func (p *fakePort) run(c *call) {
	p.begun.Add(1)
	p.apps.Add(1)
	go func() {
		defer p.apps.Done()
		p.app(c)
		c.end(bridge.Finished)
	}()
}

func (p *fakePort) Turn() int {
	p.mu.Lock()
	news, mail := p.news, p.mail
	p.news, p.mail = nil, nil
	p.mu.Unlock()
	for _, f := range mail {
		f()
	}
	for _, c := range news {
		c.mu.Lock()
		c.queued = false
		client := c.client
		c.mu.Unlock()
		if client != nil {
			client.Progress()
		}
	}
	return len(news) + len(mail)
}

// post has f run in the reactor's next turn.
func (p *fakePort) post(f func()) {
	p.mu.Lock()
	p.mail = append(p.mail, f)
	p.mu.Unlock()
	ring(p.bell)
}

func (*fakePort) Came() bool { return false }
func (*fakePort) Taken()     {}

func (p *fakePort) Sleep() bridge.Doze {
	p.asleep.Store(true)
	if p.pending() {
		p.asleep.Store(false)
		return bridge.Stay
	}
	if p.live.Load() > 1 {
		return bridge.DozeBriefly
	}
	return bridge.SleepLong
}

func (p *fakePort) Deepen() bool {
	if p.pending() {
		p.asleep.Store(false)
		return false
	}
	return true
}

func (p *fakePort) pending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.news)+len(p.mail) > 0
}

// tell gives news of c, whose mutex is held.
func (c *call) tell() {
	if c.queued || c.client == nil {
		return
	}
	c.queued = true
	p := c.port
	p.mu.Lock()
	p.news = append(p.news, c)
	p.mu.Unlock()
	if p.asleep.Load() {
		ring(p.bell)
	}
}

// Read implements io.Reader for the application: the request's body.
func (c *call) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.in) == 0 {
		if c.closed {
			return 0, errClosed
		}
		if c.inEnd {
			return 0, io.EOF
		}
		c.wants = true
		c.tell()
		c.cond.Wait()
	}
	c.wants = false
	n := copy(b, c.in)
	c.in = c.in[n:]
	if c.noRoom {
		c.noRoom = false
		c.tell()
	}
	return n, nil
}

// start sends the response's head; length -1 is unknown.
func (c *call) start(status int, length int64, lines ...string) {
	h := &bridge.ResponseHead{Status: status, Reason: []byte("Fine"), BodyLength: length}
	if length >= 0 {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", length))
	}
	for _, l := range lines {
		h.Lines = append(h.Lines, l+"\r\n"...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head = h
	c.tell()
}

// hint sends early hints.
func (c *call) hint(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hints = append(c.hints, &bridge.ResponseHead{Status: 103, Lines: []byte(line + "\r\n")})
	c.tell()
}

// atOnce answers whole, with one piece of news.
func (c *call) atOnce(status int, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head = &bridge.ResponseHead{Status: status, BodyLength: int64(len(body)),
		Lines: fmt.Appendf(nil, "Content-Length: %d\r\n", len(body))}
	c.records, c.size, c.state = [][]byte{[]byte(body)}, len(body), bridge.Finished
	c.tell()
}

// Write implements io.Writer: body bytes, as many records as there must be.
func (c *call) Write(b []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n < len(b) {
		for c.size == fakePipe && !c.closed {
			c.cond.Wait()
		}
		if c.closed {
			return n, errClosed
		}
		part := b[n : n+min(len(b)-n, fakePipe-c.size)]
		c.records = append(c.records, append([]byte(nil), part...))
		c.size += len(part)
		n += len(part)
		c.written += int64(len(part))
		c.tell()
	}
	return n, nil
}

// sendFile sends a piece of a file, whose descriptor is the front's from now on. Nothing
// may be written behind it before the front has taken it.
func (c *call) sendFile(f bridge.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.file = &f
	c.tell()
}

// end ends the call; only the first one counts.
func (c *call) end(state bridge.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == bridge.Waiting {
		c.state = state
		c.tell()
	}
}

// awaitClose waits until the client has left.
func (c *call) awaitClose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed {
		c.cond.Wait()
	}
}

type fakeExchange struct{ call *call }

func (x *fakeExchange) WriteBody(b []byte) int {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != bridge.Waiting {
		return len(b)
	}
	n := min(len(b), fakePipe-len(c.in))
	c.in = append(c.in, b[:n]...)
	c.noRoom = n < len(b)
	c.cond.Broadcast()
	return n
}

func (x *fakeExchange) EndBody() {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inEnd = true
	c.cond.Broadcast()
}

func (x *fakeExchange) BodyWanted() bool {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wants
}

func (x *fakeExchange) Head() *bridge.ResponseHead {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.hints) > 0 {
		return nil
	}
	return c.head
}

func (x *fakeExchange) Hints() (h *bridge.ResponseHead) {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.hints) > 0 {
		h, c.hints = c.hints[0], c.hints[1:]
	}
	return h
}

// Body returns two records as the two pieces of one, so that a piece grows behind the
// back of whoever has announced its size.
func (x *fakeExchange) Body() (a, b []byte) {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.head == nil || c.state == bridge.Lost || len(c.records) == 0 {
		return nil, nil
	}
	if len(c.records) > 1 {
		b = c.records[1]
	}
	return c.records[0], b
}

func (x *fakeExchange) File() (bridge.File, bool) {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil || c.head == nil || c.state == bridge.Lost || len(c.records) > 0 {
		return bridge.File{}, false
	}
	f := *c.file
	c.file = nil
	c.cond.Broadcast()
	return f, true
}

func (x *fakeExchange) Trailers() []byte {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tail
}

func (x *fakeExchange) Advance(n int) {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.socket != nil && c.socket.open {
		c.socket.advance(n)
		c.cond.Broadcast()
		return
	}
	c.size -= n
	for n > 0 {
		m := min(n, len(c.records[0]))
		if c.records[0] = c.records[0][m:]; len(c.records[0]) == 0 {
			c.records = c.records[1:]
		}
		n -= m
	}
	c.cond.Broadcast()
}

func (x *fakeExchange) State() bridge.State {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if (len(c.records) > 0 || c.file != nil || c.socket != nil && len(c.socket.out) > 0) && c.state != bridge.Lost {
		return bridge.Waiting
	}
	return c.state
}

func (x *fakeExchange) Running() bool {
	x.call.mu.Lock()
	defer x.call.mu.Unlock()
	return x.call.state == bridge.Waiting
}

func (x *fakeExchange) HangUp() { x.call.leaves.Do(func() { close(x.call.hungUp) }) }

func (x *fakeExchange) Leave() {
	c := x.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		panic("an exchange was left twice")
	}
	if c.file != nil {
		closeFile(c.file.FD)
		c.file = nil
	}
	if c.state == bridge.Waiting || len(c.records) > 0 {
		c.port.left.Add(1)
	}
	if !c.submitted {
		c.port.held.Add(-1)
	}
	c.port.live.Add(-1)
	c.client, c.closed = nil, true
	c.cond.Broadcast()
	x.call = nil
}

// demo is an application with an answer for each path.
func demo(c *call) {
	path, argument, _ := strings.Cut(c.target, "?")
	switch path {
	case "/hello":
		c.start(200, 5)
		io.WriteString(c, "hello")
	case "/name":
		c.start(200, int64(len(argument)))
		io.WriteString(c, argument)
	case "/chunks":
		c.start(200, -1)
		io.WriteString(c, "one,")
		io.WriteString(c, "two")
	case "/empty":
		c.start(204, -1)
	case "/echo":
		body, err := io.ReadAll(c)
		if err != nil {
			return
		}
		c.start(200, int64(len(body)))
		c.Write(body)
	case "/stream": // sends while it receives
		c.start(200, -1)
		io.Copy(c, c)
	case "/short":
		c.start(200, 10)
		io.WriteString(c, "hello")
	case "/long":
		c.start(200, 5)
		io.WriteString(c, "hello")
		io.WriteString(c, "world")
	case "/lost":
		c.end(bridge.Lost)
	case "/overdue":
		c.end(bridge.Overdue)
	case "/overrun":
		c.end(bridge.Overrun)
	case "/unread":
		c.atOnce(200, "no")
	case "/early": // answers, and then reads a little
		c.start(200, 2)
		c.Read(make([]byte, 1))
		io.WriteString(c, "no")
	default:
		c.start(404, 0)
	}
}
