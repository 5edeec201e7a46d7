package conformance

import (
	"testing"
)

// What is ambiguous about where a message ends, or whom it is for, is refused and never
// repaired.

var refusedHeads = []check[fronts]{
	{"a bare LF in a head is refused", refuses(400, "GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\n",
		"GET / HTTP/1.1\r\nHost: x\r\nA: b\nC: d\r\n\r\n", "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")},
	{"a bare CR in a head is refused", refuses(400, within(heads("A: b\rc", "A\r: b", "A: b\r", "\rA: b"), requestLines("GET /\r HTTP/1.1", "GET / HTTP/1.1\r", "\rGET / HTTP/1.1"))...)},
	{"a folded line is refused", refuses(400, heads("A: b\r\n c", "A: b\r\n\tc", " A: b", "A:\r\n b")...)},
	{"white space before the colon is refused", refuses(400, heads("A : b", "A\t: b", "Content-Length : 5", "Transfer-Encoding\t: chunked")...)},
	{"an empty or non-token header name is refused", refuses(400, heads(": b", "A(: b", "A\x00: b", "\xe9: b", "A b: c", "A\": b", "no colon")...)},
	{"NUL or another control character in a value is refused", refuses(400, heads("A: \x00", "A: b\x01c", "A: b\x7f", "A: \x1b[31m", "A: b\x0bc")...)},
	{"a request line that is not method, target and version with one space between them is refused", refuses(400, requestLines("GET  / HTTP/1.1", "GET /  HTTP/1.1",
		"GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET\t/\tHTTP/1.1", "GET /", "GET", "GET HTTP/1.1", "GET / http/1.1", "GET / HTTP/1.2", "GET / HTTP/1.10", "GET / HTTP/01.1", "GET / HTP/1.1")...)},
	{"a version other than HTTP/1 is refused with 505", refuses(505, requestLines("GET / HTTP/2.0", "GET / HTTP/3.0", "GET / HTTP/0.9")...)},
	{"a method that is no token is refused", refuses(400, requestLines("G(T / HTTP/1.1", "GE\x00T / HTTP/1.1", "G\xe9T / HTTP/1.1", "G:T / HTTP/1.1")...)},
	{"a target with white space, a control character or a fragment is refused", refuses(400, requestLines("GET /a b HTTP/1.1", "GET /\x01 HTTP/1.1", "GET /\x00 HTTP/1.1",
		"GET /\x7f HTTP/1.1", "GET /a\tb HTTP/1.1", "GET /a#b HTTP/1.1")...)},
	{"a target that is neither a path nor an absolute URL is refused", refuses(400, requestLines("GET a HTTP/1.1", "GET * HTTP/1.1", "GET ftp://x/ HTTP/1.1", "GET http:///a HTTP/1.1", "GET x:80 HTTP/1.1")...)},
	{"HTTP/1.1 without exactly one valid Host is refused", refuses(400, "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
		"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n")},
	{"an absolute target and a Host that disagree are refused", refuses(400, requestLines("GET http://y/ HTTP/1.1", "GET http://x:81/ HTTP/1.1", "GET http://x@y/ HTTP/1.1")...)},
	{"two lengths, or a list of them, are refused", refuses(400, heads("Content-Length: 1\r\nContent-Length: 1", "Content-Length: 1\r\nContent-Length: 2", "Content-Length: 1, 1", "Content-Length: 1,2",
		"Content-Length: 0\r\ncontent-length: 0")...)},
	{"a length that is anything but digits is refused", refuses(400, heads("Content-Length: +1", "Content-Length: -1", "Content-Length: 1 1", "Content-Length: 1_0", "Content-Length: 0x1",
		"Content-Length: 1.0", "Content-Length:", "Content-Length: \xb2", "Content-Length: 11111111111111111111")...)},
	{"a length together with a transfer coding is refused", refuses(400, heads("Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: chunked\r\nContent-Length: 0")...)},
	{"a transfer coding in HTTP/1.0 is refused", refuses(400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n")},
	{"a transfer coding that is not exactly one «chunked» is refused", refuses(400, heads("Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding:",
		"Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: ,chunked", "Transfer-Encoding: \x0bchunked", "Transfer-Encoding: chunked,")...)},
	{"unknown transfer codings are refused with 501", refuses(501, heads("Transfer-Encoding: gzip", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, gzip")...)},
	{"CONNECT is refused with 501", refuses(501, requestLines("CONNECT x:443 HTTP/1.1")...)},
	{"an expectation other than 100-continue is refused with 417", refuses(417, heads("Expect: wonders", "Expect: 100-continue, wonders", "Expect:")...)},
	{"header names with an underscore are left out", func(t *testing.T, f fronts) {
		a := once(t, f.usual, get("/", "X_One: 1\nX-Two: 2\nContent_Length: 5\nTransfer_Encoding: chunked\n"))
		wantVariables(t, a, "HTTP_X_ONE missing", "HTTP_X_TWO 2", "CONTENT_LENGTH missing", "HTTP_TRANSFER_ENCODING missing")
	}},
	{"header names with an underscore are refused when the setting says so", func(t *testing.T, f fronts) {
		if a := f.set.over(t).ask(t, get("/", "X_One: 1\n"), 400); a.get("Connection") != "close" {
			t.Errorf("%v", a)
		}
	}},
	{"the header Proxy is left out", func(t *testing.T, f fronts) {
		wantVariables(t, once(t, f.usual, get("/", "Proxy: http://evil.example\npROXY: b\nProxy-Not: c\n")), "HTTP_PROXY missing", "HTTP_PROXY_NOT c")
	}},
	{"one empty line before a request is passed over, two are refused", func(t *testing.T, f fronts) {
		dial(t, f.usual.Server).ask(t, "\r\n"+get("/hello"), 200)
		mustRefuse(t, f.usual, 400, "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
	}},
	{"a refused request is refused the same when it comes byte by byte, behind another one", func(t *testing.T, f fronts) {
		for _, bad := range heads("A : b", "Content-Length: 1\r\nContent-Length: 1", "A: b\n") {
			c := dial(t, f.usual.Server)
			for _, b := range []byte(get("/hello") + bad) {
				c.write(t, string([]byte{b}))
			}
			if a := c.receive(t, "GET"); a.status != 200 {
				t.Errorf("before %q: %v", bad, a)
			}
			if a := c.receive(t, "GET"); a.status != 400 {
				t.Errorf("%q: %v", bad, a)
			}
			c.closeWrite(t)
			c.end(t)
		}
	}},
}

var refusedBodies = []check[fronts]{
	{"a chunk's size with a sign, a blank, a prefix or more than 16 digits is refused", refuses(400, bodies("+1\r\nx\r\n0\r\n\r\n", "-1\r\nx\r\n0\r\n\r\n", " 1\r\nx\r\n0\r\n\r\n", "1 \r\nx\r\n0\r\n\r\n",
		"0x1\r\nx\r\n0\r\n\r\n", "00000000000000001\r\nx\r\n0\r\n\r\n", "1_0\r\nx\r\n0\r\n\r\n", "\r\nx\r\n0\r\n\r\n", "g\r\nx\r\n0\r\n\r\n", "ffffffffffffffff\r\nx\r\n0\r\n\r\n")...)},
	{"a chunk extension with a control character or without end is refused", refuses(400, bodies("1;a=\x00\r\nx\r\n0\r\n\r\n", "1;a\rb\r\nx\r\n0\r\n\r\n", "1;a\nx\r\n0\r\n\r\n", "1\nx\r\n0\r\n\r\n",
		sized("1;a=", "", 9000))...)},
	{"a chunk that CR LF does not follow is refused", refuses(400, bodies("1\r\nxy\r\n0\r\n\r\n", "1\r\nx\n0\r\n\r\n", "1\r\nx\r0\r\n\r\n", "2\r\nx\r\n0\r\n\r\n")...)},
	{"trailers that carry framing or routing are refused, and malformed ones", refuses(400, bodies("0\r\nContent-Length: 1\r\n\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\nHost: y\r\n\r\n",
		"0\r\nA : b\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\n A: b\r\n\r\n", "0\r\nA: \x00\r\n\r\n", "0\r\nAuthorization: x\r\n\r\n")...)},
	{"chunks, with extensions and trailers, make a body", func(t *testing.T, f fronts) {
		c := dial(t, f.usual.Server)
		for range 2 {
			if a := c.ask(t, post("/echo", "3;a=\"b c\"\r\none\r\n004\r\n,two\r\n0;x\r\nA: b\r\n\r\n", "Transfer-Encoding: chunked\n"), 200); a.body != "one,two" {
				t.Errorf("%v", a)
			}
		}
	}},
	{"a body whose client leaves is no body", func(t *testing.T, f fronts) {
		for _, half := range []string{post("/echo", "abc", "Content-Length: 10\n"), post("/echo", "a\r\nabc", "Transfer-Encoding: chunked\n")} {
			c := dial(t, f.usual.Server)
			c.write(t, half)
			c.closeWrite(t)
			c.end(t) // without an answer, for nobody has asked anything whole
		}
	}},
}
