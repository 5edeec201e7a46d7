package serve

import (
	"io"
	"testing"
)

// TestTrailers sends trailers behind a chunked body, and leaves them out where the framing has
// no place for them.
func TestTrailers(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		s := start(t, reactors, func(c *call) {
			length := int64(-1)
			if c.target == "/counted" {
				length = 4
			}
			c.start(200, length)
			io.WriteString(c, "body")
			c.mu.Lock()
			c.tail = []byte("X-Sum: 1\r\n")
			c.mu.Unlock()
		})
		c := s.dial(t)
		for range 2 {
			c.send("GET /chunked HTTP/1.1\r\nHost: x\r\n\r\n")
			for line := ""; line != "\r\n"; { // the head
				var err error
				if line, err = c.r.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			c.wantText(t, "4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n")
			c.send("GET /counted HTTP/1.1\r\nHost: x\r\n\r\n")
			c.want("GET", 200, "body")
			c.send("HEAD /chunked HTTP/1.1\r\nHost: x\r\n\r\n")
			c.want("HEAD", 200, "")
		}
		c.send("GET /chunked HTTP/1.0\r\n\r\n")
		c.want("GET", 200, "body")
	})
}
