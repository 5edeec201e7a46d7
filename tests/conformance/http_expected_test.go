package conformance

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"
)

var connections = []check[fronts]{
	{"HTTP/1.1 keeps the connection", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		for range 3 {
			if a := c.ask(t, get("/hello"), 200); a.get("Connection") != "" || a.body != "hello" {
				t.Errorf("%v", a)
			}
		}
	}},
	{"Connection: close ends it", func(t *testing.T, f fronts) {
		for _, options := range []string{"close", "Close", "x, close"} {
			c := dial(t, f.usual.Server)
			if a := c.ask(t, get("/hello", "Connection: ", options, "\n"), 200); a.get("Connection") != "close" {
				t.Errorf("%s: %v", options, a)
			}
			c.end(t)
		}
	}},
	{"HTTP/1.0 ends it", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		c.ask(t, "GET /hello HTTP/1.0\r\n\r\n", 200)
		c.end(t)
	}},
	{"HTTP/1.0 with Connection: keep-alive keeps it", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		for range 2 {
			if a := c.ask(t, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200); a.get("Connection") != "keep-alive" {
				t.Errorf("%v", a)
			}
		}
	}},
	{"pipelined requests are answered in order", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		c.write(t, get("/hello")+post("/echo", "abc", "Content-Length: 3\n")+"HEAD"+strings.TrimPrefix(get("/hello"), "GET")+get("/pieces")+
			post("/hello", "5\r\n/////\r\n0\r\n\r\n", "Transfer-Encoding: chunked\n"))
		for _, want := range []struct{ method, body string }{{"GET", "hello"}, {"POST", "abc"}, {"HEAD", ""}, {"GET", "one,two"}, {"POST", "hello"}} {
			if a := c.receive(t, want.method); a.status != 200 || a.body != want.body {
				t.Errorf("%v, want %q", a, want.body)
			}
		}
	}},
	{"a client that has closed its sending half is answered", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		c.write(t, get("/hello")+get("/pieces"))
		c.closeWrite(t)
		for _, want := range []string{"hello", "one,two"} {
			if a := c.receive(t, "GET"); a.body != want {
				t.Errorf("%v", a)
			}
		}
		c.end(t)
	}},
	{"100 is sent when the application first reads, and once", func(t *testing.T, f fronts) {
		for _, coding := range []struct {
			s           *front
			field, wire string
		}{{f.usual, "Content-Length: 3\n", "abc"}, {f.streams, "Content-Length: 3\n", "abc"}, {f.streams, "Transfer-Encoding: chunked\n", "3\r\nabc\r\n0\r\n\r\n"}} {
			c := dial(t, coding.s.Server)
			c.write(t, post("/echo", "", "Expect: 100-continue\n", coding.field))
			if a, err := c.head(); err != nil || a.status != 100 || a.version != "HTTP/1.1" || len(a.fields) > 0 {
				t.Errorf("before the body: %v, %v", a, err)
			}
			c.write(t, coding.wire)
			if a := c.receive(t, "POST"); a.body != "abc" || len(a.early) > 0 {
				t.Errorf("%v", a)
			}
			c.ask(t, get("/hello"), 200)
		}
	}},
	{"100 is sent at once for a chunked body that is taken in, and the application has its length", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		for range 2 {
			c.write(t, post("/", "", "Expect: 100-continue\nTransfer-Encoding: chunked\n"))
			if a, err := c.head(); err != nil || a.status != 100 || len(a.fields) > 0 {
				t.Errorf("before the body: %v, %v", a, err)
			}
			c.write(t, "3\r\nabc\r\n0\r\n\r\n")
			a := c.receive(t, "POST")
			wantVariables(t, a, "CONTENT_LENGTH 3", "HTTP_TRANSFER_ENCODING missing")
			if len(a.early) > 0 {
				t.Errorf("%v, behind %v", a, a.early)
			}
		}
	}},
	{"no 100 when the application does not read, and the connection ends", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		c.write(t, post("/hello", "", "Expect: 100-continue\nContent-Length: 3\n"))
		if a := c.receive(t, "POST"); a.status != 200 || len(a.early) > 0 || a.get("Connection") != "close" {
			t.Errorf("%v, behind %v", a, a.early)
		}
	}},
	{"no 100 when the body has come already, nor in HTTP/1.0", func(t *testing.T, f fronts) {
		for _, request := range []string{post("/echo", "abc", "Expect: 100-continue\nContent-Length: 3\n"),
			"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"} {
			c := dial(t, f.usual.Server)
			if a := c.ask(t, request, 200); len(a.early) > 0 || a.body != "abc" {
				t.Errorf("%q: %v, behind %v", request, a, a.early)
			}
		}
	}},
	{"no upgrade is begun to what is not spoken", func(t *testing.T, f fronts) {
		for _, fields := range []string{"Upgrade: h2c\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: AAMAAABkAAQAAP__\n", "Upgrade: foo/1\nConnection: upgrade\n"} {
			c := dial(t, f.usual.Server)
			if a := c.ask(t, get("/hello", fields), 200); a.body != "hello" || len(a.early) > 0 || a.get("Upgrade") != "" {
				t.Errorf("%v", a)
			}
			c.ask(t, get("/hello"), 200)
		}
	}},
	{"a body that is not read is thrown away, and the next request is found behind it", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		body := strings.Repeat("GET /x HTTP/1.1\r\nHost: x\r\n\r\n", 2000) // 56,000 bytes
		for range 2 {
			c.write(t, post("/hello", body, "Content-Length: 56000\n")+get("/pieces"))
			for _, want := range []string{"hello", "one,two"} {
				if a := c.receive(t, "POST"); a.status != 200 || a.body != want {
					t.Fatalf("%v", a)
				}
			}
		}
	}},
	{"behind a large body that is not read the connection ends, and the answer is not lost", func(t *testing.T, f fronts) {
		for _, begin := range []string{post("/hello", "", "Content-Length: 1000000\n"), post("/hello", "f4240\r\n", "Transfer-Encoding: chunked\n")} {
			c := dial(t, f.streams.Server)
			sent := make(chan error, 1)
			go func() {
				_, err := io.WriteString(c, begin+strings.Repeat("x", 1_000_000))
				sent <- err
			}()
			if err := <-sent; err != nil {
				t.Errorf("sending: %v", err)
			}
			if a := c.receive(t, "POST"); a.status != 200 || a.body != "hello" {
				t.Errorf("%v", a)
			}
			c.closeWrite(t)
			c.end(t)
		}
	}},
	{"TLS on a plain port gets an answer, and a line in the log", func(t *testing.T, f fronts) {
		conn, err := f.usual.Dial()
		c := connected(t, conn, err)
		err = tls.Client(c, &tls.Config{ServerName: "x"}).Handshake()
		if e, ok := err.(tls.RecordHeaderError); !ok || string(e.RecordHeader[:]) != "HTTP/" {
			t.Errorf("the client says %v", err)
		}
		f.usual.refusedInLog(t, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, `this is TLS, and the port speaks plain HTTP`)
	}},
	{"the uwsgi protocol on an HTTP port gets an answer, and a line in the log", func(t *testing.T, f fronts) {
		f.small.refusedInLog(t, "\x00\x1a\x00\x00\x0e\x00REQUEST_METHOD\x03\x00GET", 400, `as the uwsgi protocol does`)
	}},
	{"HTTP/2 on an HTTP/1 port gets an answer, and a line in the log", func(t *testing.T, f fronts) {
		f.quick.refusedInLog(t, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, `HTTP/2\.0; HTTP/1\.1 and HTTP/1\.0 are spoken here`)
	}},
}

var answers = []check[fronts]{
	{"HEAD has the head of GET, with its length, and no body", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		for _, path := range []string{"/hello", "/big?100000", "/pieces", "/short", "/long"} {
			a := c.ask(t, "HEAD"+strings.TrimPrefix(get(path), "GET"), 200)
			if want := map[string]string{"/hello": "5", "/big?100000": "100000", "/short": "10", "/long": "3"}[path]; a.get("Content-Length") != want {
				t.Errorf("%s: %v", path, a)
			}
		}
		c.ask(t, get("/hello"), 200) // nothing was sent between them
	}},
	{"204 and 304 have no body, whatever the application sends, and 204 no length", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		for range 2 {
			if a := c.ask(t, get("/no_content"), 204); a.get("Content-Length")+a.get("Transfer-Encoding") != "" {
				t.Errorf("%v", a)
			}
			if a := c.ask(t, get("/not_modified"), 304); a.get("Transfer-Encoding") != "" {
				t.Errorf("%v", a)
			}
		}
	}},
	{"a body of unknown length comes in chunks, in HTTP/1.0 up to the connection's end", func(t *testing.T, f fronts) {
		if a := once(t, f.usual, get("/pieces")); a.framing != chunked || a.body != "one,two" || a.cut != nil {
			t.Errorf("%v", a)
		}
		for _, fields := range []string{"", "Connection: keep-alive\r\n"} {
			if a := once(t, f.usual, "GET /pieces HTTP/1.0\r\n"+fields+"\r\n"); a.framing != closing || a.body != "one,two" || a.cut != nil || a.get("Connection") != "close" {
				t.Errorf("%v", a)
			}
		}
	}},
	{"a body longer than its length is cut there, and a line in the log says so", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		if a := c.ask(t, get("/long"), 200); a.body != "one" {
			t.Errorf("%v", a)
		}
		c.ask(t, get("/hello"), 200)
		f.usual.wantLog(t, `GET /long`)
	}},
	{"a body shorter than its length ends the connection, so that the client sees it", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		c.write(t, get("/short"))
		if a := c.receive(t, "GET"); a.body != "short" || a.cut != io.ErrUnexpectedEOF {
			t.Errorf("%v", a)
		}
		f.usual.wantLog(t, `GET /short`)
	}},
	{"CR, LF or NUL in an application's header is never sent: 500, and one line in the log", func(t *testing.T, f fronts) {
		for _, query := range []string{"X-A=b|r|nX-Injected:1", "X-A=b|nX-Injected:1", "X-A=b|rc", "X-A=b|0c", "X-A|r|nX-Injected=1", "X-A|n=1", "X-A|0=1"} {
			a := dial(t, f.usual.Server).ask(t, get("/injects?"+query), 500)
			if a.get("X-Injected") != "" || a.get("X-A") != "" || strings.Contains(a.body, "Injected") {
				t.Errorf("%s: %v", query, a)
			}
		}
		f.usual.wantLog(t, `a header's name is not one: 'X-A\\r\\nX-Injected'`)
		for line := range strings.Lines(f.usual.Log()) {
			if strings.HasPrefix(line, "X-Injected") {
				t.Errorf("the log has a forged line: %q", line)
			}
		}
	}},
	{"hop-by-hop headers of an application are left out", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		a := c.ask(t, get("/hop_by_hop"), 200)
		for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"} {
			if len(a.all(name)) > 0 {
				t.Errorf("%s: %v", name, a)
			}
		}
		c.ask(t, get("/hello"), 200)
	}},
	{"Date and Server are added, unless the application has its own", func(t *testing.T, f fronts) {
		a := once(t, f.usual, get("/hello"))
		if _, err := time.Parse(time.RFC1123, a.get("Date")); err != nil || !strings.HasSuffix(a.get("Date"), "GMT") || a.get("Server") != "gobridge" {
			t.Errorf("%v", a)
		}
		if a := once(t, f.usual, get("/own_fields")); a.get("Date") != "yesterday" || a.get("Server") != "mine" {
			t.Errorf("%v", a)
		}
	}},
	{"Date and Server are left out when the settings say so", func(t *testing.T, f fronts) {
		c := f.set.over(t)
		for path, status := range map[string]int{"/hello": 200, "/fails": 500} {
			if a := c.ask(t, get(path), status); len(a.all("Date"))+len(a.all("Server")) > 0 {
				t.Errorf("%v", a)
			}
		}
	}},
	{"headers of the settings are added to every answer that has none of the name", func(t *testing.T, f fronts) {
		c := f.set.over(t)
		for _, each := range []struct {
			request string
			status  int
			extra   string
		}{{get("/hello"), 200, "a, b"}, {get("/own_fields"), 200, "mine"}, {get("/fails"), 500, "a, b"}, {get("/no_content"), 204, "a, b"}, {"nonsense\r\n\r\n", 400, "a, b"}} {
			if a := c.ask(t, each.request, each.status); a.get("X-Extra") != each.extra || a.get("X-Other") != "c" {
				t.Errorf("%q: %v", each.request, a)
			}
		}
	}},
	{"PATH_INFO is decoded once, as latin-1; slashes and dots stay", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		for target, want := range map[string]string{"/a%20b": "/a b", "/caf%C3%A9": `/caf\xc3\xa9`, "//a//": "//a//", "/a%2Fb%2f": "/a/b/", "/./a/../b": "/./a/../b", "/%2e%2E/": "/../", "/%2541": "/%41",
			"/%zz%": "/%zz%", "/a?b=%20%3F": "/a", "/\xe9": `/\xe9`, "http://x/y?z": "/y", "http://x": "/"} {
			wantVariables(t, c.ask(t, get(target), 200), "PATH_INFO "+want, "SCRIPT_NAME ", "RAW_URI "+strings.ReplaceAll(target, "\xe9", `\xe9`))
		}
	}},
	{"--root-path is SCRIPT_NAME, cut from a path at a slash only", func(t *testing.T, f fronts) {
		c := f.set.over(t)
		for target, want := range map[string]string{"/shop/a": "/a", "/shop": "", "/shop/": "/", "/a": "/a", "/shopping": "/shopping", "/s%68op/a": "/a", "/shop/shop": "/shop", "//shop/a": "//shop/a"} {
			wantVariables(t, c.ask(t, get(target), 200), "SCRIPT_NAME /shop", "PATH_INFO "+want)
		}
	}},
	{"error pages are one sentence that gives nothing away, or JSON for who prefers it", func(t *testing.T, f fronts) {
		for _, each := range []struct {
			request string
			status  int
		}{{get("/", "A : b\nACCEPT"), 400}, {get("/crashes?secret", "ACCEPT"), 502}, {post("/", "", "Transfer-Encoding: gzip\nACCEPT"), 501}} {
			for accept, kind := range map[string]string{"Accept: application/json\n": "application/problem+json", "Accept: text/html\n": "text/plain; charset=utf-8", "": "text/plain; charset=utf-8"} {
				request := strings.Replace(strings.ReplaceAll(each.request, "\r\n", "\n"), "ACCEPT", accept, 1)
				a := dial(t, f.usual.Server).ask(t, strings.ReplaceAll(request, "\n", "\r\n"), each.status)
				if a.get("Content-Type") != kind || strings.HasPrefix(a.body, `{"type":"about:blank",`) != strings.Contains(kind, "json") || !strings.HasSuffix(a.body, "\n") {
					t.Errorf("%q: %v", request, a)
				}
				for _, secret := range []string{"gobridge", "secret", "ython", "crashes", "/tmp", "edge:"} {
					if strings.Contains(a.body, secret) {
						t.Errorf("%q: the page has %q: %q", request, secret, a.body)
					}
				}
			}
		}
	}},
	{"what clients send is escaped in the access log", func(t *testing.T, f fronts) {
		dial(t, f.usual.Server).ask(t, get("/\xe9\"escaped\\", "User-Agent: a\"b\\\t\x9b31m\n"), 200)
		f.usual.awaitAccess(t, `"GET /\\xe9\\x22escaped\\x5c HTTP/1\.1" 200 \d+ "-" "a\\x22b\\x5c\\x09\\x9b31m"`)
	}},
}
