package serve

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"
)

// packet makes a uwsgi packet of "NAME=value" texts.
func packet(modifier byte, variables ...string) string {
	var block []byte
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		for _, text := range []string{name, value} {
			block = append(binary.LittleEndian.AppendUint16(block, uint16(len(text))), text...)
		}
	}
	return string(append([]byte{modifier, byte(len(block)), byte(len(block) >> 8), 0}, block...))
}

// What only uwsgi has.
func TestUwsgi(t *testing.T) {
	w := &ways[0]
	l, err := Listen("uwsgi:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := startOn(t, l, 1, demo, allow(t, "uwsgi", "127.0.0.1"))
	for _, each := range []struct {
		name, sends, method string
		status              int
		body                string
	}{
		{"nothing", packet(0), "GET", 404, ""},
		{"more behind it", w.asks("POST", "/hello", "") + strings.Repeat("more", 9999), "POST", 200, "hello"},
		{"two lengths", w.head("CONTENT_LENGTH=1", "CONTENT_LENGTH=2"), "GET", 400, "CONTENT_LENGTH is there twice, with different values\n"},
		{"Perl", packet(5), "GET", 501, "*"},
	} {
		c := s.dial(t)
		c.send(each.sends)
		w.last(c, each.method, each.status, each.body)
	}
	for _, sends := range []string{packet(100), packet(100) + "more"} {
		c := s.dial(t)
		c.send(sends)
		if got, err := io.ReadAll(c); err != nil || string(got) != "d\x00\x00\x01" {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// A WebSocket's answer is as HTTP has it, but for what the web server says itself, and behind it
// come frames.
func TestUwsgiWebSockets(t *testing.T) {
	w := &ways[0]
	const nobody = "HTTP_CONNECTION=Upgrade|HTTP_UPGRADE=websocket|HTTP_SEC_WEBSOCKET_VERSION=13"
	fields := func(target, text string) string { return w.asks("GET", target, "", strings.Split(text, "|")...) }
	const all = nobody + "|HTTP_SEC_WEBSOCKET_KEY=dGhlIHNhbXBsZSBub25jZQ=="
	ends, log := make(chan fakeMessage, 1), new(syncBuffer)
	for _, bind := range []string{"uwsgi:127.0.0.1:0", "uwsgi:unix:" + tempSocket(t)} {
		l, err := Listen(bind)
		if err != nil {
			t.Fatal(err)
		}
		s := startOn(t, l, 1, echo(ends), allow(t, "uwsgi", "127.0.0.1", "unix"), func(s *Settings) { s.AccessLog = log })
		large := string(pattern(1 << 20))
		c := s.dial(t)
		r := c.open(fields("/chat", all) + frame(0x81, "at once"))
		for _, name := range []string{"Date", "Server", "Transfer-Encoding", "Content-Length"} {
			if v := r.Header.Get(name); v != "" {
				t.Errorf("the upgrade says %s: %s", name, v)
			}
		}
		c.hears(0x81, "at once")
		sent := c.sending(frame(0x82, large))
		c.hears(0x82, large)
		if err := <-sent; err != nil {
			t.Error(err)
		}
		c.send(frame(0x89, "there?"))
		c.hears(0x8a, "there?")
		log.reset()
		c.send(frame(0x88, closing(4321, "done")))
		c.hears(0x88, closing(4321, ""))
		c.wantEnd()
		wantEnd(t, ends, 4321, "done")
		eventually(t, "a line in the log", func() bool {
			return strings.Contains(log.String(), `192.0.2.7 - - [`) && strings.Contains(log.String(), `"GET /chat HTTP/1.1" 101 `)
		})

		gone := s.dial(t)
		gone.open(fields("/chat", all))
		gone.Close()
		wantEnd(t, ends, 1006, "")
		for _, plain := range []string{strings.Replace(all, "websocket", "h2c", 1), all + "|SERVER_PROTOCOL=HTTP/2.0"} {
			c := s.dial(t)
			c.send(fields("/hello", plain))
			w.last(c, "GET", 200, "hello")
		}
		keyless := s.dial(t)
		keyless.send(fields("/chat", nobody))
		w.last(keyless, "GET", 400, "the WebSocket handshake has no Sec-WebSocket-Key\n")
		old := s.dial(t)
		old.send(fields("/chat", strings.Replace(all, "VERSION=13", "VERSION=8", 1)))
		w.last(old, "GET", 426, "*")
	}
}
