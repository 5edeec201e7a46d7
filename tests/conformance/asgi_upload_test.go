package conformance

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"gobridge/tests/server"
)

// uploadsFlow: what --buffer-request does for others is off.
func uploadsFlow(t *testing.T, a *asgi) {
	if !a.all {
		return
	}
	own := a.own(t, "--buffer-request", "off")
	for _, framing := range []string{"Transfer-Encoding: chunked", "Content-Length: 6"} {
		c, pieces := dial(t, own), []string{"abc", "de", "f"}
		if strings.HasPrefix(framing, "T") {
			pieces = []string{"3\r\nabc\r\n", "2\r\nde\r\n", "1\r\nf\r\n0\r\n\r\n"}
		}
		c.send(t, "POST /uploads HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", framing)
		for i, want := range []string{"3 True", "2 True", "1 False"} {
			c.send(t, "%s", pieces[i])
			if i == 0 {
				if got, err := c.head(); err != nil || got.status != 200 {
					t.Fatal(got, err)
				}
			}
			if got, err := c.chunk(); err != nil || got != want {
				t.Errorf("%s: piece %d is told as %q, %v, want %q", framing, i, got, err, want)
			}
		}
	}
	leavesAmidUpload(t, own)
	uploadIsHeld(t, own)
}

func leavesAmidUpload(t *testing.T, own *server.Server) {
	t.Helper()
	name, c := unique(), dial(t, own)
	c.send(t, "POST /uploads?%s HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc", name)
	if _, err := c.head(); err != nil {
		t.Fatal(err)
	}
	if err := c.reset(); err != nil {
		t.Fatal(err)
	}
	const want = `["http.disconnect", "http.disconnect"]`
	if err := server.Await(func() bool { return askServer(t, own, "GET", "/noted?"+name, "").body == want }); err != nil {
		t.Errorf("who leaves amid his body: %s", askServer(t, own, "GET", "/noted?"+name, "").body)
	}
}

// uploadIsHeld: while the application takes nothing its client comes to a stop; then all arrives.
func uploadIsHeld(t *testing.T, own *server.Server) {
	t.Helper()
	const pieces, size = 600, 1 << 16
	name, c := unique(), dial(t, own)
	c.send(t, "POST /holds?%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", name, pieces*size)
	var written atomic.Int64
	sent := make(chan error, 1)
	go func() {
		piece, err := []byte(strings.Repeat("u", size)), error(nil)
		for i := 0; i < pieces && err == nil; i++ {
			_, err = c.Write(piece)
			written.Add(1)
		}
		sent <- err
	}()
	came, same := int64(0), 0
	if err := server.Await(func() bool {
		now := written.Load()
		if same++; now != came || now == 0 {
			came, same = now, 0
		}
		return same > 40
	}); err != nil || came >= pieces {
		t.Errorf("an application that takes nothing was sent %d of %d pieces", came, pieces)
	}
	if got := askServer(t, own, "GET", "/released?"+name, ""); got.status != 200 {
		t.Fatal(got)
	}
	if got := c.receive(t, "POST"); got.body != fmt.Sprint(pieces*size) {
		t.Errorf("%v", got)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}
