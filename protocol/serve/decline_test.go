package serve

import (
	"strings"
	"testing"
)

// A request that is declined, though its connection stays, is answered once in whatever pieces it
// comes, and takes nothing of what stands behind it.
func TestDeclinedAmidOthers(t *testing.T) {
	const next = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
	bad := strings.Replace(handshake, "Version: 13", "Version: 12", 1)
	post := strings.Replace(handshakeHead, "GET", "POST", 1) + "Content-Length: 5\r\n\r\nhello"
	s := start(t, 1, echo(nil))
	var port *fakePort
	full := startWith(t, 1, echo(nil), func(s *Server) {
		port = s.reactors[0].port.(*fakePort)
		port.limit = 1
		port.live.Add(1)
	})
	defer port.live.Add(-1)
	for _, c := range []struct {
		name   string
		s      *testServer
		text   string
		status int
		next   int
	}{
		{"a version that is not spoken", s, bad, 426, 200},
		{"a handshake with a body", s, post, 400, 200},
		{"one too many", full, next, 503, 503},
		{"one too many, with a body", full, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 503, 503},
		{"a WebSocket too many", full, handshake, 503, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, cut := range []int{0, 10, len(c.text) - 7, len(c.text) - 1, len(c.text) + 3} {
				client := c.s.dial(t)
				all := c.text + next
				<-client.sendBytes(all[:cut])
				client.send(all[cut:])
				client.want("GET", c.status, "*")
				client.want("GET", c.next, "*")
				client.send(next)
				client.want("GET", c.next, "*")
				client.finish()
				client.wantEnd()
			}
		})
	}
}
