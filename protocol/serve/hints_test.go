package serve

import (
	"io"
	"strings"
	"testing"
)

const hintsText = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b.js>\r\n\r\n"

// TestEarlyHints sends hints before the answer, while the application still computes, and
// beside 100 (Continue); a client of HTTP/1.0 has none (RFC 9110 section 15.2).
func TestEarlyHints(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		release := make(chan struct{})
		s := start(t, reactors, func(c *call) {
			c.hint("Link: </a.css>")
			c.hint("Link: </b.js>")
			if c.target == "/later" {
				<-release
			}
			if c.method == "POST" {
				if _, err := io.ReadAll(c); err != nil {
					t.Error(err)
				}
			}
			c.atOnce(200, "hinted")
		})
		c := s.dial(t)
		c.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
		c.wantText(t, hintsText)
		close(release)
		c.want("GET", 200, "hinted")
		c.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
		c.wantText(t, hintsText+"HTTP/1.1 100 Continue\r\n\r\n")
		c.send("hi")
		c.want("POST", 200, "hinted")
		c.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		c.want("GET", 200, "hinted")
		c.send(strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 3))
		for range 3 {
			c.wantText(t, hintsText)
			c.want("GET", 200, "hinted")
		}
	})
}

// wantText wants these bytes next.
func (c *client) wantText(t *testing.T, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c.r, got); err != nil || string(got) != want {
		t.Fatalf("%q, %v, want %q", got, err, want)
	}
}
