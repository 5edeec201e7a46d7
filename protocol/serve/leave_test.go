package serve

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// A client may go at any stage. What it has begun is left, and nothing of it stays.
func TestClientsThatGo(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		tests := []struct {
			name, sends string
			begins      bool
		}{
			{"before a request", "", false},
			{"in a head", "GET /hello HTT", false},
			{"while the application thinks", "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", true},
			{"in a body", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", true},
			{"in a chunk", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf", true},
			{"in an answer", "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n", true},
			{"with requests behind it", "GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n", true},
		}
		app := func(c *call) {
			switch c.target {
			case "/wait":
				c.awaitClose()
			case "/endless":
				c.start(200, -1)
				for {
					if _, err := c.Write(pattern(10000)); err != nil {
						return
					}
				}
			default:
				demo(c)
			}
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				s := start(t, reactors, app)
				c := s.dial(t)
				c.send(test.sends)
				eventually(t, "the connection", func() bool { return s.Connections() == 1 })
				if test.begins {
					eventually(t, "the request", func() bool { return s.begun() == 1 })
				}
				c.reset()
				eventually(t, "the connection's end", func() bool { return s.Connections() == 0 })
				if got := s.left() == 1; got != test.begins {
					t.Fatalf("the exchange was left early: %v", got)
				}
			})
		}
	})
}

// A FIN in the middle of what a request needs ends it; of one behind it the application is
// told, and it is answered.
func TestHalfClose(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, func(c *call) {
			if c.target == "/later" {
				<-c.hungUp
				c.target = "/hello"
			}
			demo(c)
		})
		c := s.dial(t)
		c.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
		eventually(t, "the request", func() bool { return s.begun() == 1 })
		c.finish()
		c.want("GET", 200, "hello")
		c.wantEnd()
		c = s.dial(t)
		c.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /later HTTP/1.1\r\nHost: x\r\n\r\n")
		c.finish() // behind both
		c.want("GET", 200, "hello")
		c.want("GET", 200, "hello")
		c.wantEnd()

		for _, sends := range []string{"", "GET /hello HT", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"} {
			c := s.dial(t)
			c.send(sends)
			c.finish()
			c.wantEnd()
		}
		eventually(t, "the connections' end", func() bool { return s.Connections() == 0 })
	})
}

// The same of a FIN that is there when the body is read.
func TestHalfCloseBehindBodies(t *testing.T) {
	large := string(pattern(40000))
	for _, buffer := range []int64{0, 1 << 10, 64 << 10} {
		s := start(t, 1, func(c *call) {
			if c.target == "/later" {
				io.Copy(io.Discard, c)
				select {
				case <-c.hungUp:
				case <-time.After(patience):
					t.Error("the application is not told")
				}
			}
			c.atOnce(200, "hello")
		}, buffered(t, func(s *Settings) { s.Buffer = buffer }))
		for _, body := range []string{"Content-Length: 4\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "Content-Length: 40000\r\n\r\n" + large} {
			c := s.dial(t)
			c.send(helloRequest) // and shakes hands, if there is a need to
			c.want("GET", 200, "hello")
			held, hold := make(chan bool), make(chan bool)
			s.ports[0].post(func() {
				held <- true
				<-hold
			})
			<-held
			c.send("POST /later HTTP/1.1\r\nHost: x\r\n" + body)
			c.finish()
			hold <- true
			c.want("POST", 200, "hello")
			c.wantEnd()
		}
	}
}

func TestDeadlines(t *testing.T) {
	settings := func(s *Settings) {
		s.HeadTime, s.BodyTime, s.IdleTime, s.WriteTime = 100*time.Second, 200*time.Second, 300*time.Second, 400*time.Second
		s.BodyRate, s.WriteRate = 0, 0
	}
	withReactors(t, func(t *testing.T, reactors int) {
		late := func(sends string, begun int64, after time.Duration, check func(*testing.T, *testServer, *client)) func(*testing.T) {
			return func(t *testing.T) {
				s := start(t, reactors, demo, settings)
				c := s.dial(t)
				c.send(sends)
				eventually(t, "the request", func() bool { return s.Connections() == 1 && s.begun() == begun })
				if sends == "" {
					eventually(t, "the reactor's taking it", func() bool { return s.inPhase(idle) == 1 })
				} else if begun == 0 {
					eventually(t, "the head's beginning", func() bool { return s.inPhase(reading) == 1 })
				}
				s.advance(after - 20*time.Second)
				time.Sleep(20 * time.Millisecond)
				if s.Connections() != 1 {
					t.Fatal("too early")
				}
				s.advance(40 * time.Second)
				check(t, s, c)
			}
		}
		answered := func(t *testing.T, s *testServer, c *client) {
			if r, _ := c.answer("GET"); r.StatusCode != 408 || !r.Close {
				t.Fatalf("got %d", r.StatusCode)
			}
			c.wantEnd()
		}
		silent := func(t *testing.T, s *testServer, c *client) { c.wantEnd() }
		t.Run("idle", late("", 0, 300*time.Second, silent))
		t.Run("head", late("GET /hello HTTP/1.1\r\n", 0, 100*time.Second, answered))
		t.Run("body", late("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", 1, 200*time.Second, answered))
		t.Run("chunk", late("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf", 1, 200*time.Second, answered))
		t.Run("idle again", func(t *testing.T) {
			s := start(t, reactors, demo, settings)
			c := s.dial(t)
			for range 3 {
				c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
				c.want("GET", 200, "hello")
				s.advance(250 * time.Second)
			}
			s.advance(100 * time.Second)
			c.wantEnd()
		})
		t.Run("a body that comes slowly", func(t *testing.T) {
			s := start(t, reactors, demo, settings)
			c := s.dial(t)
			c.send("POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
			for range 5 {
				s.advance(150 * time.Second)
				c.send("x")
				time.Sleep(20 * time.Millisecond)
			}
			c.want("POST", 200, "xxxxx")
		})
		t.Run("the application's time is not the client's", func(t *testing.T) {
			release := make(chan struct{})
			s := start(t, reactors, func(c *call) { <-release; demo(c) }, settings)
			c := s.dial(t)
			body := pattern(2 << 20)
			c.sending(fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			eventually(t, "the request", func() bool { return s.begun() == 1 })
			time.Sleep(50 * time.Millisecond)
			s.advance(time.Hour)
			time.Sleep(20 * time.Millisecond)
			close(release)
			c.want("POST", 200, string(body))
		})
		t.Run("an answer that is not taken", func(t *testing.T) {
			s := start(t, reactors, func(c *call) {
				c.start(200, -1)
				for {
					if _, err := c.Write(pattern(30000)); err != nil {
						return
					}
				}
			}, settings)
			c := s.dial(t)
			c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			eventually(t, "a full socket", func() bool { return s.blocked() == 1 })
			s.advance(300 * time.Second)
			time.Sleep(20 * time.Millisecond)
			if s.Connections() != 1 {
				t.Fatal("too early")
			}
			eventually(t, "the connection's end", func() bool { // what the kernel could still pass on has been taken
				s.advance(200 * time.Second)
				return s.Connections() == 0
			})
			if s.left() != 1 {
				t.Fatal("the exchange was not left")
			}
		})
		t.Run("lingering", func(t *testing.T) {
			s := start(t, reactors, demo, settings)
			c := s.dial(t)
			c.send("nonsense\r\n\r\n")
			if r, _ := c.answer("GET"); r.StatusCode != 400 {
				t.Fatalf("got %d", r.StatusCode)
			}
			c.wantEnd()
			eventually(t, "lingering", func() bool { return s.inPhase(lingering) == 1 })
			s.advance(10 * time.Second)
			eventually(t, "the connection's end", func() bool { return s.Connections() == 0 })
		})
	})
}

// inPhase counts the connections in a phase; it asks each reactor in its own turn.
func (s *testServer) inPhase(want phase) (n int) {
	return s.count(func(c *conn) bool { return c.phase == want })
}

func (s *testServer) blocked() int {
	return s.count(func(c *conn) bool { return c.phase == serving && c.blocked })
}

func (s *testServer) count(is func(*conn) bool) (n int) {
	for i, r := range s.reactors {
		got := make(chan int)
		s.ports[i].post(func() {
			n := 0
			for _, c := range r.conns {
				if is(c) {
					n++
				}
			}
			got <- n
		})
		n += <-got
	}
	return n
}

// A refused client may be sending still: it gets its answer, and no reset before that.
func TestRefusalsAreSeen(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, demo)
		for name, request := range map[string]string{
			"a malformed head":  "GET /hello HTTP/1.1\r\nnonsense\r\n\r\n",
			"a malformed chunk": "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		} {
			t.Run(name, func(t *testing.T) {
				c := s.dial(t)
				c.send(request + strings.Repeat("x", 3<<20))
				if r, _ := c.answer("GET"); r.StatusCode != 400 || !r.Close {
					t.Fatalf("got %d", r.StatusCode)
				}
				c.finish()
				c.wantEnd()
			})
		}
		t.Run("too much", func(t *testing.T) {
			s := start(t, reactors, demo, func(s *Settings) { s.LingerSize = 1 << 20 })
			c := s.dial(t)
			c.send("nonsense\r\n\r\n")
			c.want("GET", 400, "*")
			var err error
			for range 1000 {
				if _, err = io.WriteString(c, strings.Repeat("x", 64<<10)); err != nil {
					break
				}
			}
			if err == nil {
				t.Fatal("64 MB were taken from a client that had its last answer")
			}
		})
	})
}
