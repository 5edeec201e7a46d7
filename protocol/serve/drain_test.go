package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

const getHello = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"

// withListeners runs a test on a TCP port, and on a unix socket.
func withListeners(t *testing.T, test func(t *testing.T, l *Listener)) {
	t.Helper()
	for _, bind := range []string{"127.0.0.1:0", "unix:" + tempSocket(t)} {
		name, _, _ := strings.Cut(bind, ":")
		t.Run(name, func(t *testing.T) {
			l, err := Listen(bind)
			if err != nil {
				t.Fatal(err)
			}
			test(t, l)
		})
	}
}

// Who waits to be accepted when the server drains is served, be it beyond the limit.
func TestDrainTakesTheBacklog(t *testing.T) {
	withListeners(t, func(t *testing.T, l *Listener) {
		s := startOn(t, l, 1, demo, func(s *Settings) { s.Connections = 1 })
		first := s.dial(t)
		first.send(getHello)
		first.want("GET", 200, "hello")
		var waiting []*client
		for range 20 {
			c := s.dial(t)
			c.send(getHello)
			waiting = append(waiting, c)
		}
		drained := make(chan error, 1)
		go func() { drained <- s.Drain(context.Background()) }()
		for _, c := range waiting {
			if r := c.want("GET", 200, "hello"); !r.Close {
				t.Error("the connection stays while the server drains")
			}
		}
		first.wantEnd()
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

// Everyone who could connect and has sent a request gets an answer, however close to the
// drain that was; everyone else is refused.
func TestNobodyIsResetByADrain(t *testing.T) {
	withListeners(t, func(t *testing.T, l *Listener) {
		s := startOn(t, l, 1, demo)
		network, at := "tcp", s.at
		if path, ok := strings.CutPrefix(at, "unix:"); ok {
			network, at = "unix", path
		}
		var answered, lost atomic.Int64
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				for {
					conn, err := net.DialTimeout(network, at, patience)
					if err != nil {
						return
					}
					if err := askOnce(conn); err != nil {
						t.Errorf("a client that was connected: %v", err)
						lost.Add(1)
						return
					}
					answered.Add(1)
				}
			})
		}
		eventually(t, "some answers", func() bool { return answered.Load() > 200 || lost.Load() > 0 })
		if err := s.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		clients.Wait()
	})
}

func askOnce(conn net.Conn) error {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, getHello); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	_, err = io.ReadAll(r.Body)
	return err
}

// Requests that stand behind the one that is being answered are answered too.
func TestDrainAnswersWhatWasSentAhead(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		release := make(chan struct{})
		s := start(t, reactors, func(c *call) { <-release; demo(c) })
		c := s.dial(t)
		c.send(strings.Repeat(getHello, 5))
		eventually(t, "the first request", func() bool { return s.begun() == 1 })
		drained := make(chan error, 1)
		go func() { drained <- s.Drain(context.Background()) }()
		eventually(t, "draining", func() bool { return s.reactorsAre(func(r *reactor) bool { return r.draining }) })
		close(release)
		for i := range 5 {
			if r := c.want("GET", 200, "hello"); r.Close != (i == 4) {
				t.Fatalf("answer %d says close: %v", i+1, r.Close)
			}
		}
		c.wantEnd()
		if err := <-drained; err != nil {
			t.Fatal(err)
		}
	})
}

// A client that never stops to send ahead is told to.
func TestDrainEndsASenderAhead(t *testing.T) {
	s := start(t, 1, demo)
	c := s.dial(t)
	var sender sync.WaitGroup
	sender.Go(func() {
		for {
			if _, err := io.WriteString(c, strings.Repeat(getHello, 50)); err != nil {
				return
			}
		}
	})
	sender.Go(func() { io.Copy(io.Discard, c.r) })
	eventually(t, "some requests", func() bool { return s.begun() > 100 })
	if err := s.Drain(context.Background()); err != nil {
		t.Error(err)
	}
	c.Close()
	sender.Wait()
}

// A request that has come when its connection's time is over is answered.
func TestRequestAtTheLastMoment(t *testing.T) {
	s := start(t, 1, demo)
	c := s.dial(t)
	c.send(getHello)
	c.want("GET", 200, "hello")
	s.ports[0].post(func() { // the reactor does not look meanwhile
		for _, conn := range s.reactors[0].conns {
			c.send(getHello)
			for n := 0; n == 0; {
				var err error
				if n, err = unix.IoctlGetInt(conn.fd, unix.TIOCINQ); err != nil {
					t.Error(err)
					return
				}
			}
			conn.readBy = 0
			conn.late()
		}
	})
	c.want("GET", 200, "hello")
}

// A server that parts answers as ever, on old connections and on new ones, and ends them.
func TestPart(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, demo)
		old := s.dial(t)
		old.send(getHello)
		if r := old.want("GET", 200, "hello"); r.Close {
			t.Fatal("the connection does not stay")
		}
		s.Part()
		eventually(t, "parting", func() bool { return s.reactorsAre(func(r *reactor) bool { return r.parting }) })
		for _, c := range []*client{old, s.dial(t), s.dial(t)} {
			c.send(getHello)
			if r := c.want("GET", 200, "hello"); !r.Close {
				t.Fatal("the connection stays")
			}
			c.wantEnd()
		}
		if err := s.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

// In haste only who waited for an answer counts as cut.
func TestHastyDrain(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		s := start(t, reactors, demo)
		idle := s.dial(t)
		idle.send(getHello)
		idle.want("GET", 200, "hello")
		if err := s.Drain(now); err != nil {
			t.Errorf("with nothing but an idle connection: %v", err)
		}
		s = start(t, reactors, (*call).awaitClose)
		idle, busy := s.dial(t), s.dial(t)
		busy.send(getHello)
		eventually(t, "the request", func() bool { return s.begun() == 1 && s.Connections() == 2 })
		if err := s.Drain(now); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 of 2 connections were cut") {
			t.Errorf("with a request: %v", err)
		}
		idle.Close()
	})
}

// reactorsAre asks each reactor in its own turn.
func (s *testServer) reactorsAre(so func(*reactor) bool) bool {
	for i, r := range s.reactors {
		got := make(chan bool)
		s.ports[i].post(func() { got <- so(r) })
		if !<-got {
			return false
		}
	}
	return true
}

// A listener that turns away refuses who comes anew, and keeps who is connected.
func TestTurnAway(t *testing.T) {
	for _, bind := range []string{"127.0.0.1:0", ":0", "[::1]:0", "unix:" + tempSocket(t)} {
		l, err := Listen(bind)
		if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
			continue // this machine has no IPv6
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		network, at := "tcp", strings.TrimPrefix(l.URL(), "http://")
		if path, ok := strings.CutPrefix(at, "unix:"); ok {
			network, at = "unix", path
		}
		first, err := net.Dial(network, at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { first.Close() })
		if err := l.turnAway(); err != nil {
			t.Fatal(err)
		}
		if second, err := net.DialTimeout(network, at, 300*time.Millisecond); err == nil {
			second.Close()
			t.Errorf("%s: somebody was connected", bind)
		}
		var from unix.RawSockaddrAny
		fd, errno := accept4(l.fd, &from)
		if errno != 0 {
			t.Fatalf("%s: who was connected before: %v", bind, errno)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if _, errno := accept4(l.fd, &from); errno != unix.EAGAIN && errno != unix.EINVAL {
			t.Errorf("%s: another one: %v", bind, errno)
		}
		for range 2 { // the filter, which the connection has too, lets all of it through
			if _, err := io.WriteString(first, "ping"); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 4)
			eventually(t, "the bytes", func() bool { n, _ := receive(fd, b); return n == 4 })
		}
	}
}

// A lack of descriptors passes, and who waits until then is served.
func TestDrainWithoutDescriptors(t *testing.T) {
	var failures atomic.Int64
	s := startWith(t, 1, demo, func(s *Server) {
		real := s.acceptor.accept
		s.acceptor.accept = func(fd int, from *unix.RawSockaddrAny) (int, unix.Errno) {
			if failures.Add(-1) >= 0 {
				return -1, unix.EMFILE
			}
			return real(fd, from)
		}
	})
	failures.Store(5)
	c := s.dial(t)
	c.send(getHello)
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	c.want("GET", 200, "hello")
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// When a drain is nearly out of time, what goes on without an end in sight is cut: the application
// learns of it, and its client sees it. What else runs is answered, and the log has names for both.
func TestDrainEndsStreams(t *testing.T) {
	ended, access := make(chan struct{}), new(syncBuffer)
	s := start(t, 1, func(c *call) {
		switch c.target {
		case "/events", "/until-closed":
			c.start(200, -1)
			io.WriteString(c, "data")
			c.awaitClose()
			ended <- struct{}{}
		case "/long":
			c.start(200, 10)
			io.WriteString(c, "hello")
			<-ended
			<-ended
			io.WriteString(c, "world")
		}
	}, func(s *Settings) { s.AccessLog = access })
	events, until, long := s.dial(t), s.dial(t), s.dial(t)
	events.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	until.send("GET /until-closed HTTP/1.0\r\n\r\n")
	long.send("GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
	var streams []*http.Response
	for _, c := range []*client{events, until} {
		r, err := http.ReadResponse(c.r, nil)
		if err == nil {
			_, err = io.ReadFull(r.Body, make([]byte, 4))
		}
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, r)
	}
	r, err := http.ReadResponse(long.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	eventually(t, "draining", func() bool { return s.reactorsAre(func(r *reactor) bool { return r.draining }) })
	s.order(orderTell)
	eventually(t, "what is waited for", func() bool { return strings.Contains(s.logs.String(), "waiting for requests to finish: 3") })
	if log := s.logs.String(); !strings.Contains(log, `["GET /events","GET /until-closed","GET /long"]`) {
		t.Errorf("the log says %s", log)
	}
	s.order(orderEnd)
	for _, r := range streams {
		if rest, err := io.ReadAll(r.Body); err == nil {
			t.Errorf("its client cannot see that it was cut behind %q", rest)
		}
	}
	if b, err := io.ReadAll(r.Body); err != nil || string(b) != "helloworld" {
		t.Errorf("the answer of a known length has %q, %v", b, err)
	}
	if err := <-drained; err == nil || !strings.Contains(err.Error(), "2 of 3 connections were cut") {
		t.Errorf("the drain says %v", err)
	}
	if log := s.logs.String(); !strings.Contains(log, `"requests":["GET /events","GET /until-closed"]`) {
		t.Errorf("the log says %s", log)
	}
	if s.Close(); strings.Count(access.String(), `" 200 4 `) != 2 {
		t.Errorf("the access log says %s", access)
	}
}

func TestDrainSteps(t *testing.T) {
	for limit, want := range map[time.Duration][]drainStep{
		0:                {{5 * time.Second, orderTell}},
		30 * time.Second: {{5 * time.Second, orderTell}, {25 * time.Second, orderEnd}},
		6 * time.Second:  {{2 * time.Second, orderTell}, {5 * time.Second, orderEnd}},
	} {
		if got := drainSteps(limit); !slices.Equal(got, want) {
			t.Errorf("within %v: %v, want %v", limit, got, want)
		}
	}
	s := start(t, 1, (*call).awaitClose) // and each of them is taken in its time
	c := s.dial(t)
	c.send(getHello)
	eventually(t, "the request", func() bool { return s.begun() == 1 })
	ctx, stop := context.WithTimeout(context.Background(), 60*time.Millisecond)
	defer stop()
	if err := s.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if log := s.logs.String(); !strings.Contains(log, `"requests":["GET /hello"]`) || !strings.Contains(log, "requests were cut before they had their answer: 1") {
		t.Errorf("the log says %s", log)
	}
}

// What only a privilege allows is no warning; anything else is one.
func TestNotTurnedAway(t *testing.T) {
	for err, want := range map[error]string{unix.EPERM: "debug", unix.ENOMEM: "warn"} {
		var log strings.Builder
		a := &acceptor{log: zerolog.New(&log)}
		a.notTurned(fmt.Errorf("turn new clients away from here: %w", err))
		if !strings.Contains(log.String(), `"level":"`+want+`"`) || !strings.Contains(log.String(), "from here") {
			t.Errorf("%v: %s", err, log.String())
		}
	}
}
