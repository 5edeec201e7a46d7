package serve

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// patience is how long a test waits for what must come. It is no measure of speed.
const patience = 60 * time.Second

// testServer is a server over real sockets before the bridge in memory, with a clock
// that a test can move on.
type testServer struct {
	*Server
	t     *testing.T
	ports []*fakePort
	ahead *atomic.Int64
	logs  *syncBuffer
	at    string

	secured *pki // nil: clients do not encrypt by themselves
}

// withReactors runs a test with one reactor and with three.
func withReactors(t *testing.T, test func(t *testing.T, reactors int)) {
	t.Helper()
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d reactors", n), func(t *testing.T) { test(t, n) })
	}
}

func start(t *testing.T, reactors int, app application, change ...func(*Settings)) *testServer {
	t.Helper()
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, l, reactors, app, change...)
}

func startOn(t *testing.T, l *Listener, reactors int, app application, change ...func(*Settings)) *testServer {
	t.Helper()
	s := prepare(t, l, reactors, app, change...)
	s.Serve()
	return s
}

// startWith changes the server before it serves.
func startWith(t *testing.T, reactors int, app application, change func(*Server)) *testServer {
	t.Helper()
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t, l, reactors, app)
	change(s.Server)
	s.Serve()
	return s
}

// prepare makes a server that does not serve yet.
func prepare(t *testing.T, l *Listener, reactors int, app application, change ...func(*Settings)) *testServer {
	t.Helper()
	_, at := CutDialect(strings.TrimPrefix(l.URL(), "http:"))
	s := &testServer{t: t, ahead: new(atomic.Int64), logs: new(syncBuffer), at: strings.TrimPrefix(at, "//")}
	if encrypted != nil && l.tls == nil {
		l.tls, s.secured = encrypted.tls(t, false, false), encrypted
	}
	settings := DefaultSettings()
	settings.Log = zerolog.New(s.logs)
	for _, f := range change {
		f(&settings)
	}
	var ports []Port
	for range reactors {
		p := newFakePort(t, app)
		s.ports = append(s.ports, p)
		ports = append(ports, p)
	}
	var err error
	if s.Server, err = newServer([]*Listener{l}, ports, settings, s.now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

func (s *testServer) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// advance moves the clock on.
func (s *testServer) advance(d time.Duration) {
	s.ahead.Add(int64(d))
	for _, r := range s.reactors {
		ring(r.bell)
	}
}

// stop ends the server and checks that nothing is left.
func (s *testServer) stop() {
	if err := s.Close(); err != nil {
		s.t.Errorf("close: %v", err)
	}
	if n := s.Connections(); n != 0 {
		s.t.Errorf("%d connections are left", n)
	}
	for _, p := range s.ports {
		if n := p.live.Load(); n != 0 {
			s.t.Errorf("%d exchanges were not left", n)
		}
	}
}

func (s *testServer) begun() (n int64) {
	for _, p := range s.ports {
		n += p.begun.Load()
	}
	return n
}

func (s *testServer) left() (n int64) {
	for _, p := range s.ports {
		n += p.left.Load()
	}
	return n
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("this did not come: %s", what)
		}
	}
}

// client is one connection to the server.
type client struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func (s *testServer) dial(t *testing.T) *client {
	t.Helper()
	network, at := "tcp", s.at
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		network, at = "unix", path
	}
	conn, err := net.Dial(network, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if s.secured != nil {
		conn = tls.Client(conn, s.secured.config(tls.VersionTLS13))
	}
	return &client{Conn: conn, t: t, r: bufio.NewReader(conn)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// sending sends in the background, and then says what came of it.
func (c *client) sending(text string) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, text)
		done <- err
	}()
	return done
}

// sendBytes sends each byte by itself, in the background. What it returns is closed when
// all are sent.
func (c *client) sendBytes(text string) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range len(text) {
			if _, err := io.WriteString(c, text[i:i+1]); err != nil {
				return // the test sees what is missing
			}
		}
	}()
	return done
}

// answer reads a response whole.
func (c *client) answer(method string) (*http.Response, string) {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("read a response: %v", err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatalf("read a body: %v after %d bytes: %.80q", err, len(body), body)
	}
	return r, string(body)
}

// want reads a response and checks it.
func (c *client) want(method string, status int, body string) *http.Response {
	c.t.Helper()
	r, got := c.answer(method)
	if r.StatusCode != status || body != "*" && got != body {
		c.t.Fatalf("got %d with %d bytes, %.80q, want %d with %d bytes, %.80q", r.StatusCode, len(got), got, status, len(body), body)
	}
	return r
}

// wantEnd checks that the server closes, without a reset.
func (c *client) wantEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Fatalf("got %d bytes, %.80q, and %v, want an orderly end", len(rest), rest, err)
	}
}

// finish tells the server that no more requests come.
func (c *client) finish() {
	c.t.Helper()
	if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
}

// reset cuts the connection.
func (c *client) reset() {
	c.t.Helper()
	conn := c.Conn
	if sealed, ok := conn.(*tls.Conn); ok {
		conn = sealed.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		c.t.Fatal(err)
	}
}

// syncBuffer is a buffer for what several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *syncBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8 ^ i*7)
	}
	return b
}

func tempSocket(t *testing.T) string {
	dir, err := os.MkdirTemp("", "serve")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir + "/s"
}
