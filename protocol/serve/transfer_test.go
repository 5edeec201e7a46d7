package serve

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/bridge"
)

// fileOf makes a file that has no name any more, and returns how to open it.
func fileOf(t *testing.T, content []byte) (open func() int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	kept, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	return func() int {
		fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", kept.Fd()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
		}
		return fd
	}
}

// descriptors counts those that are open: of regular files without a name, and of sockets.
func descriptors(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && (strings.HasSuffix(to, "(deleted)") || strings.HasPrefix(to, "socket:")) {
			n++
		}
	}
	return n
}

// wantDescriptors waits until no more are open than before.
func wantDescriptors(t *testing.T, before int) {
	t.Helper()
	eventually(t, "every descriptor's close", func() bool { return descriptors(t) <= before })
}

// files is an application that sends a piece of a file: /OFFSET/LENGTH/CONTENT-LENGTH, the
// last one -1 when it is not said.
func files(open func() int) application {
	return func(c *call) {
		var offset, length, announced int64
		if _, err := fmt.Sscanf(c.target, "/%d/%d/%d", &offset, &length, &announced); err != nil {
			demo(c)
			return
		}
		c.start(200, announced)
		if strings.HasSuffix(c.target, "?behind") {
			io.WriteString(c, "before, ")
		}
		c.sendFile(bridge.File{FD: open(), Offset: offset, Length: length})
	}
}

func TestFiles(t *testing.T) {
	content := pattern(3<<20 + 17)
	open := fileOf(t, content)
	withReactors(t, func(t *testing.T, reactors int) {
		before := descriptors(t)
		s := start(t, reactors, files(open))
		c := s.dial(t)
		size := int64(len(content))
		for _, test := range []struct {
			offset, length, announced int64
		}{
			{0, size, size}, {0, size, -1}, {17, 1, 1}, {size - 5, 5, -1}, {1 << 20, 2 << 20, 2 << 20}, {0, 0, 0},
			{0, 100, 60}, // more than was announced
		} {
			path := fmt.Sprintf("/%d/%d/%d", test.offset, test.length, test.announced)
			want := content[test.offset : test.offset+test.length]
			if test.announced >= 0 {
				want = want[:test.announced]
			}
			c.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
			c.want("GET", 200, string(want))
			c.send("HEAD " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
			c.want("HEAD", 200, "")
		}
		if n := strings.Count(s.logs.String(), "longer than its Content-Length"); n != 1 {
			t.Errorf("a piece that is too long is complained of %d times", n)
		}
		// Pipelined, between answers without files, and behind bytes of the same body.
		c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /5/70000/-1?behind HTTP/1.1\r\nHost: x\r\n\r\n" +
			"GET /0/20000/20000 HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
		c.want("GET", 200, "hello")
		c.want("GET", 200, "before, "+string(content[5:70005]))
		c.want("GET", 200, string(content[:20000]))
		c.want("GET", 200, "hello")
		// HTTP/1.0: kept alive with a length, and until the end of the connection without.
		c.send("GET /0/30000/30000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		c.want("GET", 200, string(content[:30000]))
		c.send("GET /0/30000/-1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		if r := c.want("GET", 200, string(content[:30000])); r.ContentLength >= 0 {
			t.Error("there is a length that nobody has said")
		}
		c.wantEnd()
		c.Close()
		s.stop()
		wantDescriptors(t, before)
	})
}

// A request's body may come while its answer is a file.
func TestFileWhileReceiving(t *testing.T) {
	content := pattern(2 << 20)
	open := fileOf(t, content)
	withReactors(t, func(t *testing.T, reactors int) {
		came := make(chan struct{})
		s := start(t, reactors, func(c *call) {
			c.start(200, int64(len(content)))
			c.sendFile(bridge.File{FD: open(), Length: int64(len(content))})
			if n, err := io.Copy(io.Discard, c); n != 500000 || err != nil {
				t.Errorf("%d bytes came, %v", n, err)
			}
			close(came)
		})
		c := s.dial(t)
		sent := c.sending("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" + strings.Repeat("x", 500000))
		c.want("POST", 200, string(content))
		if err := <-sent; err != nil {
			t.Error(err)
		}
		<-came
	})
}

// A file that has become shorter than the worker has said, or that cannot be read, cuts
// the answer, and is told once.
func TestFilesThatFail(t *testing.T) {
	content := pattern(100000)
	open := fileOf(t, content)
	withReactors(t, func(t *testing.T, reactors int) {
		for _, framing := range []struct {
			name, request string
			announced     int64
		}{
			{"counted", "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", 200000},
			{"chunks", "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", -1},
			{"until the end", "GET /x HTTP/1.0\r\n\r\n", -1},
		} {
			t.Run(framing.name, func(t *testing.T) {
				before := descriptors(t)
				s := start(t, reactors, func(c *call) {
					c.start(200, framing.announced)
					c.sendFile(bridge.File{FD: open(), Length: 200000})
				})
				c := s.dial(t)
				c.send(framing.request)
				if n, err := c.readCut(); err == nil || n > len(content) {
					t.Errorf("%d bytes and no sign that there are more", n)
				}
				if n := strings.Count(s.logs.String(), "has become shorter"); n != 1 {
					t.Errorf("it is told %d times: %s", n, s.logs)
				}
				c.Close()
				s.stop()
				wantDescriptors(t, before)
			})
		}
		t.Run("unreadable", func(t *testing.T) {
			s := start(t, reactors, func(c *call) {
				fd, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_CLOEXEC, 0) // EISDIR
				if err != nil {
					t.Error(err)
				}
				c.start(200, 20000)
				c.sendFile(bridge.File{FD: fd, Length: 20000})
			})
			c := s.dial(t)
			c.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
			if n, err := c.readCut(); err == nil || n != 0 {
				t.Errorf("%d bytes, %v", n, err)
			}
			if !strings.Contains(s.logs.String(), "a file cannot be sent") {
				t.Errorf("the log: %s", s.logs)
			}
		})
	})
}

// readCut reads a response whose body must be cut, and returns how much of it came.
func (c *client) readCut() (int, error) {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	return len(body), err
}

// large is more than the sockets between server and client hold.
const large = 32 << 20

// A client that takes nothing is cut at its deadline; one that takes a little is not.
func TestSlowClientsOfFiles(t *testing.T) {
	content := pattern(large)
	open := fileOf(t, content)
	settings := func(s *Settings) { s.WriteTime = 100 * time.Second }
	withReactors(t, func(t *testing.T, reactors int) {
		before := descriptors(t)
		s := start(t, reactors, files(open), settings)
		c := s.dial(t)
		c.send(fmt.Sprintf("GET /0/%d/%d HTTP/1.1\r\nHost: x\r\n\r\n", large, large))
		eventually(t, "a full socket", func() bool { return s.blocked() == 1 })
		got := make([]byte, 6<<20)
		s.advance(80 * time.Second)
		if _, err := io.ReadFull(c.r, got); err != nil {
			t.Fatal(err)
		}
		// While it is served another one gets its file: no sender waits for a client.
		var others []*client
		for range 2 * mostSenders {
			other := s.dial(t)
			others = append(others, other)
			other.send(fmt.Sprintf("GET /0/%d/%d HTTP/1.1\r\nHost: x\r\n\r\n", large, large))
		}
		quick := s.dial(t)
		quick.send("GET /0/100000/100000 HTTP/1.1\r\nHost: x\r\n\r\n")
		quick.want("GET", 200, string(content[:100000]))
		quick.Close()
		eventually(t, "full sockets", func() bool { return s.blocked() == 1+2*mostSenders })
		s.advance(80 * time.Second) // the first one has taken something since, and has more time
		if s.Connections() < 1 {
			t.Fatal("cut too early")
		}
		eventually(t, "their end", func() bool { // what the kernel could still pass on counts as taken
			s.advance(120 * time.Second)
			return s.Connections() == 0
		})
		if _, err := io.Copy(io.Discard, c.r); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("the slow one was ended with %v", err)
		}
		s.stop()
		for _, c := range append(others, c) {
			c.Close()
		}
		wantDescriptors(t, before)
	})
}

// Clients that go amid a file, one after the other and while its worker is at work.
func TestClientsThatLeaveFiles(t *testing.T) {
	open := fileOf(t, pattern(large))
	withReactors(t, func(t *testing.T, reactors int) {
		before := descriptors(t)
		s := start(t, reactors, files(open))
		for i := range 12 {
			c := s.dial(t)
			c.send(fmt.Sprintf("GET /0/%d/-1 HTTP/1.1\r\nHost: x\r\n\r\n", large))
			if _, err := io.ReadFull(c.r, make([]byte, 1+i<<17)); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				c.reset()
			} else {
				c.Close()
			}
		}
		eventually(t, "the connections' end", func() bool { return s.Connections() == 0 })
		s.stop()
		wantDescriptors(t, before)
	})
}

// The server is closed while files are being sent.
func TestCloseAmidFiles(t *testing.T) {
	open := fileOf(t, pattern(large))
	withReactors(t, func(t *testing.T, reactors int) {
		before := descriptors(t)
		s := start(t, reactors, files(open))
		var clients []*client
		for range 2 * mostSenders {
			c := s.dial(t)
			c.send(fmt.Sprintf("GET /0/%d/%d HTTP/1.1\r\nHost: x\r\n\r\n", large, large))
			clients = append(clients, c)
		}
		for _, c := range clients {
			if _, err := c.r.Peek(1); err != nil {
				t.Fatal(err)
			}
		}
		s.stop()
		for _, c := range clients {
			if n, err := c.readCut(); err == nil {
				t.Errorf("%d bytes and no sign that there are more", n)
			}
			c.Close()
		}
		wantDescriptors(t, before)
	})
}

// A worker that dies amid its file, before it was done, has its answer cut.
func TestWorkerLostAmidFile(t *testing.T) {
	open := fileOf(t, pattern(large))
	withReactors(t, func(t *testing.T, reactors int) {
		die, dead := make(chan struct{}), make(chan struct{})
		s := start(t, reactors, func(c *call) {
			c.start(200, large)
			c.sendFile(bridge.File{FD: open(), Length: large})
			<-die
			c.end(bridge.Lost)
			close(dead)
		})
		c := s.dial(t)
		c.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
		eventually(t, "a full socket", func() bool { return s.blocked() == 1 })
		close(die)
		<-dead
		if n, err := c.readCut(); err == nil || n > large/2 {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

// What a file system without sendfile has is copied.
func TestCopiedFiles(t *testing.T) {
	content := pattern(300000)
	open := fileOf(t, content)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	tr := &transfer{socket: pair[1], owned: true, file: open(), offset: 1000, left: 299000, copies: true}
	defer tr.release()
	var got []byte
	b := make([]byte, 1<<20)
	for tr.left > 0 {
		tr.work()
		if tr.result != partSent && tr.result != socketFull {
			t.Fatalf("result %d, %v", tr.result, tr.errno)
		}
		n, err := unix.Read(pair[0], b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b[:n]...)
	}
	for len(got) < 299000 {
		n, err := unix.Read(pair[0], b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b[:n]...)
	}
	if !bytes.Equal(got, content[1000:]) {
		t.Error("other bytes")
	}
	short := &transfer{socket: pair[1], file: open(), offset: 299000, left: 2000, copies: true}
	if short.work(); short.result != fileShorter || short.sent != 1000 {
		t.Errorf("result %d after %d bytes", short.result, short.sent)
	}
	short.release()
}
