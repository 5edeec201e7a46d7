package serve

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gobridge/bridge"
	"gobridge/protocol/fastcgi"
)

// startFastCGI starts a server that speaks FastCGI, by TCP.
func startFastCGI(t *testing.T, app application, change ...func(*Settings)) (*testServer, *way) {
	t.Helper()
	l, err := Listen("fastcgi:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, l, 1, app, append([]func(*Settings){allow(t, "fastcgi", "127.0.0.1")}, change...)...), &ways[1]
}

// keeps is a request after which the connection is to stay.
func keeps(target, body string) string {
	text := records(true, "REQUEST_METHOD=POST", "REQUEST_URI="+target, fmt.Sprintf("CONTENT_LENGTH=%d", len(body)))
	return text + ways[1].body(body)
}

// A record is one that was read.
type sentRecord struct {
	kind, id int
	content  []byte
}

// record reads one.
func (c *client) record() (r sentRecord) {
	c.t.Helper()
	b := make([]byte, fastcgi.HeaderSize)
	if _, err := io.ReadFull(c.r, b); err != nil {
		c.t.Fatalf("read a record: %v", err)
	}
	r = sentRecord{int(b[1]), int(b[2])<<8 | int(b[3]), make([]byte, (int(b[4])<<8|int(b[5]))+int(b[6]))}
	if _, err := io.ReadFull(c.r, r.content); err != nil {
		c.t.Fatalf("read a record's content: %v", err)
	}
	return r
}

// wantEndOf reads records up to the end of a request, and checks how it is.
func (c *client) wantEndOf(id, status int) {
	c.t.Helper()
	for {
		if r := c.record(); r.kind == 3 {
			if r.id != id || int(r.content[4]) != status {
				c.t.Fatalf("the end of request %d with %d, want %d with %d", r.id, r.content[4], id, status)
			}
			return
		}
	}
}

const (
	abort      = "\x01\x02\x00\x01\x00\x00\x00\x00"
	another    = "\x01\x01\x00\x02\x00\x08\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00" // request 2 begins
	authorizer = "\x01\x01\x00\x03\x00\x08\x00\x00\x00\x02\x01\x00\x00\x00\x00\x00"
	asksValues = "\x01\x09\x00\x00\x00\x11\x00\x00\x0f\x00FCGI_MPXS_CONNS"
	values     = "\x01\x0a\x00\x00\x00\x12\x00\x00\x0f\x01FCGI_MPXS_CONNS0"
	unknown    = "\x01\x4d\x00\x00\x00\x00\x00\x00"
)

// One connection carries one request after the other, whatever became of the bodies and of what
// came between them.
func TestFastCGIKeepsConnections(t *testing.T) {
	large := string(pattern(300000))
	s, w := startFastCGI(t, demo)
	c := s.dial(t)
	for round := range 2 {
		for _, each := range []struct {
			name, sends, method string
			status              int
			body                string
		}{
			{"counted", keeps("/hello", ""), "POST", 200, "hello"},
			{"to its end", keeps("/chunks", ""), "POST", 200, "one,two"},
			{"no content", keeps("/empty", ""), "POST", 204, ""},
			{"a body", keeps("/echo", "abc"), "POST", 200, "abc"},
			{"of any length", records(true, "REQUEST_METHOD=POST", "REQUEST_URI=/echo") + w.body("abc"), "POST", 200, "abc"},
			{"a large one", keeps("/echo", large), "POST", 200, large},
			{"an unread one", keeps("/unread", large), "POST", 200, "no"},
			{"a dead worker", keeps("/lost", ""), "POST", 502, "*"},
			{"a dead worker, and a body", keeps("/lost", large), "POST", 502, "*"},
			{"what is over", strings.Repeat(w.body("more"), 2000) + abort + keeps("/hello", ""), "POST", 200, "hello"},
		} {
			sent := c.sending(each.sends)
			w.answer(c, each.method, each.status, each.body)
			if err := <-sent; err != nil {
				t.Fatalf("%s, %d: the server did not take what was sent: %v", each.name, round, err)
			}
		}
	}
	c.send(authorizer + asksValues + unknown)
	c.wantEndOf(3, 3)
	if r := c.record(); r.kind != 10 || string(r.content) != values[8:] {
		t.Errorf("the values: %+v", r)
	}
	if r := c.record(); r.kind != 11 || r.content[0] != 77 {
		t.Errorf("an unknown type: %+v", r)
	}
	c.send(keeps("/hello", ""))
	w.answer(c, "POST", 200, "hello")
	c.finish()
	c.wantEnd()
}

// Of a body that nobody has read only the record that has begun is waited for: the web server may
// send no more of it, and begin another request.
func TestFastCGIBodiesThatEndEarly(t *testing.T) {
	s, w := startFastCGI(t, demo)
	for _, part := range []int{0, 3, fastcgi.HeaderSize, fastcgi.HeaderSize + 50, fastcgi.HeaderSize + 100} {
		record := string(fastcgi.AppendStdin(nil, 1, pattern(100)))
		first := records(true, "REQUEST_METHOD=POST", "REQUEST_URI=/unread", "CONTENT_LENGTH=300000") + record
		c := s.dial(t)
		c.send(first + record[:part])
		w.answer(c, "POST", 200, "no")
		c.send(record[part:])
		c.send(keeps("/hello", ""))
		w.answer(c, "POST", 200, "hello")
	}
}

// What does not concern the request that is being answered gets its answer between two records.
func TestFastCGIAsides(t *testing.T) {
	large := string(pattern(16 << 20)) // more than sockets take
	open := fileOf(t, []byte(large))
	goOn := make(chan struct{})
	s, _ := startFastCGI(t, func(c *call) {
		c.start(200, -1)
		<-goOn
		if c.target == "/file" {
			c.sendFile(bridge.File{FD: open(), Length: int64(len(large))})
			return
		}
		c.Write([]byte(large))
	})
	for _, target := range []string{"/text", "/file"} {
		c := s.dial(t)
		c.send(keeps(target, "") + another + asksValues + unknown)
		c.wantEndOf(2, 1)
		if a, b := c.record(), c.record(); a.kind != 10 || b.kind != 11 {
			t.Fatalf("%s: %+v, %+v", target, a, b)
		}
		goOn <- struct{}{}
		eventually(t, "a full socket", func() bool { return s.anyConn(func(c *conn) bool { return c.blocked }) })
		const replies = 100
		c.send(strings.Repeat(asksValues, replies))
		eventually(t, "what waits", func() bool { return s.anyConn(func(c *conn) bool { return len(c.work.aside) == replies*len(values) }) })
		var got []byte
		said := 0
		for ended := false; !ended || said < replies; {
			switch r := c.record(); r.kind {
			case 6:
				got = append(got, r.content...)
			case 10:
				said++
			case 3:
				ended = true
			default:
				t.Fatalf("%s: a record of type %d", target, r.kind)
			}
		}
		if _, body, _ := bytes.Cut(got, []byte("\r\n\r\n")); string(body) != large {
			t.Errorf("%s: %d bytes", target, len(body))
		}
		c.Close()
		eventually(t, "the connection's end", func() bool { return s.Connections() == 0 })
	}
}

// A request that is given up is one whose client has left, wherever it is; the connection goes on
// if it can.
func TestFastCGIAborts(t *testing.T) {
	gone, goOn := make(chan string, 1), make(chan struct{})
	s, w := startFastCGI(t, func(c *call) {
		switch c.target {
		case "/taken":
			<-goOn
			io.Copy(io.Discard, c)
			c.awaitClose()
			gone <- c.target
		case "/waits":
			c.awaitClose()
			gone <- c.target
		case "/reads":
			if _, err := io.Copy(io.Discard, c); err != nil {
				gone <- c.target
			}
		case "/begins":
			c.start(200, -1)
			io.WriteString(c, "begun")
			c.awaitClose()
			gone <- c.target
		}
		demo(c)
	}, func(s *Settings) { s.Buffer = 1 << 20 })
	for _, each := range []struct {
		name, sends, target string
		first               string // what comes before it is given up
	}{
		{"while it waits", keeps("/waits", ""), "/waits", ""},
		{"amid its body", partOf(keeps("/reads", "abcde"), "abcde"), "/reads", ""},
		{"amid its answer", keeps("/begins", ""), "/begins", "begun"},
	} {
		t.Run(each.name, func(t *testing.T) {
			c := s.dial(t)
			before := s.begun()
			c.send(each.sends)
			eventually(t, "the request", func() bool { return s.begun() > before })
			for each.first != "" && !strings.HasSuffix(string(c.record().content), each.first) {
			}
			c.send(abort)
			if got := <-gone; got != each.target {
				t.Errorf("%s is gone", got)
			}
			c.wantEndOf(1, 0)
			c.send(keeps("/hello", ""))
			w.answer(c, "POST", 200, "hello")
		})
	}
	t.Run("while its body waits for it", func(t *testing.T) {
		c := s.dial(t)
		c.send(keeps("/taken", string(pattern(200000))))
		eventually(t, "a body that is taken in", func() bool {
			return s.anyConn(func(c *conn) bool { return c.phase == serving && c.work.full && c.work.body == bodyWhole })
		})
		c.send(abort)
		eventually(t, "what is not read yet", func() bool { return s.anyConn(func(c *conn) bool { return c.readable }) })
		goOn <- struct{}{}
		<-gone
		c.wantEndOf(1, 0)
	})
	t.Run("before it has begun", func(t *testing.T) {
		c := s.dial(t)
		c.send(records(true, "A=b") + abort + keeps("/hello", ""))
		c.wantEndOf(1, 0)
		w.answer(c, "POST", 200, "hello")
	})
	t.Run("without a connection to keep", func(t *testing.T) {
		c := s.dial(t)
		c.send(records(false, "REQUEST_URI=/waits") + w.body("") + abort)
		<-gone
		c.wantEndOf(1, 0)
		c.wantEnd()
	})
}

// What is malformed ends the connection, with an answer as long as none has begun.
func TestFastCGIRefused(t *testing.T) {
	s, w := startFastCGI(t, demo)
	for _, each := range []struct{ name, sends, body string }{
		{"two lengths", records(true, "CONTENT_LENGTH=3", "CONTENT_LENGTH=4") + w.body("abc"), "CONTENT_LENGTH is there twice, with different values\n"},
		{"a body that is too short", records(true, "REQUEST_METHOD=POST", "REQUEST_URI=/echo", "CONTENT_LENGTH=5") + w.body("abc"), "the body (STDIN) ends before it has as many bytes as CONTENT_LENGTH says\n"},
		{"a body that is too long", records(true, "REQUEST_METHOD=POST", "REQUEST_URI=/echo", "CONTENT_LENGTH=5") + w.body("abc")[:11] + w.body("abc"), "the body (STDIN) has more bytes than CONTENT_LENGTH says\n"},
		{"a body behind its end", records(true, "REQUEST_METHOD=POST", "REQUEST_URI=/echo", "CONTENT_LENGTH=3") + w.body("abc") + w.body("abc"), "a FastCGI record of type 5 (STDIN) makes no sense where it comes\n"},
		{"it begins again", records(true, "REQUEST_METHOD=POST", "REQUEST_URI=/echo", "CONTENT_LENGTH=5") + w.body("abc")[:11] + records(true), "a FastCGI record of type 1 (BEGIN_REQUEST) makes no sense where it comes\n"},
	} {
		t.Run(each.name, func(t *testing.T) {
			c := s.dial(t)
			c.send(each.sends)
			w.last(c, "POST", 400, each.body)
		})
	}
	t.Run("no request", func(t *testing.T) {
		c := s.dial(t)
		c.send("\x01\x06\x00\x01\x00\x00\x00\x00")
		c.want("GET", http.StatusBadRequest, "*")
		c.wantEnd()
	})
}

// A connection that is kept rests until it has for too long, or the server stops.
func TestFastCGIRests(t *testing.T) {
	s, w := startFastCGI(t, demo)
	for _, end := range []func(){
		func() { s.advance(s.settings.IdleTime + time.Second) },
		func() {
			last := s.dial(t)
			last.send(keeps("/hello", ""))
			w.answer(last, "POST", 200, "hello")
			s.Part()
			eventually(t, "a reactor that parts", func() bool { return s.reactorsAre(func(r *reactor) bool { return r.parting }) })
			last.send(keeps("/hello", "")) // nothing in the answer says that the connection ends
			w.last(last, "POST", 200, "hello")
			go s.Drain(t.Context())
			s.advance(s.settings.DrainTime + time.Second)
		},
	} {
		c := s.dial(t)
		c.send(keeps("/hello", ""))
		w.answer(c, "POST", 200, "hello")
		eventually(t, "a rest", func() bool { return s.has(idle) })
		end()
		c.wantEnd()
	}
	if text := s.logs.String(); text != "" {
		t.Errorf("the log has %s", text)
	}
}

// An answer without a length has no end in sight by FastCGI either.
func TestFastCGIEndsStreams(t *testing.T) {
	s, _ := startFastCGI(t, func(c *call) {
		c.start(200, -1)
		io.WriteString(c, "data")
		c.awaitClose()
	})
	c := s.dial(t)
	c.send(keeps("/events", ""))
	c.record()
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	eventually(t, "draining", func() bool { return s.reactorsAre(func(r *reactor) bool { return r.draining }) })
	s.order(orderEnd)
	eventually(t, "the stream's end", func() bool { return s.Connections() == 0 })
	<-drained
}

// Who may not speak is refused at the first record, before there is much of it.
func TestFastCGIStrangerIsRefusedEarly(t *testing.T) {
	s, _ := startFastCGI(t, demo, allow(t, "fastcgi", "10.9.9.9"))
	c := s.dial(t)
	c.send(string(fastcgi.AppendRequest(nil, 1, true, nil)[:16])) // FCGI_BEGIN_REQUEST
	if answer, err := io.ReadAll(c); err != nil || !strings.Contains(string(answer), "403") {
		t.Errorf("%v, %q", err, answer)
	}
	if n := s.budget.used.Load(); n != 0 {
		t.Errorf("it has %d bytes of the budget", n)
	}
}
