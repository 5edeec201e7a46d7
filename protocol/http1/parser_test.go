package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// headCase is a request head and what must come of it: a status (0: accepted) and, when
// accepted, what want finds.
type headCase struct {
	name, wire string
	status     int
	want       func(p *Parser) string // what is wrong, or ""
}

const host = "Host: example.org\r\n"

var headCases = []headCase{
	// Accepted.
	{"plain", "GET / HTTP/1.1\r\n" + host + "\r\n", 0, func(p *Parser) string {
		return differ(string(p.Request.Path), "/", fmt.Sprint(p.KeepAlive, p.Request.Minor, p.Request.BodyLength), "true 1 0")
	}},
	{"query", "GET /a/b?c=d?e HTTP/1.1\r\n" + host + "\r\n", 0, func(p *Parser) string {
		return differ(string(p.Request.Path), "/a/b", string(p.Request.Query), "c=d?e", string(p.Request.Target), "/a/b?c=d?e")
	}},
	{"white space around a value", "GET / HTTP/1.1\r\nHost: \t example.org \t \r\nA:\r\nB:b\r\n\r\n", 0, func(p *Parser) string {
		f := p.Request.Fields
		return differ(string(f[0].Value), "example.org", string(f[1].Value), "", string(f[2].Value), "b")
	}},
	{"one empty line before", "\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 0, nil},
	{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.KeepAlive), "false") }},
	{"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.KeepAlive), "true") }},
	{"close", "GET / HTTP/1.1\r\n" + host + "Connection: foo, Close\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.KeepAlive), "false") }},
	{"close wins", "GET / HTTP/1.0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.KeepAlive), "false") }},
	{"length", "PUT / HTTP/1.1\r\n" + host + "content-LENGTH: 0123\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Request.BodyLength), "123") }},
	{"chunked", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: Chunked\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Request.BodyLength), "-1") }},
	{"expect", "PUT / HTTP/1.1\r\n" + host + "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Request.Expect), "true") }},
	{"expect of 1.0 is ignored", "PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Request.Expect), "false") }},
	{"underscore is dropped", "GET / HTTP/1.1\r\n" + host + "X_Y: 1\r\nContent_Length: 5\r\n\r\n", 0, func(p *Parser) string {
		return differ(fmt.Sprint(len(p.Request.Fields), p.Request.BodyLength), "1 0")
	}},
	{"absolute", "GET http://Example.org/p?q HTTP/1.1\r\n" + host + "\r\n", 0, func(p *Parser) string {
		return differ(string(p.Request.Path), "/p", string(p.Request.Query), "q")
	}},
	{"absolute without path", "GET http://example.org?q HTTP/1.1\r\n" + host + "\r\n", 0, func(p *Parser) string {
		return differ(string(p.Request.Path), "/", string(p.Request.Query), "q")
	}},
	{"absolute with the default port", "GET http://example.org:80/ HTTP/1.1\r\n" + host + "\r\n", 0, nil},
	{"options *", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 0, nil},
	{"other method", "BREW! /pot HTTP/1.1\r\n" + host + "\r\n", 0, nil},
	{"host with port", "GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", 0, nil},
	{"latin-1 value", "GET / HTTP/1.1\r\n" + host + "X: \xe9\r\n\r\n", 0, nil},
	{"HEAD", "HEAD / HTTP/1.1\r\n" + host + "\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.HeadMethod), "true") }},

	// Line ends.
	{"bare LF after the request line", "GET / HTTP/1.1\n" + host + "\r\n", 400, nil},
	{"bare LF after a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, nil},
	{"bare LF as blank line", "GET / HTTP/1.1\r\n" + host + "\n", 400, nil},
	{"bare CR in a value", "GET / HTTP/1.1\r\n" + host + "A: b\rc\r\n\r\n", 400, nil},
	{"bare CR in the request line", "GET /\r HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"CR CR LF", "GET / HTTP/1.1\r\n" + host + "A: b\r\r\n\r\n", 400, nil},
	{"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"folded line", "GET / HTTP/1.1\r\n" + host + "A: b\r\n c\r\n\r\n", 400, nil},
	{"folded first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, nil},

	// Request line.
	{"no version", "GET /\r\n" + host + "\r\n", 400, nil},
	{"two spaces", "GET  / HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"two spaces before the version", "GET /  HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"space behind the version", "GET / HTTP/1.1 \r\n" + host + "\r\n", 400, nil},
	{"tab", "GET\t/\tHTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"space before the method", " GET / HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"space in the target", "GET /a b HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"control character in the target", "GET /\x01 HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"DEL in the target", "GET /\x7f HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"NUL in the target", "GET /\x00 HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"method is no token", "G(T / HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"lower-case version", "GET / http/1.1\r\n" + host + "\r\n", 400, nil},
	{"version 1.2", "GET / HTTP/1.2\r\n" + host + "\r\n", 400, nil},
	{"version 1.10", "GET / HTTP/1.10\r\n" + host + "\r\n", 400, nil},
	{"version 2.0", "GET / HTTP/2.0\r\n" + host + "\r\n", 505, nil},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n", 505, nil},
	{"relative target", "GET index.html HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"star for GET", "GET * HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"other scheme", "GET ftp://example.org/ HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"CONNECT", "CONNECT example.org:443 HTTP/1.1\r\n" + host + "\r\n", 501, nil},
	{"TLS", "\x16\x03\x01\x02\x00\x01", 400, nil},

	// Fields.
	{"space before the colon", "GET / HTTP/1.1\r\n" + host + "A : b\r\n\r\n", 400, nil},
	{"tab before the colon", "GET / HTTP/1.1\r\n" + host + "A\t: b\r\n\r\n", 400, nil},
	{"empty name", "GET / HTTP/1.1\r\n" + host + ": b\r\n\r\n", 400, nil},
	{"no colon", "GET / HTTP/1.1\r\n" + host + "A\r\n\r\n", 400, nil},
	{"name is no token", "GET / HTTP/1.1\r\n" + host + "A[]: b\r\n\r\n", 400, nil},
	{"NUL in a value", "GET / HTTP/1.1\r\n" + host + "A: b\x00c\r\n\r\n", 400, nil},
	{"control character in a value", "GET / HTTP/1.1\r\n" + host + "A: b\x08c\r\n\r\n", 400, nil},
	{"DEL in a value", "GET / HTTP/1.1\r\n" + host + "A: \x7f\r\n\r\n", 400, nil},
	{"latin-1 name", "GET / HTTP/1.1\r\n" + host + "\xe9: b\r\n\r\n", 400, nil},

	// Host.
	{"no Host", "GET / HTTP/1.1\r\n\r\n", 400, nil},
	{"two Hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n", 400, nil},
	{"two Hosts in 1.0", "GET / HTTP/1.0\r\n" + host + host + "\r\n", 400, nil},
	{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, nil},
	{"Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, nil},
	{"Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, nil},
	{"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, nil},
	{"Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, nil},
	{"Host with a bad port", "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n", 400, nil},
	{"Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, nil},
	{"target and Host differ", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400, nil},
	{"target and Host differ in the port", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, nil},
	{"user in the target", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, nil},

	// Framing.
	{"two lengths", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400, nil},
	{"length list", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 1, 1\r\n\r\n", 400, nil},
	{"length with a plus", "PUT / HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\n", 400, nil},
	{"length with a minus", "PUT / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400, nil},
	{"length with an underscore", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 1_0\r\n\r\n", 400, nil},
	{"length with a space", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 1 0\r\n\r\n", 400, nil},
	{"hexadecimal length", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 0x1\r\n\r\n", 400, nil},
	{"empty length", "PUT / HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\n", 400, nil},
	{"20 digits", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 12345678901234567890\r\n\r\n", 400, nil},
	{"length and chunked", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, nil},
	{"chunked and length", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400, nil},
	{"chunked in 1.0", "PUT / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", 400, nil},
	{"chunked twice", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, nil},
	{"chunked, chunked", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400, nil},
	{"empty coding", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n\r\n", 400, nil},
	{"vertical tab in the coding", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n", 400, nil},
	{"quoted coding", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: \"chunked\"\r\n\r\n", 400, nil},
	{"gzip", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, nil},
	{"identity", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\n\r\n", 501, nil},
	{"xchunked", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n", 501, nil},
	{"other expectation", "PUT / HTTP/1.1\r\n" + host + "Expect: 200-ok\r\n\r\n", 417, nil},

	// Limits.
	{"long request line", "GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\n" + host + "\r\n", 414, nil},
	{"endless request line", "GET /" + strings.Repeat("a", 9000), 414, nil},
	{"long field", "GET / HTTP/1.1\r\n" + host + "A: " + strings.Repeat("a", 20000) + "\r\n\r\n", 431, nil},
	{"endless field", "GET / HTTP/1.1\r\n" + host + "A: " + strings.Repeat("a", 20000), 431, nil},
	{"long head", "GET / HTTP/1.1\r\n" + host + strings.Repeat("A: "+strings.Repeat("a", 10000)+"\r\n", 7) + "\r\n", 431, nil},
	{"many fields", "GET / HTTP/1.1\r\n" + host + strings.Repeat("A: b\r\n", 100) + "\r\n", 431, nil},
	{"as many fields as allowed", "GET / HTTP/1.1\r\n" + host + strings.Repeat("A: b\r\n", 99) + "\r\n", 0, nil},
	{"many fields that are dropped", "GET / HTTP/1.1\r\n" + host + strings.Repeat("A_A: b\r\n", 100) + "\r\n", 431, nil},
}

// differ compares pairs.
func differ(pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != pairs[i+1] {
			return fmt.Sprintf("got %q, want %q", pairs[i], pairs[i+1])
		}
	}
	return ""
}

// feed gives wire to a parser, piece bytes at a time, with something behind it.
func feed(p *Parser, wire string, piece int) (n int, err error) {
	b := []byte(wire)
	for end := min(piece, len(b)); ; end = min(end+piece, len(b)) {
		if n, err = p.Parse(b[:end]); n != 0 || err != nil || end == len(b) {
			return n, err
		}
	}
}

func TestHeads(t *testing.T) {
	for _, c := range headCases {
		for _, piece := range []int{1 << 20, 1, 7} {
			t.Run(fmt.Sprintf("%s by %d", c.name, piece), func(t *testing.T) {
				p := Parser{Limits: DefaultLimits()}
				n, err := feed(&p, c.wire, piece)
				if c.status == 0 {
					if err != nil || n != len(c.wire) {
						t.Fatalf("took %d of %d bytes, %v", n, len(c.wire), err)
					}
					if c.want != nil {
						if wrong := c.want(&p); wrong != "" {
							t.Error(wrong)
						}
					}
					return
				}
				var refused *Error
				if !errors.As(err, &refused) || refused.Status != c.status {
					t.Fatalf("took %d bytes, %v; want status %d", n, err, c.status)
				}
				if refused.Reason == "" {
					t.Error("no reason")
				}
			})
		}
	}
}

func TestPipelined(t *testing.T) {
	one := "GET /1 HTTP/1.1\r\n" + host + "\r\n"
	b := []byte(one + "GET /2 HTTP/1.1\r\n" + host + "\r\n")
	p := Parser{Limits: DefaultLimits()}
	n, err := p.Parse(b)
	if n != len(one) || err != nil {
		t.Fatal(n, err)
	}
	if n, err = p.Parse(b[n:]); n != len(one) || err != nil || string(p.Request.Path) != "/2" {
		t.Fatal(n, err, string(p.Request.Path))
	}
}

func TestRefuseUnderscores(t *testing.T) {
	p := Parser{Limits: DefaultLimits(), RefuseUnderscores: true}
	if _, err := p.Parse([]byte("GET / HTTP/1.1\r\n" + host + "X_Y: 1\r\n\r\n")); err == nil {
		t.Error("a name with an underscore was taken")
	}
}

// FuzzHead checks that a head means the same however it is cut, and that what was
// accepted is accepted again when it is written anew.
func FuzzHead(f *testing.F) {
	for _, c := range headCases {
		if len(c.wire) < 1000 {
			f.Add([]byte(c.wire), 3)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		if piece < 1 {
			piece = 1
		}
		limits := Limits{RequestLine: 200, Head: 1000, Fields: 8, FieldSize: 300}
		whole, cut := Parser{Limits: limits}, Parser{Limits: limits}
		n, err := whole.Parse(b)
		m, cutErr := feed(&cut, string(b), piece)
		if n != m || fmt.Sprint(err) != fmt.Sprint(cutErr) {
			t.Fatalf("whole: %d %v; cut: %d %v", n, err, m, cutErr)
		}
		if n == 0 || err != nil {
			return
		}
		again := Parser{Limits: Limits{}}
		wire := rewrite(&whole)
		if k, err := again.Parse(wire); k != len(wire) || err != nil {
			t.Fatalf("written anew as %q: %d %v", wire, k, err)
		}
		if a, b := rewrite(&again), wire; string(a) != string(b) {
			t.Fatalf("%q became %q", b, a)
		}
	})
}

func rewrite(p *Parser) []byte {
	q := &p.Request
	b := fmt.Appendf(nil, "%s %s HTTP/1.%d\r\n", q.Method, q.Target, q.Minor)
	for _, f := range q.Fields {
		b = fmt.Appendf(b, "%s: %s\r\n", f.Name, f.Value)
	}
	return append(b, "\r\n"...)
}

func BenchmarkParse(b *testing.B) {
	hello := "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"
	browser := "GET /some/path?with=query HTTP/1.1\r\nHost: www.example.org\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\nSec-Fetch-Site: none\r\n" +
		"Sec-Fetch-Mode: navigate\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\nCookie: a=0123456789abcdef; b=fedcba9876543210\r\n\r\n"
	for name, wire := range map[string]string{"hello": hello, "browser": browser} {
		b.Run(name, func(b *testing.B) {
			p := Parser{Limits: DefaultLimits()}
			buf := []byte(wire)
			b.ReportAllocs()
			for b.Loop() {
				if n, err := p.Parse(buf); n != len(buf) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}
