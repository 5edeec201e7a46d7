package conformance

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// pepChecks are what PEP 3333 says, and what applications rely on, that the table of WSGI
// does not name. They ask the same servers.
var pepChecks = []check[*wsgi]{
	{"wsgiref.validate is content around an application that uses all of it", validatorIsContent},
	{"wsgi.early_hints: 103 at once, on HTTP/1.1 only, checked like headers, without effect when it is too late", hintsAreSent},
	{"anything iterable is a body; what was returned is closed, not its iterator", iterablesAreBodies},
	{"the URL can be put together from environ", urlIsTold},
	{"objects of a request belong to no other one", objectsAreOwn},
	{"subclasses of str, bytes, list will do", subclassesWillDo},
	{"exc_info at the first call; None is none; after write() it is raised again", excInfoIsTaken},
	{"Date and Server of the application's stay its own; names keep their case", ownHeadersAreKept},
	{"a body read in part, also after the answer began, leaves the next request alone", partIsRead},
	{"print, logging and traceback reach the log or standard output", streamsAreOpen},
	{"what fails in close(), or cannot be printed, is logged and ends no worker", closeMayFail},
	{"wsgi.file_wrapper behind write(), in a middleware, never returned, begun", wrapperIsAnIterable},
	{"900 headers, one of 60 kB, a piece of 8 MiB", largeIsSent},
	{"OPTIONS *, absolute targets, odd methods and names", oddRequests},
}

func hintsAreSent(t *testing.T, w *wsgi) {
	a := w.get(t, "/hints")
	if len(a.early) != 2 || a.body != "hinted" || len(a.all("Link")) != 1 {
		t.Fatalf("%v after %v", a, a.early)
	}
	for i, want := range [][]string{{"</style.css>; rel=preload; as=style", "</app.js>; rel=preload; as=script"}, {"</late.css>; rel=preload; as=style"}} {
		early := a.early[i]
		if early.status != 103 || early.reason != "Early Hints" || len(early.fields) != len(want) || !slices.Equal(early.all("Link"), want) {
			t.Errorf("%v, want the links %q", early, want)
		}
	}
	name, c := unique(), dial(t, w.threads)
	c.send(t, "GET /hints_first?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	if a, err := c.head(); err != nil || a.status != 103 { // while the application computes
		t.Fatalf("%v, %v", a, err)
	}
	w.open(t, name)
	if a := c.receive(t, "GET"); a.status != 200 || a.body != "computed" {
		t.Errorf("%v", a)
	}
	c.send(t, "GET /hints HTTP/1.0\r\n\r\n")
	if a := c.receive(t, "GET"); len(a.early) > 0 || a.body != "hinted" {
		t.Errorf("HTTP/1.0: %v after %v", a, a.early)
	}
	want := "ValueError ValueError ValueError ValueError TypeError TypeError TypeError TypeError TypeError"
	if a := w.get(t, "/hints_refused"); a.body != want || len(a.early) > 0 {
		t.Errorf("%v after %v", a, a.early)
	}
}

func iterablesAreBodies(t *testing.T, w *wsgi) {
	for _, kind := range []string{"indexed", "lying", "another", "derived", "text", "map", "unready"} {
		name, status := kind+"&"+unique(), 200
		if kind == "text" || kind == "unready" { // the items of a dict of str, no iterator
			status = 500
		}
		a := w.ask(t, "GET", "/iterables?"+name, "")
		if a.status != status || status == 200 && a.body != "hello" || a.cut != nil {
			t.Errorf("%s: %v", kind, a)
		}
		if kind == "another" || kind == "derived" || kind == "unready" {
			w.awaitNote(t, name, "closed")
			if n := w.notes(t, name); n != "closed\n" {
				t.Errorf("%s: %q", kind, n)
			}
		}
	}
	name, c := unique(), dial(t, w.threads)
	c.send(t, "GET /generator?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	if _, err := c.head(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	w.awaitNote(t, name, "finally")
}

func urlIsTold(t *testing.T, w *wsgi) {
	address := w.threads.Address()
	for _, one := range []struct{ request, want string }{
		{"GET /url?a=b%20c HTTP/1.1\r\nHost: example.org\r\n", "http://example.org/url?a=b%20c"},
		{"GET /url HTTP/1.1\r\nHost: example.org:81\r\nX-Forwarded-Proto: https\r\n", "https://example.org:81/url"},
		{"GET /url HTTP/1.0\r\n", "http://" + address + "/url"},
		{"GET http://example.org/url?x HTTP/1.1\r\nHost: example.org\r\n", "http://example.org/url?x"},
	} {
		c := dial(t, w.threads)
		c.send(t, "%s\r\n", one.request)
		if a := c.receive(t, "GET"); a.body != one.want {
			t.Errorf("%q: %v, want %q", one.request, a, one.want)
		}
	}
	if a := askServer(t, w.processes, "GET", "/shop/url", ""); a.body != "http://x/shop/url" {
		t.Errorf("%v", a)
	}
}

func objectsAreOwn(t *testing.T, w *wsgi) {
	c := dial(t, w.threads) // of two threads one may have kept them, and the other use them
	for range 4 {
		for page, want := range map[string]string{"/keeps": "kept", "/uses": strings.TrimSuffix(strings.Repeat("this request is over\n", 4), "\n")} {
			if page == "/uses" {
				c.send(t, "GET /keeps HTTP/1.1\r\nHost: x\r\n\r\n")
				c.receive(t, "GET")
			}
			c.send(t, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", page)
			if a := c.receive(t, "GET"); a.body != want {
				t.Errorf("%s: %v", page, a)
			}
		}
	}
}

func subclassesWillDo(t *testing.T, w *wsgi) {
	if a := w.ask(t, "GET", "/derived", ""); a.status != 201 || a.reason != "Derived" || a.get("X-Text") != "text" || a.body != "data" {
		t.Errorf("%v", a)
	}
}

func excInfoIsTaken(t *testing.T, w *wsgi) {
	name := unique()
	if a := w.ask(t, "GET", "/first_exc_info?"+name, ""); a.status != 503 || a.get("X-First") != "1" || a.body != "first" {
		t.Errorf("%v", a)
	}
	if n := w.notes(t, name); n != "AssertionError\n" {
		t.Errorf("the second call with None: %q", n)
	}
	name = unique()
	if a := w.ask(t, "GET", "/exc_info_after_write?"+name, ""); a.status != 200 || a.body != "out" || a.cut == nil {
		t.Errorf("%v", a)
	}
	w.logged(t, name+`(?s:.*)KeyError: 'late'`)
}

func ownHeadersAreKept(t *testing.T, w *wsgi) {
	a := w.get(t, "/own")
	if !slices.Equal(a.all("Date"), []string{"Thu, 01 Jan 1970 00:00:00 GMT"}) || !slices.Equal(a.all("Server"), []string{"own"}) {
		t.Errorf("%v", a)
	}
	if !slices.Contains(a.fields, field{"x-MiXed", "Case"}) || !slices.Contains(a.fields, field{"SERVER", "own"}) {
		t.Errorf("%v", a)
	}
	if a := w.get(t, "/hello"); len(a.all("Date")) != 1 || len(a.all("Server")) != 1 {
		t.Errorf("%v", a)
	}
}

func partIsRead(t *testing.T, w *wsgi) {
	c := dial(t, w.threads)
	text := "one\ntwo\nthree\n" + strings.Repeat("four\n", 5000)
	for _, body := range []string{
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(text), text),
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 8, text[:8]),
	} {
		c.send(t, "POST /one_line HTTP/1.1\r\nHost: x\r\n%sGET /hello HTTP/1.1\r\nHost: x\r\n\r\n", body)
		if a := c.receive(t, "POST"); a.body != "one\ntwo\n" || a.cut != nil {
			t.Fatalf("%v", a)
		}
		if a := c.receive(t, "GET"); a.body != "hello" {
			t.Errorf("the request behind it: %v", a)
		}
	}
}

func streamsAreOpen(t *testing.T, w *wsgi) {
	name := unique()
	w.get(t, "/streams?"+name)
	w.logged(t, "(?m)^"+name+" to stderr$")
	w.logged(t, "(?m)^"+name+" by logging$")
	w.logged(t, "(?m)^KeyError: '"+name+"'$")
	if err := server.Await(func() bool { return strings.Contains(w.threads.Output(), name+" printed\n") }); err != nil {
		t.Errorf("standard output lacks what was printed:\n%s", w.threads.Output())
	}
}

func closeMayFail(t *testing.T, w *wsgi) {
	pid := w.get(t, "/pid").body
	for how, logged := range map[string]string{"error": "ValueError", "exit": "SystemExit", "interrupt": "KeyboardInterrupt"} {
		name := unique()
		if a := w.ask(t, "GET", "/close_raises?"+name+"&"+how, ""); a.status != 200 || a.body != "whole" || a.cut != nil {
			t.Errorf("%s: %v", how, a)
		}
		w.logged(t, `GET /close_raises\?`+name+`.*close\(\)(?s:.*)`+logged+": "+name)
	}
	if a := w.ask(t, "GET", "/unspeakable", ""); a.status != 500 {
		t.Errorf("%v", a)
	}
	w.logged(t, "GET /unspeakable(?s:.*)Unspeakable")
	if again := w.get(t, "/pid").body; again != pid {
		t.Error("the worker is another one")
	}
	together(t, w.threads)
}

func wrapperIsAnIterable(t *testing.T, w *wsgi) {
	content := strings.Repeat("0123456789", 20000)
	for how, want := range map[string]string{
		"written": "before:" + content, "middleware": strings.ReplaceAll(content, "0", "x"), "instead": "instead",
		"begun": content[1000:], "is%20a%20type": "", "keywords": content,
	} {
		if a := w.get(t, "/wrapped?"+how); want != "" && a.body != want {
			t.Errorf("%s: %v", how, a)
		}
	}
}

func largeIsSent(t *testing.T, w *wsgi) {
	a := w.get(t, "/large")
	if len(a.body) != 8<<20 || a.body[:16] != "0123456789abcdef" || len(a.get("X-Long")) != 60000 || a.get("X-899") != "899" {
		t.Errorf("%v", a)
	}
}

func oddRequests(t *testing.T, w *wsgi) {
	for _, one := range []struct {
		line string
		want map[string]string
	}{
		{"OPTIONS * HTTP/1.1", map[string]string{"REQUEST_METHOD": "OPTIONS", "REQUEST_URI": "*", "SCRIPT_NAME": "", "PATH_INFO": ""}},
		{"GET http://x/a%20b?c HTTP/1.1", map[string]string{"PATH_INFO": "/a b", "QUERY_STRING": "c", "HTTP_HOST": "x"}},
		{"GET http://x HTTP/1.1", map[string]string{"PATH_INFO": "/", "QUERY_STRING": ""}},
		{"get / HTTP/1.1", map[string]string{"REQUEST_METHOD": "get"}},
		{"M-SEARCH / HTTP/1.1", map[string]string{"REQUEST_METHOD": "M-SEARCH"}},
	} {
		c := dial(t, w.threads)
		c.send(t, "%s\r\nHost: x\r\nRemote-User: root\r\nWsgi.Input: x\r\nPath-Info: /evil\r\n\r\n", one.line)
		s := c.receive(t, "GET").seen(t)
		s.want(t, one.want)
		s.want(t, map[string]string{"HTTP_REMOTE_USER": "root", "HTTP_WSGI.INPUT": "x", "HTTP_PATH_INFO": "/evil", "SERVER_SOFTWARE": "gobridge"})
		s.lack(t, "REMOTE_USER")
	}
}

func validatorIsContent(t *testing.T, w *wsgi) {
	const size = 1 << 20
	body := "abcdefg\nhi\njklmnop\nqrs\ntuv\nwxyz"
	large := strings.Repeat("0123456789abcdef", size/16)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/hello", "", 200, "hello"},
		{"GET", "/nothing", "", 204, ""},
		{"POST", "/readers", body, 200, `[b'abcde', b'fg\n', b'hi\n', b'jklmnop\n', b'qrs\n', b'tuv\nwxyz', b'']`},
		{"POST", "/upload", large, 200, fmt.Sprintf("%d %x", size, sha256.Sum256([]byte(large)))},
		{"GET", "/writes", "", 200, "one two three"},
		{"GET", "/late", "", 200, "late"},
		{"GET", "/changed", "", 500, "changed"},
		{"GET", fmt.Sprintf("/big?size=%d", size), "", 200, large},
		{"GET", "/errors", "", 200, "told"},
		{"GET", "/caf%C3%A9/a%2Fb?x=%20%zz", "", 200, "/café/a/b x=%20%zz"},
		{"PURGE", "/hello", "", 200, "hello"},
	} {
		for _, method := range []string{c.method, "HEAD"} {
			if method == "HEAD" && c.method != "GET" {
				continue
			}
			want := c.want
			if method == "HEAD" {
				want = ""
			}
			a := w.ask(t, method, "/validated"+c.path, c.body)
			if a.status != c.status || a.body != want || a.cut != nil || a.get("X-First") != "" {
				t.Errorf("%s %s: %v, want %d %.300q", method, c.path, a, c.status, want)
			}
		}
	}
	for _, name := range []string{"late", "changed", "big"} { // once by GET, once by HEAD
		closed := func() int { return strings.Count(w.notes(t, "validated"), name+"\n") }
		// A client that knows the length has its answer before close() is called.
		if err := server.Await(func() bool { return closed() >= 2 }); err != nil || closed() != 2 {
			t.Errorf("close was called %d times for %q, want 2", closed(), name)
		}
	}
	w.logged(t, "written to wsgi.errors: Grüße\none line\nanother line\n")
	for _, complaint := range []string{`validate.py", line`, "without being closed"} {
		if log := w.threads.Log(); strings.Contains(log, complaint) {
			t.Errorf("the validator complains: %q", complaint)
		}
	}
}
