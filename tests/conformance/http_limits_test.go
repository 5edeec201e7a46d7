package conformance

import (
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"gobridge/tests/server"
)

// Each limit has its status, and what is just within it is served. The usual server has the
// limits that the documentation names, others those of their settings.

var limited = []check[fronts]{
	{"a request line longer than 8 KiB gets 414", atLimit(414, func(size int) string {
		return sized("GET /", " HTTP/1.1", size) + "\r\nHost: x\r\n\r\n"
	}, 8192, 300)},
	{"a header field longer than 16 KiB gets 431", atLimit(431, func(size int) string {
		return get("/", sized("A: ", "", size), "\n")
	}, 16<<10, 400)},
	{"a head longer than 64 KiB gets 431", atLimit(431, func(size int) string {
		head := get("/", "A: ", strings.Repeat("b", size/5), "\nA: ", strings.Repeat("b", size/5), "\nA: ", strings.Repeat("b", size/5), "\nA: ", strings.Repeat("b", size/5), "\n")
		// All up to the blank line counts.
		return head[:len(head)-2] + sized("B: ", "", size-len(head)) + "\r\n\r\n"
	}, 64<<10, 1024)},
	{"more than 100 fields get 431", atLimit(431, func(fields int) string {
		return get("/", strings.Repeat("A: b\n", fields-1))
	}, 100, 6)},
	{"a body longer than the limit gets 413, and no 100", func(t *testing.T, f fronts) {
		dial(t, f.small.Server).ask(t, post("/echo", strings.Repeat("x", 1000), "Content-Length: 1000\n"), 200)
		mustRefuse(t, f.small, 413, post("/echo", strings.Repeat("x", 1001), "Content-Length: 1001\n"))
		mustRefuse(t, f.small, 413, post("/echo", "3e8\r\n"+strings.Repeat("x", 1000)+"\r\n1\r\nx\r\n0\r\n\r\n", "Transfer-Encoding: chunked\n"))
		c := dial(t, f.small.Server)
		c.write(t, post("/echo", "", "Content-Length: 1001\nExpect: 100-continue\n"))
		if a := c.receive(t, "POST"); a.status != 413 || len(a.early) > 0 {
			t.Errorf("%v, behind %v", a, a.early)
		}
	}},
	{"a head that does not come in time gets 408", func(t *testing.T, f fronts) {
		t.Parallel()
		mustBeLate(t, f.quick, "G", "GET / HTTP/1.1\r\nHost: x\r\n")
	}},
	{"bytes of a head that keep coming do not move its deadline", func(t *testing.T, f fronts) {
		t.Parallel()
		mustNotTrickle(t, f.quick, "GET / HTTP/1.1\r\nA: ")
	}},
	{"bytes of a body that trickle do not move its deadline for ever", func(t *testing.T, f fronts) {
		t.Parallel()
		mustNotTrickle(t, f.quick, post("/echo", "", "Content-Length: 1000000\n"))
	}},
	{"a body whose next bytes do not come in time gets 408", func(t *testing.T, f fronts) {
		t.Parallel()
		mustBeLate(t, f.quick, post("/echo", "abc", "Content-Length: 10\n"), post("/echo", "3\r\nabc\r\n", "Transfer-Encoding: chunked\n"))
	}},
	{"a connection without a request is closed silently, at once or behind an answer", func(t *testing.T, f fronts) {
		t.Parallel()
		fresh, used := dial(t, f.quick.Server), dial(t, f.quick.Server)
		used.ask(t, get("/hello"), 200)
		fresh.end(t)
		used.end(t)
	}},
	{"a client that does not take its answer is cut", func(t *testing.T, f fronts) {
		t.Parallel()
		const size = 64 << 20
		c := dial(t, f.quick.Server)
		c.write(t, get("/big?67108864"))
		m := f.quick.awaitAccess(t, `"GET /big\?67108864 HTTP/1.1" \d+ (\d+) `)
		if a := c.receive(t, "GET"); a.cut == nil || len(a.body) >= size {
			t.Errorf("%d bytes, %v; the access log has %v", len(a.body), a.cut, m)
		}
	}},
	{"connections past the limit wait until another one has ended", func(t *testing.T, f fronts) {
		t.Parallel()
		s := startFront(t, nil, "--limit-connections", "2", "--workers", "1")
		first, second := dial(t, s.Server), dial(t, s.Server)
		first.ask(t, get("/hello"), 200)
		second.ask(t, get("/hello"), 200)
		third := dial(t, s.Server)
		third.write(t, get("/hello"))
		if err := third.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if b, err := third.in.Peek(1); err == nil {
			t.Errorf("the third connection is answered: %q", b)
		} else if e, ok := err.(net.Error); !ok || !e.Timeout() {
			t.Errorf("the third connection: %v", err)
		}
		if err := third.SetReadDeadline(time.Now().Add(server.Patience)); err != nil {
			t.Fatal(err)
		}
		first.Close()
		if a := third.receive(t, "GET"); a.status != 200 {
			t.Errorf("%v", a)
		}
	}},
	{"connections of one client past its limit get 503", func(t *testing.T, f fronts) {
		t.Parallel()
		s := startFront(t, nil, "--limit-connections-per-address", "2", "--forwarded-allow-ips", "none", "--workers", "1")
		first, second := dial(t, s.Server), dial(t, s.Server)
		first.ask(t, get("/hello"), 200)
		second.ask(t, get("/hello"), 200)
		third := dial(t, s.Server)
		if a := third.receive(t, "GET"); a.status != 503 || a.get("Retry-After") == "" || a.get("Connection") != "close" {
			t.Errorf("%v", a)
		}
		third.end(t)
		s.over(t).ask(t, get("/hello"), 200) // nobody's address
	}},
}

// mustNotTrickle wants a request of which bytes keep coming, 50 a second, answered with 408.
func mustNotTrickle(t *testing.T, s *front, begin string) {
	t.Helper()
	c := dial(t, s.Server)
	c.write(t, begin)
	done := make(chan struct{})
	go func() { // until the server has answered; then writing fails
		defer close(done)
		for range 3000 {
			if _, err := io.WriteString(c, "b"); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	if a := c.receive(t, "GET"); a.status != 408 {
		t.Errorf("%v", a)
	}
	c.Close()
	<-done
}

// mustBeLate wants each beginning of a request answered with 408, when its rest does not come.
func mustBeLate(t *testing.T, s *front, begins ...string) {
	t.Helper()
	var all []*client
	for _, begin := range begins {
		c := dial(t, s.Server)
		c.write(t, begin)
		all = append(all, c)
	}
	for i, c := range all {
		if a := c.receive(t, "GET"); a.status != 408 || a.get("Connection") != "close" {
			t.Errorf("%q: %v", begins[i], a)
		}
		c.end(t)
	}
}

// atLimit wants what request makes of a number served up to the limit, and refused with
// the status beyond it: by the usual server, and by the one with small limits.
func atLimit(status int, request func(int) string, usual, small int) func(*testing.T, fronts) {
	return func(t *testing.T, f fronts) {
		for _, each := range []struct {
			s     *front
			limit int
		}{{f.usual, usual}, {f.small, small}} {
			dial(t, each.s.Server).ask(t, request(each.limit), 200)
			mustRefuse(t, each.s, status, request(each.limit+1))
		}
	}
}

// awaitAccess waits for a line of the access log.
func (f *front) awaitAccess(t *testing.T, pattern string) []string {
	t.Helper()
	want := regexp.MustCompile(pattern)
	var m []string
	err := server.Await(func() bool {
		text, err := os.ReadFile(f.access)
		m = want.FindStringSubmatch(string(text))
		return err == nil && m != nil
	})
	if err != nil {
		t.Fatalf("%s never came into the access log", pattern)
	}
	return m
}
