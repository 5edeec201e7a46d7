package serve

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestAccessLog(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		out := new(syncBuffer)
		s := start(t, reactors, demo, func(s *Settings) { s.AccessLog = out })
		c := s.dial(t)
		c.send("GET /hello HTTP/1.1\r\nHost: x\r\nReferer: http://a/\"b\"\r\nUser-Agent: test \\ \xff\r\n\r\n")
		c.want("GET", 200, "hello")
		c.send("HEAD /name?abc HTTP/1.1\r\nHost: x\r\n\r\n")
		c.want("HEAD", 200, "")
		c.send("GET /lost HTTP/1.1\r\nHost: x\r\n\r\n")
		c.want("GET", 502, "*")
		c.send("GET /overrun HTTP/1.1\r\nHost: x\r\n\r\n")
		c.want("GET", 504, "The application did not answer in time.\n")
		c.send("nonsense\r\n\r\n")
		c.want("GET", 400, "*")
		const end = ` \d+\.\d{6}\n`
		stamp := `127\.0\.0\.1 - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] `
		want := regexp.MustCompile("^" +
			stamp + `"GET /hello HTTP/1\.1" 200 5 "http://a/\\x22b\\x22" "test \\x5c \\xff"` + end +
			stamp + `"HEAD /name\?abc HTTP/1\.1" 200 0 "-" "-"` + end +
			stamp + `"GET /lost HTTP/1\.1" 502 \d+ "-" "-"` + end +
			stamp + `"GET /overrun HTTP/1\.1" 504 40 "-" "-"` + end +
			stamp + `"-" 400 \d+ "-" "-"` + end + "$")
		eventually(t, "five lines", func() bool { return strings.Count(out.String(), "\n") == 5 })
		if !want.MatchString(out.String()) {
			t.Fatalf("got %s", out.String())
		}
	})
}

// A client that leaves has its line too, with what it was sent.
func TestAccessLogOfClientsThatLeave(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		out := new(syncBuffer)
		s := start(t, reactors, func(c *call) {
			switch c.target {
			case "/begun":
				c.start(200, 10)
				io.WriteString(c, "hello")
			case "/whole": // and the application goes on
				c.start(200, 5)
				io.WriteString(c, "hello")
			}
			c.awaitClose()
		}, func(s *Settings) { s.AccessLog = out })
		for i, want := range []string{`"GET /waits HTTP/1\.1" 499 0 `, `"GET /begun HTTP/1\.1" 499 5 `, `"GET /whole HTTP/1\.1" 200 5 `} {
			c := s.dial(t)
			c.send("GET " + []string{"/waits", "/begun", "/whole"}[i] + " HTTP/1.1\r\nHost: x\r\n\r\n")
			eventually(t, "the request", func() bool { return s.begun() == int64(i+1) })
			if i > 0 {
				if _, err := io.ReadFull(c, make([]byte, 100)); err != nil { // the head, and a part of the body
					t.Fatal(err)
				}
				eventually(t, "the body's first part", func() bool {
					return s.count(func(c *conn) bool { return c.work != nil && c.work.sent == 5 }) == 1
				})
			}
			c.reset()
			line := regexp.MustCompile(`(?m)^127\.0\.0\.1 - - \[.*\] ` + want + `"-" "-" \d+\.\d{6}$`)
			eventually(t, "its line", func() bool { return line.MatchString(out.String()) })
		}
		if n := strings.Count(out.String(), "\n"); n != 3 {
			t.Errorf("%d lines:\n%s", n, out.String())
		}
	})
}

// A log that nobody reads stops nothing; what did not fit is counted.
func TestAccessLogThatIsNotRead(t *testing.T) {
	r, w := io.Pipe()
	s := start(t, 1, demo, func(s *Settings) { s.AccessLog = w })
	c := s.dial(t)
	const n = 5000
	for range n / 100 {
		c.send(strings.Repeat("GET /hello HTTP/1.1\r\nHost: x\r\nUser-Agent: "+strings.Repeat("x", 500)+"\r\n\r\n", 100))
		for range 100 {
			c.want("GET", 200, "hello")
		}
	}
	lines := new(syncBuffer)
	go io.Copy(lines, r)
	var dropped int
	eventually(t, "the number of dropped lines", func() bool {
		_, rest, found := strings.Cut(s.logs.String(), `"lines":`)
		if found {
			fmt.Sscanf(rest, "%d", &dropped)
		}
		return found
	})
	eventually(t, "the other lines", func() bool { return strings.Count(lines.String(), "\n") == n-dropped })
	w.Close()
}

func TestAccessLogRing(t *testing.T) {
	out := new(syncBuffer)
	a := newAccessLog(out, 1, 1024, zerolog.Nop())
	go a.run()
	var want strings.Builder
	for i := range 1000 {
		line := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", i%500))
		want.WriteString(line)
		for a.rings[0].written.Load()-a.rings[0].read.Load()+uint64(len(line)) > 1024 {
			time.Sleep(time.Millisecond)
		}
		a.rings[0].put([]byte(line))
	}
	a.close()
	if out.String() != want.String() {
		t.Fatal("the lines came out differently")
	}
}

func TestAppendSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0.000000", 1500: "0.000001", 61*time.Second + 20*time.Millisecond: "61.020000"} {
		if got := string(appendSeconds(nil, d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
