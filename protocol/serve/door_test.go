package serve

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// withDoors runs a test on servers whose reactors accept for themselves, by TCP and by a unix
// socket, with one reactor and with three.
func withDoors(t *testing.T, test func(t *testing.T, prepare func(change ...func(*Settings)) *testServer, w *way)) {
	w := &ways[0]
	withReactors(t, func(t *testing.T, reactors int) {
		for _, at := range []string{"127.0.0.1:0", "unix:" + tempSocket(t)} {
			name, _, _ := strings.Cut(at, ":")
			t.Run(name, func(t *testing.T) {
				test(t, func(change ...func(*Settings)) *testServer {
					l, err := Listen(w.name + ":" + at)
					if err != nil {
						t.Fatal(err)
					}
					if !l.selfServed() {
						t.Fatal("the acceptor serves the listener")
					}
					return prepare(t, l, reactors, demo, append(change, allow(t, w.name, "127.0.0.1", "unix"))...)
				}, w)
			})
		}
	})
}

func TestReactorsAccept(t *testing.T) {
	withDoors(t, func(t *testing.T, prepare func(...func(*Settings)) *testServer, w *way) {
		s := prepare()
		s.Serve()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for range 20 {
					c := s.dial(t)
					c.send(w.asks("GET", "/hello", ""))
					w.last(c, "GET", 200, "hello")
				}
			})
		}
		all.Wait()
		if err := s.acceptor.watch(0); err != nil {
			t.Errorf("the acceptor has the listener: %v", err)
		}
		eventually(t, "their end", func() bool { return s.Connections() == 0 })
	})
}

// What is short sends the listener to the acceptor, and nobody is lost on the way.
func TestDoorErrors(t *testing.T) {
	withDoors(t, func(t *testing.T, prepare func(...func(*Settings)) *testServer, w *way) {
		for _, errno := range []unix.Errno{unix.EMFILE, unix.ECONNABORTED, unix.ENOMEM, unix.EINTR} {
			s := prepare()
			var failures atomic.Int64
			failures.Store(6)
			real := s.acceptor.accept
			s.acceptor.accept = func(fd int, from *unix.RawSockaddrAny) (int, unix.Errno) {
				if failures.Add(-1) >= 0 {
					return -1, errno
				}
				return real(fd, from)
			}
			s.Serve()
			for range 3 {
				c := s.dial(t)
				c.send(w.asks("GET", "/hello", ""))
				w.last(c, "GET", 200, "hello")
			}
			if said := strings.Contains(s.logs.String(), errno.Error()); said == (errno == unix.EINTR) {
				t.Errorf("%v: log: %s", errno, s.logs.String())
			}
			if err := s.Close(); err != nil { // its address is used again
				t.Fatal(err)
			}
		}
	})
}

// The limit of connections holds exactly; who comes beyond it waits, and a drain takes all who
// are connected.
func TestDoorLimit(t *testing.T) {
	withDoors(t, func(t *testing.T, prepare func(...func(*Settings)) *testServer, w *way) {
		s := prepare(func(s *Settings) { s.Connections = 2 })
		s.Serve()
		ask := w.asks("GET", "/hello", "")
		var clients []*client
		for range 20 {
			c := s.dial(t)
			c.send(ask[:len(ask)-1])
			clients = append(clients, c)
		}
		eventually(t, "two connections", func() bool { return s.Connections() == 2 })
		for _, c := range clients[:5] {
			c.send(ask[len(ask)-1:])
			w.last(c, "GET", 200, "hello")
			if n := s.Connections(); n > 2 {
				t.Fatalf("%d connections are open", n)
			}
		}
		drained := make(chan error, 1)
		go func() { drained <- s.Drain(context.Background()) }()
		for _, c := range clients[5:] {
			c.send(ask[len(ask)-1:])
			w.last(c, "GET", 200, "hello")
		}
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

// Who waits to be accepted when the server drains is served.
func TestDoorDrainTakesTheBacklog(t *testing.T) {
	withDoors(t, func(t *testing.T, prepare func(...func(*Settings)) *testServer, w *way) {
		s := prepare()
		var waiting []*client
		for range 50 { // nobody accepts yet
			c := s.dial(t)
			c.send(w.asks("GET", "/hello", ""))
			waiting = append(waiting, c)
		}
		s.Serve()
		if err := s.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		for _, c := range waiting {
			w.last(c, "GET", 200, "hello")
		}
	})
}

// A connection that has brought its request is not watched at once, but is when that takes its
// time: the application is told of what has happened to it meanwhile.
func TestDoorWatchesLater(t *testing.T) {
	l, err := Listen("uwsgi:unix:" + tempSocket(t))
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t, l, 1, func(c *call) {
		<-c.hungUp
		c.atOnce(200, "hello")
	}, allow(t, "uwsgi", "unix"))
	r := s.reactors[0]
	fd := connect(t, s.Server, l, ways[0].asks("GET", "/hello", ""))
	defer unix.Close(fd)
	if c := r.conns[0]; c.watched || len(r.unwatched.queue) != 1 {
		t.Errorf("watched: %v, waiting for it: %d", c.watched, len(r.unwatched.queue))
	}
	if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	s.Serve()
	eventually(t, "the end of the connection", func() bool { return s.Connections() == 0 })
	answer := make([]byte, 1000)
	if n, err := unix.Read(fd, answer); err != nil || !strings.HasSuffix(string(answer[:n]), "hello") {
		t.Errorf("answered with %q, %v", answer[:max(n, 0)], err)
	}
}

// A request that has begun is left, not forgotten, when its connection cannot be watched.
func TestDoorCannotWatch(t *testing.T) {
	l, err := Listen("uwsgi:unix:" + tempSocket(t))
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t, l, 1, demo, allow(t, "uwsgi", "unix"))
	r := s.reactors[0]
	working := r.poller.fd
	r.poller.fd = -1
	defer unix.Close(connect(t, s.Server, l, ways[0].asks("GET", "/hello", "")))
	if n := r.watchOverdue(); n != 0 {
		t.Errorf("%d connections are watched at once", n)
	}
	r.now += int64(watchAfter)
	r.watchOverdue()
	r.poller.fd = working
	if n := s.left(); s.begun() != 1 || n != 1 {
		t.Errorf("%d requests begun, %d left", s.begun(), n)
	}
	if n := s.Connections(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
	s.Serve()
}
