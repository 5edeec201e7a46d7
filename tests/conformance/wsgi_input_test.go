package conformance

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

const text = "first\nsecond line\n\nlast without end"

var calls = []struct{ calls, want string }{
	{"read", `["first\nsecond line\n\nlast without end"]`},
	{"read:-1+read+read:5+readline+readlines+list+next", `["first\nsecond line\n\nlast without end","","","",[],[],"StopIteration"]`},
	{"read:null", `["first\nsecond line\n\nlast without end"]`},
	{"read:0+read:4+read:1000000000000", `["","firs","t\nsecond line\n\nlast without end"]`},
	{"readline+readline:3+readline:-1+readline:null+readline:0", `["first\n","sec","ond line\n","\n",""]`},
	{"readline:6+readline:1000+readline+readline+readline", `["first\n","second line\n","\n","last without end",""]`},
	{"readlines", `[["first\n","second line\n","\n","last without end"]]`},
	{"readlines:7+read", `[["first\n","second line\n"],"\nlast without end"]`},
	{"readlines:0+read", `[["first\n","second line\n","\n","last without end"],""]`},
	{"readlines:null", `[["first\n","second line\n","\n","last without end"]]`},
	{"list", `[["first\n","second line\n","\n","last without end"]]`},
	{"next+read:3+readline+next+read:2+readlines+next", `["first\n","sec","ond line\n","\n","la",["st without end"],"StopIteration"]`},
}

// read asks for the calls, with another request right behind the body, and compares.
func (w *wsgi) reads(t *testing.T, c *client, what, want, body string, bytewise bool) {
	t.Helper()
	request := "POST /reads?" + what + " HTTP/1.1\r\nHost: x\r\n" + body + "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
	size := len(request)
	if bytewise {
		size = 1
	}
	for ; len(request) > 0; request = request[min(size, len(request)):] {
		c.send(t, "%s", request[:min(size, len(request))])
	}
	a := c.receive(t, "POST")
	var got, wanted any
	if err := errors.Join(json.Unmarshal([]byte(a.body), &got), json.Unmarshal([]byte(want), &wanted)); err != nil {
		t.Fatalf("%s: %v: %v", what, a, err)
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", wanted) || a.get("X-Terminated") != "True" {
		t.Errorf("%s: %v, want %s", what, a, want)
	}
	if a := c.receive(t, "GET"); a.body != "hello" {
		t.Errorf("the request behind %s: %v", what, a)
	}
}

// readers have bodies taken in first, and as they come.
func (w *wsgi) readers() []*server.Server { return []*server.Server{w.threads, w.processes} }

func inputIsRead(t *testing.T, w *wsgi) {
	for _, s := range w.readers() {
		c := dial(t, s)
		for i, one := range calls {
			body := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(text), text)
			w.reads(t, c, one.calls, one.want, body, false)
			w.reads(t, c, one.calls, one.want, body, i%3 == 0)
		}
		const nothing = `["","","",[],[],"StopIteration"]`
		w.reads(t, c, "read+read:5+readline+readlines+list+next", nothing, "Content-Length: 0\r\n\r\n", false)
		w.reads(t, c, "read+read:5+readline+readlines+list+next", nothing, "\r\n", false)
	}
	if a := w.ask(t, "POST", `/reads?read:"5"`, text); a.status != 500 {
		t.Errorf("read of no number: %v", a)
	}
}

func chunkedInputIsRead(t *testing.T, w *wsgi) {
	var all strings.Builder
	for at, size := 0, 1; at < len(text); at, size = at+size, size+2 {
		piece := text[at:min(at+size, len(text))]
		fmt.Fprintf(&all, "%X;name=\"value\"\r\n%s\r\n", len(piece), piece)
	}
	for _, at := range w.readers() {
		c := dial(t, at)
		for i, one := range calls {
			body := "Transfer-Encoding: chunked\r\n\r\n" + all.String() + "0\r\nX-Trailer: x\r\n\r\n"
			w.reads(t, c, one.calls, one.want, body, i%3 == 0)
		}
		const nothing = `["","","",[],[],"StopIteration"]`
		w.reads(t, c, "read+read:5+readline+readlines+list+next", nothing, "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false)
	}
	c := dial(t, w.threads)
	body := strings.Repeat("0123456789abcdef", 1<<14)
	c.send(t, "POST /validated/upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	if a := c.receive(t, "POST"); a.body != fmt.Sprintf("%d %x", len(body), sha256.Sum256([]byte(body))) {
		t.Errorf("a long one: %v", a)
	}
}

func continueIsSent(t *testing.T, w *wsgi) {
	body := strings.Repeat("a body that is wanted ", 10000)
	for _, coding := range []struct{ field, text string }{
		{fmt.Sprintf("Content-Length: %d", len(body)), body},
		{"Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)},
	} {
		c := dial(t, w.threads)
		for range 2 { // the connection goes on
			c.send(t, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n%s\r\n\r\n", coding.field)
			if a, err := c.head(); err != nil || a.status != 100 || a.reason != "Continue" || len(a.fields) > 0 {
				t.Fatalf("before the body: %v, %v", a, err)
			}
			c.send(t, "%s", coding.text)
			if a := c.receive(t, "POST"); a.body != body || len(a.early) > 0 {
				t.Errorf("%s: %v", coding.field, a)
			}
		}
		// Where bodies are taken in first, a chunked one is asked for at once.
		c = dial(t, w.processes)
		c.send(t, "POST /shop/hello HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n%s\r\n\r\n", coding.field)
		if a := c.receive(t, "POST"); a.body != "hello" || len(a.early) > 0 {
			t.Errorf("an application that does not read its body: %v", a)
		}
	}
	c := dial(t, w.threads)
	c.send(t, "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
	if a := c.receive(t, "POST"); a.body != "hi" || len(a.early) > 0 {
		t.Errorf("HTTP/1.0: %v", a)
	}
	c = dial(t, w.threads)
	c.send(t, "GET /hello HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n")
	if a := c.receive(t, "GET"); a.body != "hello" || len(a.early) > 0 {
		t.Errorf("without a body: %v", a)
	}
}

func unreadIsDrained(t *testing.T, w *wsgi) {
	c := dial(t, w.threads)
	for _, size := range []int{1, 1000, 60000} {
		c.send(t, "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
		if a := c.receive(t, "POST"); a.body != "hello" || a.get("Connection") == "close" {
			t.Fatalf("with %d bytes unread: %v", size, a)
		}
	}
	// Where bodies are taken in first, all of it would be: here the application has it as it comes.
	for _, coding := range []string{"Content-Length: 50000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n2faf080\r\n"} {
		c := dial(t, w.processes)
		sent, answered := make(chan error, 1), make(chan struct{})
		go func() {
			_, err := io.WriteString(c, "POST /shop/hello HTTP/1.1\r\nHost: x\r\n"+coding)
			for n := 0; err == nil && n < 50000000; n += 1 << 16 {
				if n == 1<<20 { // more of it could have the connection reset, and the answer with it
					<-answered
				}
				_, err = io.WriteString(c, strings.Repeat("x", 1<<16))
			}
			sent <- err
		}()
		a := c.receive(t, "POST")
		if a.body != "hello" {
			t.Errorf("with a long body unread: %v", a)
		}
		close(answered)
		if err := <-sent; err == nil || errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("all of a long body was taken that nobody reads, or nothing more of it: %v", err)
		}
		c.Close()
	}
}

func errorsAreLogged(t *testing.T, w *wsgi) {
	name := unique()
	if a := w.get(t, "/log?"+name); a.body != "told" {
		t.Errorf("%v", a)
	}
	for _, line := range []string{"written", "first", "second", "printed Grüße", "in pieces", "unended"} {
		w.logged(t, `(?m)^`+name+` `+line+`$`)
	}
}
