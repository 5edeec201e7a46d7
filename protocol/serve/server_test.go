package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestDrain(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		release := make(chan struct{})
		s := start(t, reactors, func(c *call) {
			if c.target == "/later" {
				<-release
				c.target = "/hello"
			}
			demo(c)
		}, func(s *Settings) { s.DrainTime = 5 * time.Second }) // late must be in time on a busy machine, too
		const hello, later = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
		busy, idle, late := s.dial(t), s.dial(t), s.dial(t)
		busy.send(later)
		for _, c := range []*client{idle, late} {
			c.send(hello)
			c.want("GET", 200, "hello")
		}
		eventually(t, "the request", func() bool { return s.begun() == 3 })
		drained := make(chan error, 1)
		go func() { drained <- s.Drain(context.Background()) }()
		eventually(t, "the end of listening", func() bool {
			c, err := net.Dial("tcp", s.at)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		late.send(hello) // it cannot know yet
		if r := late.want("GET", 200, "hello"); !r.Close {
			t.Fatal("the connection stays while the server drains")
		}
		late.wantEnd()
		idle.wantEnd()
		select {
		case err := <-drained:
			t.Fatalf("drained with a request under way: %v", err)
		default:
		}
		close(release)
		if r := busy.want("GET", 200, "hello"); !r.Close {
			t.Fatal("the connection stays while the server drains")
		}
		busy.wantEnd()
		if err := <-drained; err != nil {
			t.Fatal(err)
		}
	})
}

func TestDrainIsCut(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, (*call).awaitClose)
		c := s.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		eventually(t, "the request", func() bool { return s.begun() == 1 })
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(20*time.Millisecond, cancel)
		err := s.Drain(ctx)
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 of 1 connections") {
			t.Fatalf("got %v", err)
		}
		if n := s.left(); n != 1 {
			t.Fatalf("%d exchanges were left", n)
		}
	})
}

// The acceptor goes on whatever accept says.
func TestAcceptErrors(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		for _, errno := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ECONNABORTED, unix.ENOMEM, unix.EINTR} {
			t.Run(unix.ErrnoName(errno), func(t *testing.T) {
				var failures atomic.Int64
				failures.Store(3)
				s := startWith(t, reactors, demo, func(s *Server) {
					real := s.acceptor.accept
					s.acceptor.accept = func(fd int, from *unix.RawSockaddrAny) (int, unix.Errno) {
						if failures.Add(-1) >= 0 {
							return -1, errno
						}
						return real(fd, from)
					}
				})
				c := s.dial(t)
				c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
				c.want("GET", 200, "hello")
				if said := strings.Contains(s.logs.String(), errno.Error()); said == (errno == unix.EINTR) {
					t.Fatalf("log: %s", s.logs.String())
				}
			})
		}
	})
}

// The process really has no descriptors left; the connection waits until there is one.
func TestNoDescriptors(t *testing.T) {
	s := start(t, 1, demo)
	c := s.dial(t) // accepted while there are descriptors
	c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
	c.want("GET", 200, "hello")
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	at, _, err := sockaddr(netip.MustParseAddrPort(s.at))
	if err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	err = unix.Connect(fd, at)
	for range 3 {
		c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
		c.want("GET", 200, "hello")
	}
	said := func() bool { return strings.Contains(s.logs.String(), "no file descriptors left") }
	for end := time.Now().Add(patience); !said() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if err := errors.Join(err, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)); err != nil {
		t.Fatal(err)
	}
	if !said() {
		t.Fatal("nothing is said of it")
	}
	late := os.NewFile(uintptr(fd), "late")
	defer late.Close()
	if _, err := late.WriteString("GET /hello HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(late); err != nil || !strings.HasSuffix(string(got), "hello") {
		t.Fatalf("got %q, %v", got, err)
	}
}

// An event of a connection that is gone must not reach the next one in its place.
func TestStaleEvents(t *testing.T) {
	s := start(t, 1, demo)
	c := s.dial(t)
	c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
	c.want("GET", 200, "hello")
	s.count(func(c *conn) bool {
		c.r.event(&unix.EpollEvent{Events: unix.EPOLLHUP, Fd: c.index, Pad: int32(c.uses - 1)})
		return true
	})
	c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
	c.want("GET", 200, "hello")
}

func TestConnectionLimit(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, demo, func(s *Settings) { s.Connections = 3 })
		var all []*client
		for range 5 {
			all = append(all, s.dial(t))
		}
		for i, c := range all {
			c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
			if i < 3 {
				c.want("GET", 200, "hello")
			}
		}
		time.Sleep(50 * time.Millisecond)
		if n := s.Connections(); n != 3 {
			t.Fatalf("%d connections, the limit is 3", n)
		}
		all[0].Close()
		all[1].Close()
		for _, c := range all[3:] {
			c.want("GET", 200, "hello")
		}
	})
}

func TestConnectionsAreDealtEvenly(t *testing.T) {
	s := start(t, 3, demo)
	for range 30 {
		s.dial(t)
	}
	eventually(t, "the connections", func() bool { return s.Connections() == 30 })
	for i, r := range s.reactors {
		if n := r.load.Load(); n != 10 {
			t.Fatalf("reactor %d has %d of 30 connections", i, n)
		}
	}
}

// What a request borrows it gives back: idle connections hold no memory of theirs.
func TestIdleConnectionsHoldNothing(t *testing.T) {
	s := start(t, 1, demo)
	var all []*client
	for range 50 {
		c := s.dial(t)
		c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + strings.Repeat("x", 50000) + "GET /hello HT")
		c.want("POST", 200, "*")
		c.send("TP/1.1\r\nHost: x\r\n\r\n")
		c.want("GET", 200, "hello")
		all = append(all, c)
	}
	if n := s.count(func(c *conn) bool { return c.phase == idle && c.work == nil && c.kept.memory == nil }); n != len(all) {
		t.Fatalf("%d of %d idle connections hold nothing", n, len(all))
	}
}

// Many clients at once, each with its own name in every answer.
func TestManyClients(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, demo)
		done := make(chan error)
		const clients, requests = 40, 60
		for i := range clients {
			go func() { done <- nonces(s.at, i, requests) }()
		}
		for range clients {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestServerNeedsListenersAndPorts(t *testing.T) {
	if _, err := New(nil, nil, DefaultSettings()); err == nil {
		t.Fatal("a server of nothing")
	}
	settings := DefaultSettings()
	settings.HeadTime = -1
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := New([]*Listener{l}, []Port{newFakePort(t, demo)}, settings); err == nil || !strings.Contains(err.Error(), "head time") {
		t.Fatalf("got %v", err)
	}
}

// nonces asks for its own name again and again, on connections that it closes now and
// then, some of them in the middle of a request.
func nonces(at string, client, requests int) error {
	var conn net.Conn
	var r *bufio.Reader
	for i := range requests {
		if conn == nil {
			var err error
			if conn, err = net.Dial("tcp", at); err != nil {
				return err
			}
			r = bufio.NewReader(conn)
		}
		name := fmt.Sprintf("%d-%d-%s", client, i, strings.Repeat("x", client*i%5000))
		_, err := fmt.Fprintf(conn, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(name), name[:len(name)/2])
		if err == nil && (client+i)%17 == 0 {
			err = conn.Close()
			conn = nil
			if err != nil {
				return err
			}
			continue
		}
		if err == nil {
			_, err = io.WriteString(conn, name[len(name)/2:])
		}
		if err != nil {
			return err
		}
		response, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		if body, err := io.ReadAll(response.Body); err != nil || string(body) != name {
			return fmt.Errorf("client %d, request %d: got %.60q, %v", client, i, body, err)
		}
	}
	return nil
}

// What New was given it gives back when it fails.
func TestNewClosesItsListenersWhenItFails(t *testing.T) {
	socket := tempSocket(t)
	for _, address := range []string{"127.0.0.1:0", "unix:" + socket} {
		l, err := Listen(address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New([]*Listener{l}, nil, DefaultSettings()); err == nil {
			t.Fatal("a server without a port of the bridge")
		}
		network, at := "tcp", strings.TrimPrefix(l.URL(), "http://")
		if path, ok := strings.CutPrefix(address, "unix:"); ok {
			network, at = "unix", path
		}
		if c, err := net.Dial(network, at); err == nil {
			c.Close()
			t.Errorf("%s is still listened on", address)
		}
	}
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket's file is left")
	}
}
