package serve

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/protocol/http1"
)

// buffered has a server take bodies in: up to 32 KiB of each in memory, the rest in a file.
func buffered(t *testing.T, change ...func(*Settings)) func(*Settings) {
	return func(s *Settings) {
		var err error
		if s.Spool, err = OpenSpool(t.TempDir()); err != nil {
			t.Fatal(err)
		}
		s.Buffer = 32 << 10
		for _, f := range change {
			f(s)
		}
	}
}

// quick asks for an answer and waits for it.
func (s *testServer) quick(t *testing.T) {
	t.Helper()
	c := s.dial(t)
	c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
	c.want("GET", 200, "hello")
	c.Close()
}

// idle waits until nothing is held, stored or counted any more.
func (s *testServer) idle(t *testing.T) {
	t.Helper()
	eventually(t, "that nothing is held", func() bool { return s.held() == 0 && s.budget.used.Load() == 0 })
}

// held is how many requests no worker knows of yet.
func (s *testServer) held() (n int64) {
	for _, p := range s.ports {
		n += p.held.Load()
	}
	return n
}

// Bodies of every size, in one piece and in several, come whole to the application; the long
// ones in a file, which nobody can see.
func TestBodiesAreTakenIn(t *testing.T) {
	files := make(chan bool, 1)
	app := func(c *call) {
		if c.target == "/echo" {
			files <- c.spooled
		}
		demo(c)
	}
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, app, buffered(t))
		for _, size := range []int{1, 1000, bufferSize, 32 << 10, 32<<10 + 1, fakePipe, 200_000, 5<<20 + 17} {
			body := pattern(size)
			c := s.dial(t)
			for kind, framed := range map[string]string{
				"counted": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, body),
				"chunked": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%s", chunked(body, 1000+size/7)),
			} {
				sent := c.sending("POST /echo HTTP/1.1\r\nHost: x\r\n" + framed + "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
				if spooled := <-files; spooled != (size > 32<<10) {
					t.Errorf("%s, %d bytes: in a file %v", kind, size, spooled)
				}
				c.want("POST", 200, string(body))
				c.want("GET", 200, "hello")
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
			}
		}
		s.idle(t)
		if left, err := os.ReadDir(s.settings.Spool.Dir()); err != nil || len(left) > 0 {
			t.Errorf("left in the spool folder: %v, %v", left, err)
		}
	})
}

// No worker knows of a request whose body has not come, and one whose client leaves never
// will.
func TestSlowBodyBothersNobody(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, demo, buffered(t))
		before := int64(0)
		for _, size := range []int{100, 100_000} {
			for _, framed := range []string{
				fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, pattern(size-1)),
				"Transfer-Encoding: chunked\r\n\r\n" + strings.TrimSuffix(string(chunked(pattern(size), 999)), "\r\n"),
			} {
				stays, leaves := s.dial(t), s.dial(t)
				for _, c := range []*client{stays, leaves} {
					c.send("POST /echo HTTP/1.1\r\nHost: x\r\n" + framed)
				}
				s.quick(t)
				if before++; s.begun() != before {
					t.Fatalf("%d requests were begun instead of %d", s.begun(), before)
				}
				leaves.reset()
				if strings.HasPrefix(framed, "C") {
					stays.send(string(pattern(size)[size-1:]))
				} else {
					stays.send("\r\n")
				}
				stays.want("POST", 200, string(pattern(size)))
				if before++; s.begun() != before {
					t.Fatalf("%d requests were begun instead of %d", s.begun(), before)
				}
			}
		}
		s.idle(t)
	})
}

// A client that waits for 100 (Continue) before a chunked body gets it at once, and a worker
// the request with the whole body; of a counted one the application decides.
func TestContinueOfABodyThatIsTakenIn(t *testing.T) {
	s := start(t, 1, demo, buffered(t))
	const head = "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
	body := pattern(100_000)
	c := s.dial(t)
	for i := range 2 {
		c.send(head + "Transfer-Encoding: chunked\r\n\r\n")
		line := make([]byte, len(http1.Continue))
		if _, err := io.ReadFull(c.r, line); err != nil || string(line) != http1.Continue {
			t.Fatalf("got %q, %v", line, err)
		}
		if s.begun() != int64(2*i) {
			t.Errorf("%d requests were begun", s.begun())
		}
		c.send(string(chunked(body, 5000)))
		c.want("POST", 200, string(body))
		c.send(head + "Transfer-Encoding: chunked\r\n\r\n" + string(chunked(body, 5000))) // it did not wait
		c.want("POST", 200, string(body))
	}
	c.send(head + "Content-Length: 3\r\n\r\n")
	line := make([]byte, len(http1.Continue)) // when the application reads
	if _, err := io.ReadFull(c.r, line); err != nil || string(line) != http1.Continue || s.begun() != 5 {
		t.Fatalf("got %q, %v; %d requests were begun", line, err, s.begun())
	}
	c.send("abc")
	c.want("POST", 200, "abc")
	leaves := s.dial(t)
	leaves.send(head + "Transfer-Encoding: chunked\r\n\r\n")
	leaves.reset()
	s.idle(t)
}

// Without a place for files the application is given what memory holds, and the rest as it
// comes.
func TestNoPlaceForFiles(t *testing.T) {
	s := start(t, 1, demo, buffered(t, func(s *Settings) { s.Spool = nil }))
	c := s.dial(t)
	body := pattern(1 << 20)
	for _, framed := range []string{
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body),
		"Transfer-Encoding: chunked\r\n\r\n" + string(chunked(body, 70_000)),
	} {
		sent := c.sending("POST /echo HTTP/1.1\r\nHost: x\r\n" + framed)
		c.want("POST", 200, string(body))
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	s.idle(t)
}

// What cannot be stored is refused, and said; then it goes on.
func TestBodiesThatCannotBeStored(t *testing.T) {
	large := func(c *client) *http.Response {
		sent := c.sending("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + string(chunked(pattern(300_000), 5000)))
		r, _ := c.answer("POST")
		<-sent
		return r
	}
	small := "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n"
	for name, test := range map[string]struct {
		break_, mend func(s *testServer)
		status       int
		log          string
	}{
		"full disk":       {func(s *testServer) { s.settings.Spool.reserve = 1 << 62 }, func(s *testServer) { s.settings.Spool.reserve = 0 }, 507, "no room on the disk"},
		"folder is gone":  {func(s *testServer) { os.Remove(s.settings.Spool.dir) }, func(s *testServer) { os.Mkdir(s.settings.Spool.dir, 0o700) }, 503, "could not be stored"},
		"memory is short": {func(s *testServer) { s.settings.Spool.memory, s.budget.limit = true, 120_000 }, func(s *testServer) { s.budget.limit = 0 }, 503, "no room in memory"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, 1, demo, buffered(t))
			test.break_(s)
			for range 2 {
				if r := large(s.dial(t)); r.StatusCode != test.status || !r.Close || r.Header.Get("Retry-After") == "" {
					t.Fatalf("got %d, close %v, Retry-After %q", r.StatusCode, r.Close, r.Header.Get("Retry-After"))
				}
			}
			if n := strings.Count(s.logs.String(), test.log); n != 1 {
				t.Errorf("the log says it %d times instead of once:\n%s", n, s.logs.String())
			}
			c := s.dial(t) // what fits into memory is well
			c.send(small)
			c.send(string(pattern(20000)))
			c.want("POST", 200, string(pattern(20000)))
			test.mend(s)
			if r := large(s.dial(t)); r.StatusCode != 200 {
				t.Errorf("afterwards: %d", r.StatusCode)
			}
			s.idle(t)
		})
	}
}

// A body that the disk has no room for is refused before it has come.
func TestAnnouncedBodyThatHasNoRoom(t *testing.T) {
	s := start(t, 1, demo, buffered(t))
	free, err := s.settings.Spool.Free()
	if err != nil {
		t.Fatal(err)
	}
	c := s.dial(t)
	c.send(fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", free+1<<30, pattern(64<<10)))
	c.want("POST", 507, "*")
	s.idle(t)
}

// When the budget is used up, parts of heads and bodies are refused, and nobody else.
func TestMemoryBudget(t *testing.T) {
	s := start(t, 1, demo, buffered(t, func(s *Settings) { s.Memory = 2 * smallBuffer }))
	var slow []*client
	for range 2 {
		c := s.dial(t)
		c.send("GET /hello HT")
		slow = append(slow, c)
	}
	eventually(t, "two parts of heads", func() bool { return s.budget.used.Load() == 2*smallBuffer })
	for _, text := range []string{"GET /hello HT", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nabc"} {
		c := s.dial(t)
		c.send(text)
		if r := c.want("GET", 503, "*"); !r.Close || r.Header.Get("Retry-After") == "" {
			t.Errorf("close %v, Retry-After %q", r.Close, r.Header.Get("Retry-After"))
		}
	}
	s.quick(t)
	for _, c := range slow {
		c.send("TP/1.1\r\nHost: x\r\n\r\n")
		c.want("GET", 200, "hello")
	}
	s.idle(t)
}

// What finds no room while it comes is refused, however much follows.
func TestLongHeadsThatFindNoRoom(t *testing.T) {
	s := start(t, 1, demo, buffered(t, func(s *Settings) { s.Memory = 20_000 }))
	for range 20 {
		c := s.dial(t)
		sent := c.sending("GET /hello HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: "+strings.Repeat("a", 15_000)+"\r\n", 4))
		c.want("GET", 503, "*")
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		c.finish()
		c.wantEnd()
	}
	s.quick(t)
	s.idle(t)
}

// A long head counts for as long as its request: the bridge keeps it until the body is here.
func TestLongHeadsCount(t *testing.T) {
	s := start(t, 1, demo, buffered(t, func(s *Settings) { s.Memory = 38_000 }))
	begin := "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nA: " + strings.Repeat("a", 10_000) + "\r\n\r\n"
	var waiting []*client
	for n := range 3 {
		c := s.dial(t)
		c.send(begin)
		eventually(t, "the head", func() bool { return s.budget.used.Load() > int64((n+1)*10_000) && s.held() == int64(n+1) })
		waiting = append(waiting, c)
	}
	c := s.dial(t)
	c.send(begin)
	c.want("POST", 503, "*")
	s.quick(t)
	waiting[0].reset()
	waiting[1].reset()
	eventually(t, "room", func() bool { return s.budget.used.Load() < 20_000 })
	waiting[2].send("abc")
	waiting[2].want("POST", 200, "abc")
	s.idle(t)
}

// One byte a second is not enough for ever, in the one direction as in the other.
func TestLeastRates(t *testing.T) {
	t.Run("body", func(t *testing.T) {
		for name, rate := range map[string]int64{"with a rate": 100, "without": 0} {
			s := start(t, 1, demo, buffered(t, func(s *Settings) { s.BodyRate = rate }))
			c := s.dial(t)
			c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
			answered := make(chan int, 1)
			go func() {
				r, err := http.ReadResponse(c.r, nil)
				if err != nil {
					answered <- -1
					return
				}
				io.Copy(io.Discard, r.Body)
				answered <- r.StatusCode
			}()
			status, sent := 0, 0
			for ; sent < 200 && status == 0; sent++ {
				if _, err := c.Write([]byte("x")); err != nil {
					break
				}
				eventually(t, "the byte", func() bool { return s.budget.used.Load() > 0 || len(answered) > 0 })
				time.Sleep(2 * time.Millisecond)
				s.advance(time.Second)
				time.Sleep(2 * time.Millisecond)
				select {
				case status = <-answered:
				default:
				}
			}
			switch {
			case rate == 0 && (status != 0 || sent < 200):
				t.Errorf("%s: status %d after %d bytes", name, status, sent)
			case rate > 0 && (status != 408 || sent < 25 || sent > 60):
				t.Errorf("%s: status %d after %d bytes", name, status, sent)
			}
		}
	})
	t.Run("deadlines", func(t *testing.T) {
		r := &reactor{now: 100 * int64(time.Second)}
		second := int64(time.Second)
		for _, test := range []struct{ before, n, rate, want int64 }{
			{0, 0, 100, 130}, {120, 50, 0, 130}, {120, 100, 100, 121}, {120, 5000, 100, 130}, {101, 0, 100, 101},
		} {
			if got := r.extend(test.before*second, 30*time.Second, test.n, test.rate); got != test.want*second {
				t.Errorf("extend(%d s, %d bytes at %d): %v, want %d s", test.before, test.n, test.rate, time.Duration(got), test.want)
			}
		}
		if got := r.extend(0, 0, 5, 100); got != 0 {
			t.Errorf("without a time: %v", got)
		}
	})
}

func TestOpenSpool(t *testing.T) {
	dir := t.TempDir()
	for _, wrong := range []string{dir + "/none", "/proc", "/dev/null"} {
		if _, err := OpenSpool(wrong); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	for _, named := range []bool{false, true} {
		s, err := OpenSpool(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.named, s.budget = named, new(budget)
		f, err := s.create(5)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 6)
		if n, err := unix.Pread(f.fd, b, 0); err != nil || string(b[:n]) != "hello" {
			t.Errorf("read %q, %v", b[:n], err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("named %v: the folder has %v, %v", named, left, err)
		}
		f.close()
	}
}
