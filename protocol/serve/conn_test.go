package serve

import (
	"fmt"
	"strings"
	"testing"
)

func TestKeepAlive(t *testing.T) {
	tests := []struct {
		name, request string
		stays         bool
		connection    string
	}{
		{"1.1", "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", true, ""},
		{"1.1 close", "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false, "close"},
		{"1.0", "GET /hello HTTP/1.0\r\n\r\n", false, "close"},
		{"1.0 keep-alive", "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, "keep-alive"},
	}
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, demo)
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				c := s.dial(t)
				for range 3 {
					c.send(test.request)
					r := c.want("GET", 200, "hello")
					if got := r.Header.Get("Connection"); got != test.connection {
						if !(test.connection == "close" && r.Close) {
							t.Fatalf("Connection: %q, want %q", got, test.connection)
						}
					}
					if r.Header.Get("Date") == "" || r.Header.Get("Server") != "gobridge" {
						t.Fatalf("Date or Server is missing: %v", r.Header)
					}
					if !test.stays {
						c.wantEnd()
						return
					}
				}
			})
		}
	})
}

func TestBodyFraming(t *testing.T) {
	s := start(t, 1, demo)
	c := s.dial(t)
	c.send("GET /chunks HTTP/1.1\r\nHost: x\r\n\r\n")
	if r := c.want("GET", 200, "one,two"); len(r.TransferEncoding) == 0 {
		t.Fatal("a response of unknown length is not chunked")
	}
	c.send("HEAD /chunks HTTP/1.1\r\nHost: x\r\n\r\nHEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n")
	c.want("HEAD", 200, "")
	if r := c.want("HEAD", 200, ""); r.ContentLength != 5 {
		t.Fatalf("HEAD has lost the Content-Length: %d", r.ContentLength)
	}
	c.send("GET /empty HTTP/1.1\r\nHost: x\r\n\r\n")
	c.want("GET", 204, "")
	c.send("GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
	c.want("GET", 200, "hello")
	eventually(t, "a complaint about the length", func() bool { return strings.Contains(s.logs.String(), "GET /long") })
	c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
	c.want("GET", 200, "hello")

	c = s.dial(t)
	c.send("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	if r := c.want("GET", 200, "one,two"); len(r.TransferEncoding) > 0 {
		t.Fatal("chunks were sent to HTTP/1.0")
	}
	c.wantEnd()
}

func TestPipelining(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, demo)
		var all strings.Builder
		const n = 300
		for i := range n {
			if i%3 == 0 {
				fmt.Fprintf(&all, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n%04d", i)
			} else {
				fmt.Fprintf(&all, "GET /name?%04d HTTP/1.1\r\nHost: x\r\n\r\n", i)
			}
		}
		check := func(c *client) {
			for i := range n {
				c.want("GET", 200, fmt.Sprintf("%04d", i))
			}
		}
		t.Run("at once", func(t *testing.T) {
			c := s.dial(t)
			c.send(all.String())
			check(c)
		})
		t.Run("byte by byte", func(t *testing.T) {
			c := s.dial(t)
			c.sendBytes(all.String())
			check(c)
		})
		t.Run("half closed", func(t *testing.T) {
			c := s.dial(t)
			c.send(all.String())
			c.finish()
			check(c)
			c.wantEnd()
		})
	})
}
