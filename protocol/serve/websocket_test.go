package serve

import (
	"bytes"
	"compress/flate"
	"context"
	bigendian "encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gobridge/bridge"
)

const handshakeHead = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

const handshake = handshakeHead + "\r\n"

// echo accepts, and says again what it hears, until the end, which it notes.
func echo(ends chan<- fakeMessage) application {
	return func(c *call) {
		if c.socket == nil {
			demo(c)
			return
		}
		c.accept()
		for {
			m := c.receive()
			if m.kind == bridge.CloseMessage {
				ends <- m
				return
			}
			_ = c.say(m) // who is gone is told of next
		}
	}
}

// open shakes hands and wants the upgrade.
func (c *client) open(head string) *http.Response {
	c.t.Helper()
	c.send(head)
	return c.upgraded()
}

func (c *client) upgraded() *http.Response {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, &http.Request{Method: "GET"})
	if err != nil || r.StatusCode != 101 {
		c.t.Fatalf("no upgrade: %v, %v", r, err)
	}
	if a := r.Header.Get("Sec-WebSocket-Accept"); a != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
		c.t.Fatalf("the upgrade's header is %v", r.Header)
	}
	return r
}

// frame is a client's frame, masked.
func frame(first byte, payload string) string {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = bigendian.BigEndian.AppendUint16(append(b, 0xfe), uint16(n))
	default:
		b = bigendian.BigEndian.AppendUint64(append(b, 0xff), uint64(n))
	}
	b = append(b, 1, 2, 3, 4)
	for i := range len(payload) {
		b = append(b, payload[i]^byte(i%4+1))
	}
	return string(b)
}

// frame reads one frame: its first byte and its payload.
func (c *client) frame() (first byte, payload string) {
	c.t.Helper()
	head := make([]byte, 10)
	read := func(b []byte) {
		if _, err := io.ReadFull(c.r, b); err != nil {
			c.t.Fatalf("read a frame: %v", err)
		}
	}
	read(head[:2])
	size := uint64(head[1])
	switch size {
	case 126:
		read(head[2:4])
		size = uint64(bigendian.BigEndian.Uint16(head[2:]))
	case 127:
		read(head[2:10])
		size = bigendian.BigEndian.Uint64(head[2:])
	}
	if size > 1<<30 {
		c.t.Fatalf("a frame of %d bytes", size)
	}
	b := make([]byte, size)
	read(b)
	return head[0], string(b)
}

// message reads a message, in however many frames; the opcode and bit 1 of the first one.
func (c *client) message() (first byte, payload string) {
	c.t.Helper()
	first, payload = c.frame()
	for fin := first & 0x80; fin == 0; {
		next, more := c.frame()
		if next&0x7f != 0 {
			c.t.Fatalf("a frame that begins with %#x where a message goes on", next)
		}
		fin, payload = next&0x80, payload+more
	}
	return first &^ 0x80, payload
}

func (c *client) hears(first byte, payload string) {
	c.t.Helper()
	if got, text := c.message(); got|0x80 != first || text != payload {
		c.t.Fatalf("heard %#x with %d bytes, %.80q, want %#x with %d bytes, %.80q", got|0x80, len(text), text, first, len(payload), payload)
	}
}

func closing(code int, reason string) string {
	return string([]byte{byte(code >> 8), byte(code)}) + reason
}

func wantEnd(t *testing.T, ends <-chan fakeMessage, code int, reason string) {
	t.Helper()
	select {
	case m := <-ends:
		if m.code != code || string(m.data) != reason {
			t.Fatalf("the application was told %d %q, want %d %q", m.code, m.data, code, reason)
		}
	case <-time.After(patience):
		t.Fatal("the application was told of no end")
	}
}

func TestWebSocket(t *testing.T) {
	ends := make(chan fakeMessage, 1)
	var log syncBuffer
	s := start(t, 1, echo(ends), func(s *Settings) { s.AccessLog = &log })
	for name, all := range map[string]func(c *client){
		"small messages": func(c *client) {
			for _, cut := range []bool{false, true} {
				talk := frame(0x81, "hello") + frame(0x82, "\xff\xfe") + frame(0x89, "you?") + frame(0x81, "") + frame(0x01, "in ") + frame(0, "") + frame(0x80, "pieces")
				if cut {
					<-c.sendBytes(talk)
				} else {
					c.send(talk)
				}
				want := map[string]bool{"81 hello": true, "82 \xff\xfe": true, "8a you?": true, "81 ": true, "81 in pieces": true}
				for range len(want) {
					first, text := c.message()
					if got := fmt.Sprintf("%x %s", first|0x80, text); !want[got] {
						t.Fatalf("heard %q", got)
					} else {
						delete(want, got)
					}
				}
			}
		},
		"many at once": func(c *client) {
			sent := c.sending(strings.Repeat(frame(0x81, "one of many"), 20000))
			for range 20000 {
				c.hears(0x81, "one of many")
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		},
		"a large one": func(c *client) {
			large := string(pattern(3 << 20))
			sent := c.sending(frame(0x82, large) + frame(0x81, "small"))
			c.hears(0x82, large)
			c.hears(0x81, "small")
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		},
	} {
		c := s.dial(t)
		c.open(handshake + frame(0x81, "at once")) // the client need not wait
		c.hears(0x81, "at once")
		all(c)
		c.send(frame(0x88, closing(4321, "done")))
		c.hears(0x88, closing(4321, ""))
		c.wantEnd()
		wantEnd(t, ends, 4321, "done")
		eventually(t, name+": a line in the log", func() bool { return strings.Contains(log.String(), `"GET /chat HTTP/1.1" 101 `) })
	}
}

func TestWebSocketHandshakes(t *testing.T) {
	ends := make(chan fakeMessage, 1)
	s := start(t, 1, func(c *call) {
		switch {
		case c.socket == nil:
			demo(c)
		case c.target == "/denied":
			c.start(403, -1, "X-Why: because")
			io.WriteString(c, "in two ")
			io.WriteString(c, "pieces")
		default:
			c.accept("Sec-WebSocket-Protocol: chat", "Upgrade: nonsense", "X-More: yes")
			ends <- c.receive()
		}
	})
	c := s.dial(t)
	c.send(strings.Replace(handshake, "Version: 13", "Version: 9", 1))
	if r := c.want("GET", 426, "*"); r.Header.Get("Sec-WebSocket-Version") != "13" || r.Header.Get("Upgrade") != "websocket" {
		t.Errorf("the header is %v", r.Header)
	}
	c.send(strings.Replace(handshake, "jZQ==", "jZ===", 1))
	c.want("GET", 400, "Sec-WebSocket-Key is not 16 bytes in base64\n")
	c.send(strings.Replace(handshake, "GET /chat HTTP/1.1\r\n", "POST / HTTP/1.1\r\nContent-Length: 1\r\n", 1) + "x")
	c.want("POST", 400, "a WebSocket handshake is a GET request\n")
	for _, plain := range []string{
		strings.Replace(handshake, ", Upgrade", "", 1),
		strings.Replace(handshake, "Upgrade: websocket", "Upgrade: h2c", 1),
		strings.Replace(handshake, " HTTP/1.1", " HTTP/1.0", 1),
	} {
		c.send(strings.Replace(plain, "/chat", "/hello", 1))
		c.want("GET", 200, "hello")
	}
	c.send(strings.Replace(handshake, "/chat", "/denied", 1))
	if r := c.want("GET", 403, "in two pieces"); r.Header.Get("X-Why") != "because" {
		t.Errorf("the header is %v", r.Header)
	}
	r := c.open(strings.Replace(handshake, "Upgrade: websocket", "upgrade: h2c, WebSocket", 1))
	if r.Header.Get("Sec-WebSocket-Protocol") != "chat" || len(r.Header["Upgrade"]) != 1 || r.Header.Get("X-More") != "yes" ||
		r.Header.Get("Server") != "gobridge" || r.Header.Get("Date") == "" || r.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("the header is %v", r.Header)
	}
	c.reset()
	wantEnd(t, ends, 1006, "")
}

func TestNoWebSocketsForWSGI(t *testing.T) {
	s := startWith(t, 1, demo, func(s *Server) {
		for _, r := range s.reactors {
			r.port.(*fakePort).wsgi = true
		}
	})
	c := s.dial(t)
	c.send(strings.Replace(handshake, "/chat", "/hello", 1))
	c.want("GET", 200, "hello")
}

func TestWebSocketLimit(t *testing.T) {
	ends := make(chan fakeMessage, 1)
	s := startWith(t, 1, echo(ends), func(s *Server) {
		for _, r := range s.reactors {
			r.port.(*fakePort).limit = 1
		}
	})
	c, other := s.dial(t), s.dial(t)
	c.open(handshake)
	other.send(handshake)
	if r := other.want("GET", 503, "*"); r.Header.Get("Retry-After") == "" {
		t.Errorf("the header is %v", r.Header)
	}
	c.reset()
	wantEnd(t, ends, 1006, "")
}

// What a client breaks is told to it and to the application, and the connection ends.
func TestWebSocketBreaches(t *testing.T) {
	ends := make(chan fakeMessage, 1)
	s := start(t, 1, echo(ends), func(s *Settings) { s.WebSocketSize = 1000 })
	for _, b := range []struct {
		name, sent string
		code       int
	}{
		{"a frame without a mask", "\x81\x01a", 1002},
		{"a reserved opcode", frame(0x83, ""), 1002},
		{"a text that is no UTF-8", frame(0x81, "\xff"), 1007},
		{"compression that was not settled", frame(0xc1, "a"), 1002},
		{"a message that is too long", frame(0x81, strings.Repeat("a", 1001)), 1009},
		{"a code that none may have", frame(0x88, closing(1005, "")), 1002},
	} {
		c := s.dial(t)
		c.open(handshake)
		c.send(frame(0x81, "first") + b.sent + frame(0x81, "too late"))
		first, text := c.message()
		if first == 1 && text == "first" { // unless the end was faster
			first, text = c.message()
		}
		if first != 8 || len(text) < 2 || int(text[0])<<8|int(text[1]) != b.code {
			t.Fatalf("%s: heard %#x %q", b.name, first, text)
		}
		c.wantEnd()
		wantEnd(t, ends, b.code, text[2:])
	}
}

func TestApplicationEndsWebSocket(t *testing.T) {
	ends := make(chan fakeMessage, 1)
	s := start(t, 1, func(c *call) {
		c.accept()
		switch c.target {
		case "/chat":
			c.say(text("last words"))
			c.say(theEnd(3210, "enough"))
			ends <- c.receive()
		case "/returns":
			c.say(text("last words"))
		case "/dies":
			c.receive()
			c.end(bridge.Lost)
		}
	})
	c := s.dial(t)
	c.open(handshake)
	c.hears(0x81, "last words")
	c.hears(0x88, closing(3210, "enough"))
	c.send(frame(0x81, "not heard") + frame(0x88, closing(3210, "all right")))
	c.wantEnd()
	wantEnd(t, ends, 3210, "all right")

	c = s.dial(t) // one that never answers
	c.open(handshake)
	c.hears(0x81, "last words")
	c.hears(0x88, closing(3210, "enough"))
	s.advance(DefaultSettings().LingerTime + time.Second)
	c.wantEnd()
	wantEnd(t, ends, 1006, "")

	for path, heard := range map[string]string{"/returns": closing(1000, ""), "/dies": closing(1011, "")} {
		c = s.dial(t)
		c.open(strings.Replace(handshake, "/chat", path, 1))
		if path == "/returns" {
			c.hears(0x81, "last words")
		} else {
			c.send(frame(0x81, "die"))
		}
		c.hears(0x88, heard)
		c.send(frame(0x88, heard))
		c.wantEnd()
	}
}

// An application that does not read stops its client, one that reads again hears everything.
func TestWebSocketBackPressure(t *testing.T) {
	go1, heard := make(chan bool), make(chan int)
	s := start(t, 1, func(c *call) {
		c.accept()
		<-go1
		n := 0
		for m := c.receive(); m.kind != bridge.CloseMessage; m = c.receive() {
			n += len(m.data)
		}
		heard <- n
	})
	c := s.dial(t)
	c.open(handshake)
	const each, count = 100_000, 200
	sent := c.sending(strings.Repeat(frame(0x82, strings.Repeat("x", each)), count) + frame(0x88, ""))
	select {
	case err := <-sent:
		t.Fatalf("everything was taken from the client: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	close(go1)
	if n := <-heard; n != each*count {
		t.Errorf("%d bytes of %d were heard", n, each*count)
	}
	c.hears(0x88, "")
	c.wantEnd()
}

// A client that reads slowly stops the application, and gets all of it.
func TestWebSocketSlowClient(t *testing.T) {
	const count, each = 300, 50_000
	said := make(chan error, 1)
	s := start(t, 1, func(c *call) {
		c.accept()
		for i := range count {
			if err := c.say(binaryOf(bytes.Repeat([]byte{byte(i)}, each))); err != nil {
				said <- err
				return
			}
		}
		said <- c.say(theEnd(1000, ""))
		c.receive()
	})
	c := s.dial(t)
	c.open(handshake)
	select {
	case err := <-said:
		t.Fatalf("everything was taken from the application: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	c.send(frame(0x89, "hurry")) // is answered between two frames
	pongs := 0
	for i := 0; i < count; {
		first, text := c.message()
		if first == 10 && text == "hurry" {
			pongs++
			continue
		}
		if first != 2 || text != strings.Repeat(string([]byte{byte(i)}), each) {
			t.Fatalf("message %d: %#x, %d bytes", i, first, len(text))
		}
		i++
	}
	if first, text := c.message(); pongs != 1 || first != 8 || text != closing(1000, "") {
		t.Errorf("%d pongs, then %#x %q", pongs, first, text)
	}
	if err := <-said; err != nil {
		t.Error(err)
	}
	c.send(frame(0x88, closing(1000, "")))
	c.wantEnd()
}

func TestWebSocketPings(t *testing.T) {
	ends := make(chan fakeMessage, 1)
	s := start(t, 1, echo(ends))
	c := s.dial(t)
	c.open(handshake)
	for range 3 {
		s.advance(21 * time.Second)
		c.hears(0x89, "")
		c.send(frame(0x8a, "") + frame(0x81, "still here"))
		c.hears(0x81, "still here")
	}
	s.advance(21 * time.Second)
	c.hears(0x89, "")
	s.advance(21 * time.Second)
	for first, text := c.message(); ; first, text = c.message() {
		if first == 9 { // the next one, at the same time
			continue
		}
		if want := closing(1011, "no answer to a ping came in time"); first != 8 || text != want {
			t.Fatalf("heard %#x %q", first, text)
		}
		break
	}
	c.wantEnd()
	wantEnd(t, ends, 1011, "no answer to a ping came in time")
}

// The time limits of requests and of idle connections are not for WebSockets, and memory is given
// back when nothing is said.
func TestWebSocketRests(t *testing.T) {
	ends := make(chan fakeMessage, 1)
	apps := make(chan *call, 1)
	s := start(t, 1, func(c *call) { apps <- c; echo(ends)(c) }, func(s *Settings) { s.PingTime = 0 })
	c := s.dial(t)
	c.open(handshake)
	c.send(frame(0x81, "hello"))
	c.hears(0x81, "hello")
	app := <-apps
	rested := func() bool {
		s.advance(2 * time.Second)
		app.mu.Lock()
		defer app.mu.Unlock()
		return app.socket.rests == 1
	}
	eventually(t, "rest", rested)
	s.advance(time.Hour)
	if !rested() {
		t.Error("memory was given back twice")
	}
	c.send(frame(0x81, "again"))
	c.hears(0x81, "again")
	c.send(frame(0x88, ""))
	c.hears(0x88, "")
	c.wantEnd()
	wantEnd(t, ends, 1005, "")
}

func TestWebSocketsAreToldOfRestarts(t *testing.T) {
	ends := make(chan fakeMessage, 2)
	apps := make(chan *call, 4)
	s := start(t, 1, func(c *call) { apps <- c; echo(ends)(c) }, func(s *Settings) { s.DrainTime = time.Hour })
	c := s.dial(t)
	c.open(handshake)
	x := <-apps
	x.mu.Lock()
	x.socket.recalled = true
	x.tell()
	x.mu.Unlock()
	c.hears(0x88, closing(1012, ""))
	c.send(frame(0x88, closing(1012, "")))
	c.wantEnd()
	wantEnd(t, ends, 1012, "")

	// At the server's end they need not wait for what it finishes.
	c, late := s.dial(t), s.dial(t)
	c.open(handshake)
	late.send(getHello)
	late.want("GET", 200, "hello")
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	c.hears(0x88, closing(1012, ""))
	late.send(handshake)
	late.wantTurnedAway(true)
	c.send(frame(0x88, closing(1012, "")))
	c.wantEnd()
	wantEnd(t, ends, 1012, "")
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// wantTurnedAway wants a handshake to be answered because the server, or its worker, is about to end.
func (c *client) wantTurnedAway(ends bool) {
	c.t.Helper()
	r := c.want("GET", 503, "The server is about to restart. Please try again.\n")
	if r.Header.Get("Retry-After") == "" || r.Close != ends {
		c.t.Errorf("the answer has %v", r.Header)
	}
	if ends {
		c.wantEnd()
	}
}

// A handshake that the application has not decided about holds up nobody's end, and it is told; one
// that it has begun to refuse is answered.
func TestUndecidedHandshakesAtTheEnd(t *testing.T) {
	ends, apps, told := make(chan fakeMessage, 2), make(chan *call, 3), make(chan struct{})
	s := start(t, 1, func(c *call) {
		if apps <- c; c.target == "/denied" {
			c.start(418, 2)
			<-told
			io.WriteString(c, "no")
			return
		}
		ends <- c.receive()
	})
	undecided, denied := s.dial(t), s.dial(t)
	undecided.send(handshake)
	x := <-apps
	x.mu.Lock()
	x.socket.recalled = true
	s.ports[0].post(func() { x.client.EndStream() })
	x.mu.Unlock()
	undecided.wantTurnedAway(false)
	wantEnd(t, ends, 1012, "")

	undecided.send(handshake)
	<-apps
	denied.send(strings.Replace(handshake, "/chat", "/denied", 1))
	<-apps
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	undecided.wantTurnedAway(true)
	wantEnd(t, ends, 1012, "")
	close(told)
	denied.want("GET", 418, "no")
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestWebSocketCompression(t *testing.T) {
	ends := make(chan fakeMessage, 1)
	s := start(t, 1, echo(ends))
	c := s.dial(t)
	r := c.open(handshakeHead + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n")
	if got := r.Header.Get("Sec-WebSocket-Extensions"); got != "permessage-deflate; client_max_window_bits=12" {
		t.Fatalf("settled is %q", got)
	}
	long := strings.Repeat("what is said often, is said briefly; ", 3000)
	var z bytes.Buffer
	w, err := flate.NewWriter(&z, 5)
	if err != nil {
		t.Fatal(err)
	}
	var history []byte
	for i, message := range []string{long, "short", long, long[:2000]} {
		from := z.Len()
		io.WriteString(w, message)
		w.Flush()
		c.send(frame(0xc1, strings.TrimSuffix(z.String()[from:], "\x00\x00\xff\xff")))
		first, text := c.message()
		if compressed := len(message) >= 256; compressed != (first == 0x41) || compressed && len(text) > len(message)/10 {
			t.Errorf("message %d begins with %#x and has %d bytes instead of %d", i, first, len(text), len(message))
		}
		if first == 0x41 {
			b, err := io.ReadAll(flate.NewReaderDict(strings.NewReader(text+"\x00\x00\xff\xff\x01\x00\x00\xff\xff"), history[max(len(history)-32768, 0):]))
			if err != nil {
				t.Fatal(err)
			}
			history = append(history, b...)
			text = string(b)
		}
		if text != message {
			t.Fatalf("message %d has come back otherwise", i)
		}
	}
	c.send(frame(0x41, "\xf2")) // and is gone amid a message
	c.reset()
	wantEnd(t, ends, 1006, "")
}
