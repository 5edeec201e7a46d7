package serve

import (
	"strings"
	"testing"
)

// The codec has the long table; this one is about what the client sees of it.
var malformed = []struct {
	name, request string
	status        int
}{
	{"bare line feed", "GET / HTTP/1.1\nHost: x\n\n", 400},
	{"two spaces", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"no version", "GET /\r\nHost: x\r\n\r\n", 400},
	{"version 2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
	{"folded field", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400},
	{"space before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
	{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
	{"two hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
	{"NUL in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", 400},
	{"two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
	{"signed length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx", 400},
	{"length and coding", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"unknown coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
	{"unknown expectation", "POST / HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nContent-Length: 1\r\n\r\nx", 417},
	{"long request line", "GET /" + strings.Repeat("x", 10<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
	{"endless request line", "GET /" + strings.Repeat("x", 100<<10), 414},
	{"many fields", "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 200) + "\r\n", 431},
	{"large head", "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: "+strings.Repeat("b", 8000)+"\r\n", 20) + "\r\n", 431},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
	{"chunk size with a sign", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n", 400},
	{"chunk without an end", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n", 400},
	{"framing in a trailer", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n", 400},
}

func TestMalformed(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, demo)
		for _, test := range malformed {
			t.Run(test.name, func(t *testing.T) {
				for _, before := range []string{"", "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"} {
					c := s.dial(t)
					c.send(before + test.request)
					if before != "" {
						c.want("GET", 200, "hello")
					}
					if r := c.want("GET", test.status, "*"); !r.Close || r.Header.Get("Date") == "" {
						t.Fatalf("close %v, %v", r.Close, r.Header)
					}
					c.finish()
					c.wantEnd()
				}
			})
		}
		if logs := s.logs.String(); !strings.Contains(logs, "malformed") || strings.Count(logs, "\n") > 2*len(malformed) {
			t.Fatalf("log: %s", logs)
		}
	})
}

// The same, each byte by itself: the answer may come before all was sent.
func TestMalformedByteByByte(t *testing.T) {
	s := start(t, 1, demo)
	for _, test := range malformed {
		if len(test.request) > 2000 {
			continue // thousands of packets show nothing more
		}
		t.Run(test.name, func(t *testing.T) {
			c := s.dial(t)
			sent := c.sendBytes(test.request)
			c.want("GET", test.status, "*")
			<-sent
			c.finish()
			c.wantEnd()
		})
	}
}

// A head that needs more than one buffer is kept whole until it is parsed.
func TestLargeHeads(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, func(c *call) {
			c.start(200, -1)
			for _, f := range c.fields {
				c.Write([]byte(f + "\n"))
			}
		})
		for _, n := range []int{1, 3, 7} {
			fields := "Host: x\n" + strings.Repeat("A: "+strings.Repeat("b", 8000)+"\n", n)
			request := "GET / HTTP/1.1\r\n" + strings.ReplaceAll(fields, "\n", "\r\n") + "\r\n"
			c := s.dial(t)
			c.send(request + request)
			c.want("GET", 200, fields)
			c.want("GET", 200, fields)
		}
	})
}
