package conformance

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func writePrecedes(t *testing.T, w *wsgi) {
	name, c := unique(), dial(t, w.threads)
	c.send(t, "GET /writes?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	if _, err := c.head(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one ", "two "} { // while the iterable waits
		if piece, err := c.chunk(); err != nil || piece != want {
			t.Fatalf("%q, %v, want %q", piece, err, want)
		}
	}
	w.open(t, name)
	for _, want := range []string{"three", ""} {
		if piece, err := c.chunk(); err != nil || piece != want {
			t.Fatalf("%q, %v, want %q", piece, err, want)
		}
	}
}

func startTwice(t *testing.T, w *wsgi) {
	if a := w.get(t, "/twice"); a.body != "AssertionError" || a.get("X-First") != "1" || a.get("X-Second") != "" {
		t.Errorf("caught: %v", a)
	}
	if a := w.ask(t, "GET", "/twice_raising", ""); a.status != 500 || a.get("X-First") != "" {
		t.Errorf("not caught: %v", a)
	}
	if a := w.ask(t, "GET", "/replaced", ""); a.status != 503 || a.reason != "Replaced" || a.body != "replaced" || a.get("X-First") != "" || a.get("X-Second") != "2" {
		t.Errorf("replaced: %v", a)
	}
	name := unique()
	if a := w.ask(t, "GET", "/too_late?"+name, ""); a.status != 200 || a.body != "out" || a.cut == nil {
		t.Errorf("too late: %v", a)
	}
	if n := w.notes(t, name); n != "raised again: True\n" {
		t.Errorf("too late: %q", n)
	}
	w.logged(t, `GET /too_late\?`+name+`(?s:.*)KeyError: 'too late'`)
}

func startLazily(t *testing.T, w *wsgi) {
	for _, page := range []string{"/lazy", "/Lazy"} {
		if a := w.get(t, page); a.body != "lazy" || a.get("X-Lazy") != "yes" {
			t.Errorf("%s: %v", page, a)
		}
	}
}

func startNever(t *testing.T, w *wsgi) {
	for _, body := range []string{"list", "generator", "nothing", "empty"} {
		if a := w.ask(t, "GET", "/never?"+body, ""); a.status != 500 || a.cut != nil {
			t.Errorf("%s: %v", body, a)
		}
		w.logged(t, `GET /never\?`+body+`(?s:.*)start_response`)
	}
}

func headStaysOpen(t *testing.T, w *wsgi) {
	name, c := unique(), dial(t, w.threads)
	c.send(t, "GET /open_head?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	w.awaitNote(t, name, "empty pieces")
	w.open(t, name)
	a := c.receive(t, "GET")
	if a.status != 502 || a.body != "body" || a.get("X-First") != "" || a.get("X-Second") != "2" || len(a.chunks) != 1 {
		t.Errorf("%v", a)
	}
}

// head asks for an answer with this status and these headers; each is a pair, or anything
// else that is no header.
func (w *wsgi) head(t *testing.T, status string, headers ...any) *answer {
	t.Helper()
	text, err := json.Marshal([]any{status, append([]any{}, headers...)})
	if err != nil {
		t.Fatal(err)
	}
	return w.ask(t, "GET", "/head?"+url.PathEscape(string(text)), "")
}

func statusIsChecked(t *testing.T, w *wsgi) {
	for status, want := range map[string]int{"200 OK": 200, "299 Any Reason: at (all)": 299, "404 ": 404, "599 x": 599, "999 \u00e4": 999} {
		a := w.head(t, status)
		reason, _ := strings.CutPrefix(status, status[:4])
		if a.status != want || reason != "" && a.reason != strings.ReplaceAll(reason, "\u00e4", "\xe4") {
			t.Errorf("%q: %v", status, a)
		}
	}
	for _, status := range []string{
		"", "200", "OK", "20 OK", "2000 OK", "200\tOK", "+20 OK", "100 Continue", "101 Switching Protocols", "103 Early Hints", "099 x",
		"200 OK\r\nSet-Cookie: a=b", "200 O\nK", "200 O\x00K", "200 \u20ac", " 200 OK", "20a OK",
	} {
		if a := w.head(t, status); a.status != 500 || a.reason != "Internal Server Error" || a.get("Set-Cookie") != "" {
			t.Errorf("%q: %v", status, a)
		}
	}
}

func headersAreChecked(t *testing.T, w *wsgi) {
	type pair = [2]string
	a := w.head(t, "200 OK", pair{"X-Latin", "\u00e4\u00ff"}, pair{"x-empty", ""}, pair{"X-Space", "  a b\t"}, pair{"!#$%&'*+-.^_`|~9", "token"})
	if a.get("X-Latin") != "\xe4\xff" || len(a.all("x-empty")) != 1 || a.get("X-Space") != "a b" || a.get("!#$%&'*+-.^_`|~9") != "token" {
		t.Errorf("%v", a)
	}
	for _, header := range []any{
		pair{"A", "b\r\nSet-Cookie: c=d"}, pair{"A\r\nSet-Cookie", "c"}, pair{"A", "b\n"}, pair{"A", "\rb"}, pair{"A", "b\x00"}, pair{"A", "b\x7f"},
		pair{"", "b"}, pair{"A B", "c"}, pair{"A:", "c"}, pair{"\u00e4", "c"}, pair{"A", "\u20ac"}, []string{"A"}, []string{"A", "b", "c"},
		"AB", nil, 5, pair{"Content-Length", "x"}, pair{"Content-Length", "-1"}, pair{"Content-Length", "4, 4"},
	} {
		if a := w.head(t, "200 OK", header); a.status != 500 || len(a.all("Set-Cookie")) > 0 {
			t.Errorf("%q: %v", header, a)
		}
	}
	if a := w.head(t, "200 OK", pair{"Content-Length", "4"}, pair{"Content-Length", "5"}); a.status != 500 {
		t.Errorf("two lengths: %v", a)
	}
	if a := w.head(t, "200 OK", pair{"Content-Length", "4"}, pair{"content-length", "4"}); a.status != 200 || a.body != "body" || len(a.all("Content-Length")) != 1 {
		t.Errorf("a length that is said twice: %v", a)
	}
	a = w.head(t, "200 OK", pair{"Connection", "upgrade"}, pair{"Upgrade", "x"}, pair{"Keep-Alive", "x"}, pair{"TE", "x"}, pair{"Trailer", "x"},
		pair{"Transfer-Encoding", "gzip"}, pair{"Proxy-Authenticate", "x"}, pair{"Proxy-Authorization", "x"}, pair{"X-Kept", "yes"})
	if a.status != 200 || a.body != "body" || a.framing != counted || a.get("Connection") != "close" || a.get("X-Kept") != "yes" {
		t.Errorf("hop-by-hop: %v", a)
	}
	for _, name := range []string{"Upgrade", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Proxy-Authenticate", "Proxy-Authorization"} {
		if len(a.all(name)) > 0 {
			t.Errorf("%s went out: %v", name, a)
		}
	}
	want := "TypeError TypeError TypeError TypeError TypeError TypeError TypeError TypeError TypeError TypeError TypeError TypeError"
	if got := w.get(t, "/tells").body; got != want {
		t.Errorf("start_response raises %s", got)
	}
}

func cookiesAreKept(t *testing.T, w *wsgi) {
	type pair = [2]string
	a := w.head(t, "200 OK", pair{"Set-Cookie", "b=1; Path=/"}, pair{"X-Between", "1"}, pair{"Set-Cookie", "a=2"}, pair{"set-cookie", "b=3"}, pair{"X-Between", "2"})
	if got := a.all("Set-Cookie"); !slices.Equal(got, []string{"b=1; Path=/", "a=2", "b=3"}) {
		t.Errorf("cookies: %q", got)
	}
	var order []string
	for _, f := range a.fields[:5] {
		order = append(order, f.name)
	}
	if !slices.Equal(order, []string{"Set-Cookie", "X-Between", "Set-Cookie", "set-cookie", "X-Between"}) {
		t.Errorf("order: %q", order)
	}
}

func lengthIsAdded(t *testing.T, w *wsgi) {
	for _, body := range []string{"list", "tuple"} {
		if a := w.get(t, "/returns?"+body); a.framing != counted || a.body != "hello" || a.get("Content-Length") != "5" {
			t.Errorf("%s: %v", body, a)
		}
	}
	for _, body := range []string{"nothing", "empty"} {
		if a := w.get(t, "/returns?"+body); a.framing != counted || a.body != "" {
			t.Errorf("%s: %v", body, a)
		}
	}
	for _, body := range []string{"many", "generator", "iterator", "set"} {
		if a := w.get(t, "/returns?"+body); a.body != "hello" || a.framing == closing {
			t.Errorf("%s: %v", body, a)
		}
	}
}

func lengthIsKept(t *testing.T, w *wsgi) {
	name, c := unique(), dial(t, w.threads)
	for range 2 { // the connection stays good
		c.send(t, "GET /lengths?7,abc,defghij,klm&%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
		if a := c.receive(t, "GET"); a.body != "abcdefg" || a.cut != nil {
			t.Errorf("over-long: %v", a)
		}
	}
	w.logged(t, `/lengths\?7\S*`+name+`.*longer`)
	name = unique()
	for _, pieces := range []string{"7,abc", "7"} {
		if a := w.ask(t, "GET", "/lengths?"+pieces+"&"+name, ""); a.cut == nil && a.status != 500 {
			t.Errorf("short: %v", a)
		}
		w.logged(t, `/lengths\?`+pieces+`&`+name+`.*Content-Length`)
	}
}

func noBodyWhereNone(t *testing.T, w *wsgi) {
	c := dial(t, w.threads)
	for _, one := range []struct{ method, target, length string }{
		{"HEAD", "/status?200,", "6"}, {"HEAD", "/status?200,1234", "1234"}, {"HEAD", "/returns?generator", ""},
		{"GET", "/status?204,", ""}, {"GET", "/status?204,6", ""}, {"GET", "/status?304,", ""}, {"GET", "/status?304,6", "6"},
		{"HEAD", "/status?304,6", "6"}, {"GET", "/status?205,", "6"}, {"GET", "/status?200,6", "6"},
	} {
		c.send(t, "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", one.method, one.target)
		a := c.receive(t, one.method) // a body would be taken for the next answer
		if a.cut != nil || a.get("Content-Length") != one.length || a.get("Transfer-Encoding") != "" && one.length != "" {
			t.Errorf("%s %s: %v, want a length of %q", one.method, one.target, a, one.length)
		}
		if strings.HasPrefix(one.target, "/status") && a.get("X-Kept") != "yes" {
			t.Errorf("%s %s has lost its header: %v", one.method, one.target, a)
		}
	}
}

func oldClients(t *testing.T, w *wsgi) {
	for _, more := range []string{"", "Connection: keep-alive\r\n", "Connection: close\r\n"} {
		c := dial(t, w.threads)
		c.send(t, "GET /returns?many HTTP/1.0\r\n%s\r\n", more)
		if a := c.receive(t, "GET"); a.framing != closing || a.body != "hello" || a.cut != nil || a.get("Transfer-Encoding") != "" {
			t.Errorf("without a length, %q: %v", more, a)
		}
	}
	c := dial(t, w.threads)
	for i := range 3 {
		c.send(t, "GET /returns?list HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
		if a := c.receive(t, "GET"); a.framing != counted || a.body != "hello" || !strings.EqualFold(a.get("Connection"), "keep-alive") {
			t.Errorf("request %d that keeps the connection: %v", i, a)
		}
	}
	c.send(t, "GET /returns?list HTTP/1.0\r\n\r\n")
	if a := c.receive(t, "GET"); a.body != "hello" {
		t.Errorf("%v", a)
	}
	c.end(t)
	if a := w.ask(t, "GET", "/returns?list", ""); a.version != "HTTP/1.1" {
		t.Errorf("%v", a)
	}
}

func piecesAreSentAtOnce(t *testing.T, w *wsgi) {
	name, c := unique(), dial(t, w.threads)
	c.send(t, "GET /stepped?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	if _, err := c.head(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"one", "two", "three", ""} {
		if piece, err := c.chunk(); err != nil || piece != want {
			t.Fatalf("%q, %v, want %q", piece, err, want)
		}
		if i < 2 {
			w.open(t, fmt.Sprintf("%s%d", name, i+1))
		}
	}
}

func closeIsCalledOnce(t *testing.T, w *wsgi) {
	for _, how := range []string{"normal", "empty", "head", "nothing", "first", "later", "text", "unstarted", "long", "short"} {
		name, method := how+"&"+unique(), "GET"
		if how == "head" {
			method = "HEAD"
		}
		w.ask(t, method, "/closes?"+name, "")
		w.awaitNote(t, name, "closed")
		if n := w.notes(t, name); n != "closed\n" {
			t.Errorf("%s: %q", how, n)
		}
	}
	name, c := "gone&"+unique(), dial(t, w.threads)
	c.send(t, "GET /closes?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	if _, err := c.head(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.chunk(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	w.awaitNote(t, name, "closed")
	if n := w.notes(t, name); n != "closed\n" {
		t.Errorf("client gone: %q", n)
	}
	if a := w.ask(t, "GET", "/close_fails", ""); a.status != 200 || a.body != "whole" {
		t.Errorf("a close that fails: %v", a)
	}
	w.logged(t, "ZeroDivisionError")
}
