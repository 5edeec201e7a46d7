package serve

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gobridge/bridge"
)

// chunked puts bytes into the chunked coding, in chunks of size.
func chunked(body []byte, size int) []byte {
	var b bytes.Buffer
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

func TestBodies(t *testing.T) {
	sizes := []int{1, 4095, 4096, 4097, bufferSize - 100, bufferSize, 3 * bufferSize, fakePipe, fakePipe + 1, 5<<20 + 17}
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, demo)
		for _, size := range sizes {
			body := pattern(size)
			for _, path := range []string{"/echo", "/stream"} {
				t.Run(fmt.Sprintf("%d bytes to %s", size, path), func(t *testing.T) {
					c := s.dial(t)
					for _, framed := range []string{
						fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, body),
						fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%s", chunked(body, 1000+size/7)),
					} {
						sent := make(chan error, 1)
						go func() {
							_, err := io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: x\r\n"+framed)
							sent <- err
						}()
						c.want("POST", 200, string(body))
						if err := <-sent; err != nil {
							t.Fatal(err)
						}
					}
				})
			}
		}
	})
}

func TestChunksByteByByte(t *testing.T) {
	s := start(t, 1, demo)
	c := s.dial(t)
	for range 2 {
		c.sendBytes("POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + string(chunked(pattern(600), 37)))
		c.want("POST", 200, string(pattern(600)))
	}
}

// An application that does not read stops its client, and costs no more memory than
// the pipe and one buffer.
func TestBackPressureOnUploads(t *testing.T) {
	release := make(chan struct{})
	s := start(t, 1, func(c *call) {
		<-release
		demo(c)
	})
	const size = 32 << 20
	body := pattern(size)
	c := s.dial(t)
	var sent atomic.Int64
	done := make(chan error, 1)
	go func() {
		_, err := fmt.Fprintf(c, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
		for n := 0; n < size && err == nil; n += 64 << 10 {
			_, err = c.Write(body[n : n+64<<10])
			sent.Store(int64(n))
		}
		done <- err
	}()
	before := int64(-1)
	eventually(t, "the client's coming to a stop", func() bool {
		time.Sleep(100 * time.Millisecond)
		now := sent.Load()
		stopped := now == before && now > 0
		before = now
		return stopped
	})
	if before > size*3/4 {
		t.Fatalf("%d of %d bytes were taken that nobody reads", before, size)
	}
	close(release)
	c.want("POST", 200, string(body))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// A client that does not read stops its application, and nobody else's.
func TestBackPressureOnDownloads(t *testing.T) {
	const size = 32 << 20
	body := pattern(size)
	var written atomic.Int64
	app := func(c *call) {
		if c.target != "/big" {
			demo(c)
			return
		}
		c.start(200, -1)
		for n := 0; n < size; n += 32 << 10 {
			if _, err := c.Write(body[n : n+32<<10]); err != nil {
				return
			}
			written.Store(int64(n))
		}
	}
	withReactors(t, func(t *testing.T, reactors int) {
		for _, request := range []string{"GET /big HTTP/1.1\r\nHost: x\r\n\r\n", "GET /big HTTP/1.0\r\n\r\n"} {
			written.Store(0)
			s := start(t, reactors, app)
			c := s.dial(t)
			c.send(request)
			before := int64(-1)
			eventually(t, "the application's coming to a stop", func() bool {
				time.Sleep(100 * time.Millisecond)
				now := written.Load()
				stopped := now == before && now > 0
				before = now
				return stopped
			})
			if before > size*3/4 {
				t.Fatalf("%d of %d bytes were written to a client that does not read", before, size)
			}
			other := s.dial(t)
			other.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
			other.want("GET", 200, "hello")
			c.want("GET", 200, string(body))
		}
	})
}

func TestContinue(t *testing.T) {
	const post = "POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
	s := start(t, 1, demo)
	t.Run("when the application reads", func(t *testing.T) {
		c := s.dial(t)
		for range 2 {
			c.send(fmt.Sprintf(post, "/echo"))
			line := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
			if _, err := io.ReadFull(c.r, line); err != nil || string(line) != "HTTP/1.1 100 Continue\r\n\r\n" {
				t.Fatalf("got %q, %v", line, err)
			}
			c.send("body")
			c.want("POST", 200, "body")
		}
	})
	t.Run("not when it does not", func(t *testing.T) {
		c := s.dial(t)
		c.send(fmt.Sprintf(post, "/unread"))
		if r := c.want("POST", 200, "no"); !r.Close {
			t.Fatal("the client cannot know whether to send the body, and the connection stays")
		}
		c.wantEnd()
	})
	t.Run("not when the body is there", func(t *testing.T) {
		c := s.dial(t)
		c.send(fmt.Sprintf(post, "/echo") + "body")
		if r, _ := c.answer("POST"); r.StatusCode != 200 && r.StatusCode != 100 {
			t.Fatalf("got %d", r.StatusCode)
		}
	})
}

func TestUnreadBodies(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, demo)
		t.Run("small", func(t *testing.T) {
			c := s.dial(t)
			for range 2 {
				c.send("POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000) +
					"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
				c.want("POST", 200, "no")
				c.want("GET", 200, "hello")
			}
		})
		t.Run("one byte at a time", func(t *testing.T) {
			c := s.dial(t)
			c.sendBytes("POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n" + strings.Repeat("x", 300) + "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
			c.want("POST", 200, "no")
			c.want("GET", 200, "hello")
		})
		const chunks = "Transfer-Encoding: chunked"
		body := string(chunked(pattern(4<<20), 5000))
		for name, header := range map[string]string{"large": "Content-Length: 8000000", "chunked": chunks} {
			t.Run(name, func(t *testing.T) {
				c := s.dial(t)
				sent := c.sending("POST /unread HTTP/1.1\r\nHost: x\r\n" + header + "\r\n\r\n" + body)
				if r := c.want("POST", 200, "no"); !r.Close {
					t.Fatal("the client is not told that the connection ends")
				}
				if err := <-sent; err != nil {
					t.Fatalf("the client could not send its body: %v", err)
				}
				c.finish()
				c.wantEnd()
			})
		}
		// The head was out before anybody could know how much would be left.
		counted := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }
		some := string(chunked(pattern(100_000), 5000))
		for name, test := range map[string]struct {
			framed string
			ends   bool
		}{
			"some":         {counted(some), false},
			"some chunked": {chunks + "\r\n\r\n" + some, false},
			"large":        {counted(body), true},
			"chunked":      {chunks + "\r\n\r\n" + body, true},
		} {
			t.Run(name+" behind a head", func(t *testing.T) {
				c := s.dial(t)
				head, rest, _ := strings.Cut(test.framed, "\r\n\r\n")
				for range 2 {
					c.send("POST /early HTTP/1.1\r\nHost: x\r\n" + head + "\r\n\r\n")
					r, err := http.ReadResponse(c.r, nil)
					if err != nil || r.Close {
						t.Fatalf("got %v, close %v", err, r.Close)
					}
					sent := c.sending(rest + "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
					if got, err := io.ReadAll(r.Body); err != nil || string(got) != "no" {
						t.Fatalf("got %q, %v", got, err)
					}
					if test.ends { // and nothing is lost by a reset
						if err := <-sent; err != nil {
							t.Fatalf("the client could not send its body: %v", err)
						}
						c.finish()
						c.wantEnd()
						return
					}
					c.want("GET", 200, "hello")
				}
			})
		}
	})
}

func TestBodyTooLarge(t *testing.T) {
	small := func(s *Settings) { s.BodySize = 1000 }
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, demo, small)
		tests := []struct{ name, framed string }{
			{"announced", "Content-Length: 1001\r\n\r\n" + strings.Repeat("x", 1001)},
			{"huge", "Content-Length: 4000000\r\n\r\n" + strings.Repeat("x", 4000000)},
			{"in the middle", "Transfer-Encoding: chunked\r\n\r\n" + string(chunked(pattern(2<<20), 300))},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				c := s.dial(t)
				c.send("POST /echo HTTP/1.1\r\nHost: x\r\n" + test.framed)
				if r, _ := c.answer("POST"); r.StatusCode != http.StatusRequestEntityTooLarge || !r.Close {
					t.Fatalf("got %d, close %v", r.StatusCode, r.Close)
				}
				c.finish()
				c.wantEnd()
			})
		}
		c := s.dial(t)
		c.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + string(chunked(pattern(1000), 300)))
		c.want("POST", 200, string(pattern(1000)))
	})
}

// What the client sees when an application fails, by how far the answer had come.
func TestFailures(t *testing.T) {
	fail := map[string]bridge.State{"lost": bridge.Lost, "aborted": bridge.Aborted, "overrun": bridge.Overrun}
	status := map[string]int{"lost": 502, "aborted": 502, "overrun": 504}
	app := func(c *call) {
		how, stage, _ := strings.Cut(strings.TrimPrefix(c.target, "/"), "-")
		length := int64(-1)
		switch stage {
		case "before":
			c.end(fail[how])
			return
		case "counted":
			length = 10
		}
		c.start(200, length)
		io.WriteString(c, "begun")
		io.ReadAll(c) // until the client has seen that much
		c.end(fail[how])
	}
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, app)
		post := "POST %s HTTP/1.%d\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
		for how := range fail {
			t.Run(how+" before the head", func(t *testing.T) {
				c := s.dial(t)
				for range 2 {
					c.send(fmt.Sprintf(post, "/"+how+"-before", 1) + "body")
					c.want("POST", status[how], "*")
				}
			})
			for _, test := range []struct {
				stage string
				minor int
			}{{"counted", 1}, {"chunked", 1}, {"close", 0}} {
				t.Run(how+" in a body by "+test.stage, func(t *testing.T) {
					c := s.dial(t)
					c.send(fmt.Sprintf(post, "/"+how+"-"+test.stage, test.minor))
					r, err := http.ReadResponse(c.r, &http.Request{Method: "POST"})
					if err != nil {
						t.Fatal(err)
					}
					begun := make([]byte, 5)
					if _, err := io.ReadFull(r.Body, begun); err != nil || string(begun) != "begun" {
						t.Fatalf("got %q, %v", begun, err)
					}
					c.send("body")
					if rest, err := io.ReadAll(r.Body); err == nil {
						t.Fatalf("the answer ends with %q as if it were whole", rest)
					}
				})
			}
		}
		t.Run("shorter than announced", func(t *testing.T) {
			s := start(t, reactors, demo)
			c := s.dial(t)
			c.send("GET /short HTTP/1.1\r\nHost: x\r\n\r\n")
			r, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(r.Body); err != io.ErrUnexpectedEOF || string(body) != "hello" {
				t.Fatalf("got %q, %v", body, err)
			}
			if logs := s.logs.String(); !strings.Contains(logs, "GET /short") {
				t.Fatalf("nothing is said of it: %q", logs)
			}
		})
		t.Run("overdue", func(t *testing.T) {
			s := start(t, reactors, demo, func(s *Settings) { s.RetryAfter = 3 * time.Second })
			c := s.dial(t)
			for range 2 {
				c.send("GET /overdue HTTP/1.1\r\nHost: x\r\n\r\n")
				if r := c.want("GET", 503, "*"); r.Header.Get("Retry-After") != "3" {
					t.Fatalf("Retry-After: %q", r.Header.Get("Retry-After"))
				}
			}
		})
	})
}
