package conformance

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"gobridge/tests/server"
)

// send has the page send messages, written as Python literals, and returns the answer and
// what the page has noted of each.
func (a *asgi) send(t *testing.T, method, how string, messages ...string) (*answer, string) {
	t.Helper()
	name := unique() + how
	text := "[" + strings.Join(messages, ",") + "]"
	got := a.ask(t, method, "/sends?"+name, text)
	var notes string
	if err := server.Await(func() bool {
		notes = strings.ReplaceAll(strings.TrimSuffix(a.notes(t, name), "\n"), "\n", " ")
		return len(strings.Fields(notes)) >= len(messages) || how != "" && strings.HasSuffix(notes, "Error")
	}); err != nil {
		t.Fatalf("only %q was noted", notes)
	}
	return got, notes
}

// start and body are messages.
func start(more string) string { return "{'type': 'http.response.start', 'status': 200" + more + "}" }
func body(more string) string  { return "{'type': 'http.response.body'" + more + "}" }

func startStaysOpen(t *testing.T, a *asgi) {
	name, c := unique()+"late", dial(t, a.one)
	c.send(t, "GET /gated?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	a.awaitNotes(t, name, "started")
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if b, err := c.in.Peek(1); err == nil {
		t.Errorf("the head is out: %q", b)
	}
	a.open(t, name)
	name = unique()
	if got := a.ask(t, "GET", "/fails?"+name+"&started", ""); got.status != 500 || got.get("x-first") != "" || got.cut != nil || strings.Contains(got.body, name) {
		t.Errorf("before the first body: %v", got)
	}
	a.logged(t, `GET /fails\?`+name+`(?s:.*)Traceback(?s:.*)ValueError: `+name)
	for _, how := range []string{"cut", "counted"} {
		if got := a.ask(t, "GET", "/fails?"+name+how+"&"+how, ""); got.status != 200 || got.body != "out" || got.cut == nil {
			t.Errorf("after it, %s: %v", how, got)
		}
		a.logged(t, `GET /fails\?`+name+how+`(?s:.*)cut(?s:.*)ValueError: `+name+how)
	}
	if got := a.ask(t, "GET", "/fails?"+name+"done&done", ""); got.status != 200 || got.body != "out" || got.cut != nil {
		t.Errorf("after the last one: %v", got)
	}
	a.logged(t, `GET /fails\?`+name+`done(?s:.*)its answer was out(?s:.*)ValueError`)
}

func headersAreOptional(t *testing.T, a *asgi) {
	got, notes := a.send(t, "POST", "", start(""), body(", 'body': b'x'"))
	if got.status != 200 || got.body != "x" || notes != "sent sent" || got.get("Content-Length") != "1" || got.reason != "OK" {
		t.Errorf("%v, %s", got, notes)
	}
	for _, none := range []string{"[]", "()", "{}"} {
		if got, _ := a.send(t, "POST", "", start(", 'headers': "+none), body("")); got.status != 200 || got.body != "" {
			t.Errorf("%s: %v", none, got)
		}
	}
}

func asgiHeadersAreChecked(t *testing.T, a *asgi) {
	got, _ := a.send(t, "POST", "", start(", 'headers': [(b'X-Upper', b'A'), [b'x-list', b' b '], (b'set-cookie', b'1'), (b'set-cookie', b'2'), (b'x-latin', b'\\xe4')]"), body(""))
	if got.get("x-upper") != "A" || got.get("X-List") != "b" || got.get("set-cookie") != "1, 2" || got.get("x-latin") != "\xe4" {
		t.Errorf("%v", got)
	}
	for _, bad := range []string{
		`(b'x-a', b'1\r\nx-b: 2')`, `(b'x-a', b'1\n')`, `(b'x-a', b'1\x00')`, `(b'x-a\r\nx-b', b'1')`, `(b'x a', b'1')`, `(b'', b'1')`, `(b'x-a:', b'1')`,
		`('x-a', b'1')`, `(b'x-a', '1')`, `(b'x-a', None)`, `(b'x-a',)`, `(b'x-a', b'1', b'2')`, `b'xa'`, `7`, `(b'content-length', b'1, 1')`,
	} {
		got, notes := a.send(t, "POST", "raise", start(", 'headers': [(b'x-first', b'1'), "+bad+"]"))
		if got.status != 500 || got.get("x-a") != "" || got.get("x-b") != "" || got.get("x-first") != "" || !strings.HasSuffix(notes, "Error") {
			t.Errorf("%s: %v, %s", bad, got, notes)
		}
	}
}

func framingIsOurs(t *testing.T, a *asgi) {
	got, _ := a.send(t, "POST", "", start(", 'headers': [(b'transfer-encoding', b'chunked'), (b'connection', b'upgrade')]"), body(", 'body': b'x'"))
	if got.body != "x" || got.framing != counted || got.get("connection") != "close" {
		t.Errorf("%v", got)
	}
	a.mayClose(t)
	pieces := []string{start(""), body(", 'body': b'x', 'more_body': True"), body(", 'body': b'y'")}
	if got, _ := a.send(t, "POST", "", pieces...); got.body != "xy" || got.framing != chunked {
		t.Errorf("HTTP/1.1: %v", got)
	}
	c, text := dial(t, a.one), "["+strings.Join(pieces, ",")+"]"
	c.send(t, "POST /sends?%s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", unique(), len(text), text)
	if got := c.receive(t, "POST"); got.body != "xy" || got.framing != closing {
		t.Errorf("HTTP/1.0: %v", got)
	}
}

// mayClose: the application may have the connection closed.
func (a *asgi) mayClose(t *testing.T) {
	t.Helper()
	c, text := dial(t, a.one), "["+start(", 'headers': [(b'connection', b'Close')]")+","+body("")+"]"
	c.send(t, "POST /sends?%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", unique(), len(text), text)
	if got := c.receive(t, "POST"); got.status != 200 || got.get("connection") != "close" {
		t.Errorf("%v", got)
	}
	c.end(t)
}

func piecesFlow(t *testing.T, a *asgi) {
	if got, _ := a.send(t, "POST", "", start(""), body(", 'more_body': True"), body(", 'body': bytearray(b'x'), 'more_body': 1")[:0]+body(", 'body': b'x', 'more_body': 1"), body("")); got.body != "x" {
		t.Errorf("%v", got)
	}
	name, c := unique(), dial(t, a.one)
	c.send(t, "GET /gated?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	if _, err := c.head(); err != nil {
		t.Fatal(err)
	}
	if piece, err := c.chunk(); err != nil || piece != "one" { // while the application waits
		t.Fatalf("%q, %v", piece, err)
	}
	a.open(t, name)
	for _, want := range []string{"two", ""} {
		if piece, err := c.chunk(); err != nil || piece != want {
			t.Fatalf("%q, %v, want %q", piece, err, want)
		}
	}
	a.slowClient(t)
}

// slowClient takes nothing for a while: the application comes to a stop, and then sends all.
func (a *asgi) slowClient(t *testing.T) {
	name, c := unique(), dial(t, a.one)
	c.send(t, "GET /much?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	came, same := 0, 0
	err := server.Await(func() bool {
		now, _ := strconv.Atoi(strings.TrimSpace(a.notes(t, name)))
		if same++; now != came || now == 0 {
			came, same = now, 0
		}
		return same > 20
	})
	if err != nil || came >= 600 {
		t.Errorf("with a client that takes nothing %d of 600 pieces were sent", came)
	}
	if got := c.receive(t, "GET"); len(got.body) != 600*65536+3 || !strings.HasSuffix(got.body, "xend") || got.cut != nil {
		t.Errorf("%v", got)
	}
}

func asgiLengthIsKept(t *testing.T, a *asgi) {
	for _, c := range []struct{ messages, sent string }{
		{body(", 'body': b'1234'"), ""},
		{body(", 'body': b'123456'"), ""},
		{body(", 'body': b'123', 'more_body': True") + "," + body(", 'body': b'1'"), "123"},
		{body(", 'body': b'123', 'more_body': True") + "," + body(", 'body': b'123'"), "123"},
		{body(", 'body': b'12345', 'more_body': True") + "," + body(", 'body': b'x', 'more_body': True"), "12345"},
	} {
		got, notes := a.send(t, "POST", "raise", start(", 'headers': [(b'content-length', b'5')]"), c.messages)
		switch {
		case !strings.HasSuffix(notes, "RuntimeError"):
			t.Errorf("%s: %s", c.messages, notes)
		case c.sent == "" && got.status != 500:
			t.Errorf("%s: %v", c.messages, got)
		case c.sent != "" && (got.body != c.sent || (got.cut == nil) != (len(c.sent) == 5)):
			t.Errorf("%s: %v", c.messages, got)
		}
	}
	if got, _ := a.send(t, "POST", "", start(", 'headers': [(b'Content-Length', b'5')]"), body(", 'body': b'12345'")); got.body != "12345" || len(got.all("content-length")) != 1 {
		t.Errorf("%v", got)
	}
}

func asgiNoBody(t *testing.T, a *asgi) {
	if got, notes := a.send(t, "HEAD", "", start(", 'headers': [(b'content-length', b'5')]"), body(", 'body': b'12345'")); got.get("Content-Length") != "5" || notes != "sent sent" {
		t.Errorf("%v, %s", got, notes)
	}
	const twice = ", 'headers': [(b'content-length', b'5'), (b'Content-Length', b'5')]"
	if got, _ := a.send(t, "POST", "", start(twice), body(", 'body': b'12345'")); got.status != 200 || got.body != "12345" || len(got.all("content-length")) != 1 {
		t.Errorf("a length that is said twice: %v", got)
	}
	if got, notes := a.send(t, "POST", "raise", start(strings.Replace(twice, "5')]", "6')]", 1))); got.status != 500 || !strings.HasSuffix(notes, "Error") {
		t.Errorf("two lengths: %v, %s", got, notes)
	}
	if got, _ := a.send(t, "HEAD", "", start(""), body(", 'body': b'123456'")); got.get("Content-Length") != "6" {
		t.Errorf("%v", got)
	}
	for _, status := range []string{"204", "304"} {
		got, notes := a.send(t, "POST", "", "{'type': 'http.response.start', 'status': "+status+"}", body(", 'body': b'x', 'more_body': True"), body(", 'body': b'y'"))
		if strconv.Itoa(got.status) != status || got.body != "" || got.get("Content-Length") != "" || notes != "sent sent sent" {
			t.Errorf("%v, %s", got, notes)
		}
	}
	c := dial(t, a.one) // the connection goes on
	for range 3 {
		c.send(t, "HEAD /life HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := c.receive(t, "HEAD"); got.status != 200 {
			t.Errorf("%v", got)
		}
	}
}

func wrongMessagesRaise(t *testing.T, a *asgi) {
	good := start(", 'headers': [], 'unknown': 1")
	for _, wrong := range []string{
		body(""), body(", 'body': b'x'"), "{'type': 'http.response.begin'}", "{'type': 'http.request'}", "{'status': 200}", "{'type': None}", "{'type': b'http.response.start'}",
		"None", "[]", "'text'", "{'type': 'http.response.start'}", "{'type': 'http.response.start', 'status': '200'}", "{'type': 'http.response.start', 'status': None}",
		"{'type': 'http.response.start', 'status': 100}", "{'type': 'http.response.start', 'status': 1000}", "{'type': 'http.response.start', 'status': -1}",
		start(", 'headers': 7"), start(", 'headers': 'text'"), "{'type': 'http.response.trailers'}",
	} {
		got, notes := a.send(t, "POST", "", wrong, good, body(", 'body': b'x', 'unknown': 2"))
		if first, rest, _ := strings.Cut(notes, " "); !strings.HasSuffix(first, "Error") || rest != "sent sent" || got.body != "x" || got.status != 200 {
			t.Errorf("%s: %s, %v", wrong, notes, got)
		}
	}
	for _, wrong := range []string{good, body(", 'body': 'text'"), body(", 'body': 7"), body(", 'body': None"), body(", 'body': [1, 2]")} {
		got, notes := a.send(t, "POST", "", good, wrong, body(", 'body': b'x'"))
		if fields := strings.Fields(notes); len(fields) != 3 || !strings.HasSuffix(fields[1], "Error") || fields[2] != "sent" || got.body != "x" {
			t.Errorf("%s: %s, %v", wrong, notes, got)
		}
	}
}

func endIsTheEnd(t *testing.T, a *asgi) {
	got, notes := a.send(t, "POST", "", start(""), body(", 'body': b'x'"), body(", 'body': b'y'"), start(""))
	if got.body != "x" || notes != "sent sent RuntimeError RuntimeError" {
		t.Errorf("%v, %s", got, notes)
	}
	for how, more := range map[string]string{"nothing": `\. If it was to be a file, .* see --pathsend`, "started": ""} {
		name := unique()
		if got := a.ask(t, "GET", "/returns?"+name+"&"+how, ""); got.status != 500 || got.get("x-first") != "" || got.cut != nil {
			t.Errorf("%s: %v", how, got)
		}
		a.logged(t, `GET /returns\?`+name+`.*before its response was complete; the client gets 500`+more+`\n`)
	}
	if got := a.ask(t, "GET", "/returns?"+unique()+"&cut", ""); got.status != 200 || got.body != "out" || got.cut == nil {
		t.Errorf("cut: %v", got)
	}
}

func unawaitedIsSent(t *testing.T, a *asgi) {
	if got := a.get(t, "/unawaited"); got.body != strings.Repeat("u", 1000000) {
		t.Errorf("%v", got)
	}
}

func endingsAreBorne(t *testing.T, a *asgi) {
	before := a.get(t, "/life").body
	for how, logged := range map[string]string{"exit": "SystemExit", "interrupt": "KeyboardInterrupt", "cancel": "CancelledError"} {
		name := unique()
		if got := a.ask(t, "GET", "/fails?"+name+"&"+how, ""); got.status != 500 || got.cut != nil {
			t.Errorf("%s: %v", how, got)
		}
		a.logged(t, fmt.Sprintf(`GET /fails\?%s(?s:.*)%s`, name, logged))
	}
	if after := a.get(t, "/life").body; after != before {
		t.Errorf("the worker was %s and is %s", before, after)
	}
}
