package conformance

import (
	"fmt"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// scopeExtensions: what is announced is what this client can be sent.
func scopeExtensions(t *testing.T, a *asgi) {
	const always, hints = "http.response.pathsend:map[] ", "http.response.early_hint:map[] "
	const last = "http.response.zerocopysend:map[]"
	want := func(scope map[string]value, extensions string) {
		t.Helper()
		wantScope(t, a.withoutTLS(t, scope), map[string]string{"extensions": "map[" + extensions + "]"})
	}
	want(a.get(t, "/scope").scope(t), hints+always+last)
	c := dial(t, a.one)
	c.send(t, "GET /scope HTTP/1.1\r\nHost: x\r\nTE: deflate, trailers\r\nConnection: TE\r\n\r\n")
	want(c.receive(t, "GET").scope(t), hints+always+"http.response.trailers:map[] "+last)
	c.send(t, "GET /scope HTTP/1.0\r\nTE: trailers\r\n\r\n")
	want(c.receive(t, "GET").scope(t), always+last)
}

// withoutTLS wants the extension tls to be there where the connection is encrypted, and takes it out.
// What it has is for TestHTTPS.
func (a *asgi) withoutTLS(t *testing.T, scope map[string]value) map[string]value {
	t.Helper()
	extensions := scope["extensions"].is.(map[string]value)
	if _, there := extensions["tls"]; there != a.encrypted {
		t.Errorf("is the connection encrypted? %v. %v", a.encrypted, extensions)
	}
	delete(extensions, "tls")
	return scope
}

func pathIsSent(t *testing.T, a *asgi) {
	for _, size := range []int{0, 1, 50000, 200000, len(content)} {
		for _, method := range []string{"GET", "HEAD"} {
			want := content[:size]
			if method == "HEAD" {
				want = ""
			}
			got := a.ask(t, method, fmt.Sprintf("/path?whole-%d&%s", size, unique()), "")
			if got.status != 200 || got.body != want || got.cut != nil || size > 0 && got.get("Content-Length") != fmt.Sprint(size) {
				t.Errorf("%s %d bytes: %v", method, size, got)
			}
		}
	}
	if got := a.get(t, "/path?length-600000&"+unique()); got.body != content[:1000] {
		t.Errorf("a file that has grown: %v", got)
	}
	if got := a.ask(t, "GET", "/path?length-500&"+unique(), ""); got.status != 500 {
		t.Errorf("a file that has shrunk: %v", got)
	}
	for kind, want := range map[string]string{
		"missing": "FileNotFoundError", "folder": "IsADirectoryError", "fifo": "OSError", "device": "OSError", "relative": "ValueError",
		"bytes": "TypeError", "nul": "ValueError", "none": "TypeError",
	} {
		if got := a.get(t, "/wrong_path?"+kind+"&"+unique()).body; got != want {
			t.Errorf("%s raises %s, want %s", kind, got, want)
		}
	}
	a.pathIsTheBody(t)
}

// pathIsTheBody: a path is sent once, behind the start, with nothing else of the body.
func (a *asgi) pathIsTheBody(t *testing.T) {
	t.Helper()
	file := "{'type': 'http.response.pathsend', 'path': '/etc/passwd'}"
	for _, c := range []struct {
		messages []string
		notes    string
	}{
		{[]string{file, start(""), file, file, body("")}, "RuntimeError sent sent RuntimeError RuntimeError"},
		{[]string{start(""), body(", 'more_body': True"), file, body("")}, "sent sent RuntimeError sent"},
		{[]string{start(""), "{'type': 'http.response.pathsend'}", body("")}, "sent KeyError sent"},
	} {
		if got, notes := a.send(t, "POST", "", c.messages...); notes != c.notes || got.cut != nil {
			t.Errorf("%v: %s, want %s (%v)", c.messages, notes, c.notes, got)
		}
	}
}

func filesAreMixed(t *testing.T, a *asgi) {
	before := a.tasks(t)
	want := "<" + content[1000:301000] + "|" + content[7:27] + content[10:200010] + content[200010:] + content[599990:] + ">"
	if got := a.get(t, "/zerocopy"); got.body != want || got.framing != chunked {
		t.Errorf("%d bytes, want %d: %v", len(got.body), len(want), got)
	}
	if got := a.ask(t, "HEAD", "/zerocopy", ""); got.status != 200 || got.cut != nil {
		t.Errorf("HEAD: %v", got)
	}
	var many strings.Builder
	for i := range 40 {
		many.WriteString(content[i*1000:][:200000])
	}
	c := dial(t, a.one)
	for range 2 { // the connection goes on
		c.send(t, "GET /zerocopies HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := c.receive(t, "GET"); got.body != many.String() || got.cut != nil {
			t.Errorf("40 parts: %v", got)
		}
	}
	if got := a.get(t, "/unawaited_file"); got.body != content[:300000]+content[1:300001] {
		t.Errorf("not awaited: %v", got)
	}
	raised := "KeyError AttributeError AttributeError ValueError OSError ValueError ValueError ValueError TypeError TypeError UnsupportedOperation"
	if got := a.get(t, "/wrong_file").body; got != raised {
		t.Errorf("wrong files raise %s, want %s", got, raised)
	}
	a.leaveAmidFiles(t, before)
}

// leaveAmidFiles: who leaves is noticed by the one who sends, and nothing is left open.
func (a *asgi) leaveAmidFiles(t *testing.T, before [2]int) {
	t.Helper()
	for range 3 {
		name, c := unique(), dial(t, a.one)
		c.send(t, "GET /endless_file?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
		if _, err := c.count(1000000); err != nil {
			t.Fatal(err)
		}
		if err := c.reset(); err != nil {
			t.Fatal(err)
		}
		if err := server.Await(func() bool { return a.get(t, "/failed_with?"+name).body == "OSError: True" }); err != nil {
			t.Errorf("it failed with %s", a.get(t, "/failed_with?"+name).body)
		}
	}
	a.awaitRest(t, before)
}

func hintsLeave(t *testing.T, a *asgi) {
	const raised = "TypeError TypeError TypeError TypeError TypeError ValueError ValueError"
	got := a.get(t, "/hinted")
	if len(got.early) != 2 || got.body != raised || strings.Join(got.early[0].all("Link"), "|") != "</a.css>; rel=preload|</b.js>" || got.early[1].get("Link") != "</c.js>" {
		t.Errorf("%v after %v", got, got.early)
	}
	c := dial(t, a.one)
	c.send(t, "GET /hinted HTTP/1.0\r\n\r\n")
	if got := c.receive(t, "GET"); len(got.early) > 0 || got.body != raised {
		t.Errorf("HTTP/1.0: %v after %v", got, got.early)
	}
	if got, notes := a.send(t, "POST", "", "{'type': 'http.response.early_hint'}", start(""), body("")); notes != "KeyError sent sent" || len(got.early) > 0 {
		t.Errorf("%s, %v", notes, got)
	}
}

func trailersAreSent(t *testing.T, a *asgi) {
	for _, kind := range []string{"chunked", "counted", "path"} {
		for _, method := range []string{"GET", "HEAD"} {
			c := dial(t, a.one)
			for _, takes := range []bool{true, false, true} { // on one connection
				c.trailed(t, method, kind, takes)
			}
		}
	}
}

// trailed asks for a response with trailers, which it wants if it takes them and the response
// can have some.
func (c *client) trailed(t *testing.T, method, kind string, takes bool) {
	t.Helper()
	te, want, trailers := "", "body", "[]"
	if takes {
		te = "TE: trailers\r\nConnection: TE\r\n"
	}
	if kind == "path" {
		want = content
	}
	if method == "HEAD" {
		want = ""
	}
	if takes && method == "GET" && kind != "counted" {
		trailers = "[{X-Sum 1} {x-sum 6}]"
	}
	c.trailers = nil
	c.send(t, "%s /trailed?%s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, kind, te)
	got := c.receive(t, method)
	if got.body != want || got.cut != nil || fmt.Sprint(got.trailers) != trailers || (got.get("trailer") == "x-sum") != takes {
		t.Errorf("%s %s, TE %v: %v, trailers %v", method, kind, takes, got, got.trailers)
	}
}

// linesHaveIDs: what is logged of a request has its id.
func linesHaveIDs(t *testing.T, a *asgi) {
	name := unique()
	if got := askServer(t, a.two, "GET", "/shop/fails?"+name, "", "X-Request-ID: the-id-"+name); got.status != 500 {
		t.Errorf("%v", got)
	}
	if _, err := a.two.AwaitLog(`(?m)^gobridge\[\d+\]: \[the-id-` + name + `\] GET /shop/fails\?` + name + `: the application failed`); err != nil {
		t.Error(err)
	}
}
