package http1

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gobridge/bridge"
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
	{"18 digits", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 999999999999999999\r\n\r\n", 0, func(p *Parser) string {
		return differ(fmt.Sprint(p.Request.BodyLength), "999999999999999999")
	}},
	{"chunked", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: Chunked\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Request.BodyLength), "-1") }},
	{"expect", "PUT / HTTP/1.1\r\n" + host + "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Request.Expect), "true") }},
	{"trailers wanted", "GET / HTTP/1.1\r\n" + host + "TE: gzip;q=0.5 ,\tTrailers\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Request.Trailers), "true") }},
	{"no trailers wanted", "GET / HTTP/1.1\r\n" + host + "TE: trailer, trailers;q=1, xtrailers\r\nET: trailers\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Request.Trailers), "false") }},
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
	{"host with an underscore", "GET / HTTP/1.1\r\nHost: my_service.local.:80\r\n\r\n", 0, nil},
	{"host with an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 0, nil},
	{"percent-encoded host", "GET / HTTP/1.1\r\nHost: a%C3%A9b%2d:1\r\n\r\n", 0, nil},
	{"absolute with an address", "GET http://[::1]/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0, nil},
	{"absolute https with its port", "GET HTTPS://a:443/x HTTP/1.1\r\nHost: A\r\n\r\n", 0, nil},
	{"absolute in 1.0 without Host", "GET http://a/ HTTP/1.0\r\n\r\n", 0, nil},
	{"tabs in a long value", "GET / HTTP/1.1\r\n" + host + "A: aaaaaaa\tbbbbbbbbbbb\tc\r\n\r\n", 0, func(p *Parser) string {
		return differ(string(p.Request.Fields[1].Value), "aaaaaaa\tbbbbbbbbbbb\tc")
	}},
	{"slashes and dots stay", "GET //a/../%2F/./b%00?%zz HTTP/1.1\r\n" + host + "\r\n", 0, func(p *Parser) string {
		return differ(string(p.Request.Path), "//a/../%2F/./b%00", string(p.Request.Query), "%zz")
	}},
	{"bytes above ASCII in the target", "GET /\xc3\xa9 HTTP/1.1\r\n" + host + "\r\n", 0, nil},
	{"hop-by-hop options", "GET / HTTP/1.1\r\n" + host + "Connection: ,, TE ,keep-alive,\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.KeepAlive), "true") }},
	{"latin-1 value", "GET / HTTP/1.1\r\n" + host + "X: \xe9\r\n\r\n", 0, nil},
	{"said by proxies", "GET / HTTP/1.1\r\n" + host + "x-forwarded-ssl: on\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Forwarded), "true") }},
	{"Forwarded", "GET / HTTP/1.1\r\nForwarded: for=a\r\n" + host + "\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Forwarded), "true") }},
	{"X-Real-IP", "GET / HTTP/1.1\r\nX-Real-IP: a\r\n" + host + "\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Forwarded), "true") }},
	{"not said by proxies", "GET / HTTP/1.1\r\n" + host + "X-Forwarded: a\r\nX-Forwarded-: b\r\nXForwarded-For: c\r\nA: d\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.Forwarded), "false") }},
	{"JSON", "GET / HTTP/1.1\r\n" + host + "Accept: application/json\r\n\r\n", 0, func(p *Parser) string { return differ(fmt.Sprint(p.WantsJSON), "true") }},
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
	{"fragment in the target", "GET /a#b HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"method alone", "GET\r\n" + host + "\r\n", 400, nil},
	{"no target", "GET HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"no method", "/ HTTP/1.1\r\n" + host + "\r\n", 400, nil},
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
	{"absolute without a host", "GET http:///a HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"absolute with nothing", "GET http:// HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"NUL as first byte", "\x00GET / HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"uwsgi", "\x00\x1a\x00\x00\x0e\x00REQUEST_METHOD\x03\x00GET", 400, nil},
	{"CR as first byte", "\rGET / HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"bare LF as empty line before", "\nGET / HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"PROXY protocol", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 400, nil},
	{"PROXY protocol, version 2", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", 400, nil},
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
	{"control character late in a long value", "GET / HTTP/1.1\r\n" + host + "A: " + strings.Repeat("a", 30) + "\x1fb\r\n\r\n", 400, nil},
	{"DEL in a long value", "GET / HTTP/1.1\r\n" + host + "A: \t" + strings.Repeat("\xff", 13) + "\x7f" + strings.Repeat("b", 9) + "\r\n\r\n", 400, nil},
	{"white space alone", "GET / HTTP/1.1\r\n" + host + " \r\n\r\n", 400, nil},
	{"long name", "GET / HTTP/1.1\r\n" + host + strings.Repeat("n", 100) + ": \x00\r\n\r\n", 400, nil},
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
	{"Host with a large port", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400, nil},
	{"Host that is a port", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400, nil},
	{"Host with two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", 400, nil},
	{"Host with a comma", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400, nil},
	{"Host with a broken percent sign", "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n", 400, nil},
	{"Host with no address in brackets", "GET / HTTP/1.1\r\nHost: [::1::]\r\n\r\n", 400, nil},
	{"Host with an address with a zone", "GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", 400, nil},
	{"Host with IPv4 in brackets", "GET / HTTP/1.1\r\nHost: [127.0.0.1]\r\n\r\n", 400, nil},
	{"Host with something behind the brackets", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", 400, nil},
	{"Host with bytes above ASCII", "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", 400, nil},
	{"Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, nil},
	{"target and Host differ", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400, nil},
	{"target and Host differ in the port", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, nil},
	{"target and Host differ in an empty port's meaning", "GET https://a:/ HTTP/1.1\r\nHost: a:80\r\n\r\n", 400, nil},
	{"two Hosts with an absolute target", "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, nil},
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
	{"19 digits", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 9999999999999999999\r\n\r\n", 400, nil},
	{"20 digits", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 12345678901234567890\r\n\r\n", 400, nil},
	{"length and chunked", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, nil},
	{"chunked and length", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400, nil},
	{"chunked in 1.0", "PUT / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", 400, nil},
	{"chunked twice", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, nil},
	{"gzip in 1.0", "PUT / HTTP/1.0\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 400, nil},
	{"length with white space alone", "PUT / HTTP/1.1\r\n" + host + "Content-Length: \t \r\n\r\n", 400, nil},
	{"fractional length", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 1.0\r\n\r\n", 400, nil},
	{"a length and none", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-length:\r\n\r\n", 400, nil},
	{"chunked with a parameter", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked;a=b\r\n\r\n", 400, nil},
	{"chunked with a comma", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: ,chunked\r\n\r\n", 400, nil},
	{"chunked, gzip", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, gzip\r\n\r\n", 501, nil},
	{"long coding", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: " + strings.Repeat("x", 100) + "\r\n\r\n", 501, nil},
	{"chunked, chunked", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400, nil},
	{"empty coding", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n\r\n", 400, nil},
	{"vertical tab in the coding", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n", 400, nil},
	{"quoted coding", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: \"chunked\"\r\n\r\n", 400, nil},
	{"gzip", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, nil},
	{"identity", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\n\r\n", 501, nil},
	{"xchunked", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n", 501, nil},
	{"two expectations", "PUT / HTTP/1.1\r\n" + host + "Expect: 100-continue, x\r\n\r\n", 417, nil},
	{"other expectation", "PUT / HTTP/1.1\r\n" + host + "Expect: 200-ok\r\n\r\n", 417, nil},

	// Limits.
	{"long request line", "GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\n" + host + "\r\n", 414, nil},
	{"endless request line", "GET /" + strings.Repeat("a", 9000), 414, nil},
	{"long field", "GET / HTTP/1.1\r\n" + host + "A: " + strings.Repeat("a", 20000) + "\r\n\r\n", 431, nil},
	{"endless field", "GET / HTTP/1.1\r\n" + host + "A: " + strings.Repeat("a", 20000), 431, nil},
	{"long head", "GET / HTTP/1.1\r\n" + host + strings.Repeat("A: "+strings.Repeat("a", 10000)+"\r\n", 7) + "\r\n", 431, nil},
	{"endless head", "GET / HTTP/1.1\r\n" + strings.Repeat("A: "+strings.Repeat("a", 10000)+"\r\n", 7), 431, nil},
	{"endless fields", "GET / HTTP/1.1\r\n" + host + strings.Repeat("A: b\r\n", 100), 431, nil},
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

// feed gives wire to a parser, piece bytes more at a time, in other memory each time.
func feed(p *Parser, wire string, piece int) (n int, err error) {
	for end := min(piece, len(wire)); ; end = min(end+piece, len(wire)) {
		if n, err = p.Parse([]byte(wire[:end])); n != 0 || err != nil || end == len(wire) {
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

// Each limit is what it says, to the byte, in whatever pieces the head comes.
func TestLimitsToTheByte(t *testing.T) {
	line := "GET /abc HTTP/1.1"
	field := "Field: a value"
	wire := line + "\r\n" + field + "\r\n" + host + "\r\n"
	for _, c := range []struct {
		name   string
		set    func(l *Limits, n int)
		least  int // the lowest limit that lets wire pass
		status int
	}{
		{"request line", func(l *Limits, n int) { l.RequestLine = n }, len(line), 414},
		{"field", func(l *Limits, n int) { l.FieldSize = n }, len(host) - 2, 431},
		{"head", func(l *Limits, n int) { l.Head = n }, len(wire) - 2, 431},
		{"fields", func(l *Limits, n int) { l.Fields = n }, 2, 431},
	} {
		for _, piece := range []int{1 << 20, 1, 7} {
			var p Parser
			c.set(&p.Limits, c.least)
			if n, err := feed(&p, "\r\n"+wire, piece); n != 2+len(wire) || err != nil {
				t.Errorf("%s, %d at a time: %v at the limit", c.name, piece, err)
			}
			c.set(&p.Limits, c.least-1)
			var refused *Error
			if _, err := feed(&p, "\r\n"+wire, piece); !errors.As(err, &refused) || refused.Status != c.status {
				t.Errorf("%s, %d at a time: %v past the limit", c.name, piece, err)
			}
		}
	}
}

// When one byte passes two limits, the line's is named: it says more.
func TestTwoLimitsAtOnce(t *testing.T) {
	for _, piece := range []int{1 << 20, 1} {
		p := Parser{Limits: Limits{RequestLine: 10, Head: 10}}
		var refused *Error
		if _, err := feed(&p, "GET /abc HTTP/1.1\r\n", piece); !errors.As(err, &refused) || refused.Status != 414 {
			t.Errorf("%d at a time: %v", piece, err)
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

// A request costs no memory once a connection's parser has had one like it.
func TestNoAllocations(t *testing.T) {
	wire, err := os.ReadFile("testdata/requests/browser.http")
	if err != nil {
		t.Fatal(err)
	}
	p := Parser{Limits: DefaultLimits()}
	var date Date
	var out []byte
	chunk := []byte("5;a\r\nhello\r\n")
	h := bridge.ResponseHead{Status: 404, Lines: []byte("Content-Length: 5\r\n"), BodyLength: 5}
	now := time.Unix(1e9, 0)
	n := testing.AllocsPerRun(100, func() {
		p.Reset()
		if n, err := p.Parse(wire); n != len(wire) || err != nil {
			t.Fatal(n, err)
		}
		var c Chunked
		if _, data, _, err := c.Next(chunk); string(data) != "hello" || err != nil {
			t.Fatal(data, err)
		}
		now = now.Add(time.Second)
		out, _, _ = AppendHead(out[:0], &h, &Response{Minor: 1, KeepAlive: true, Date: date.At(now), Server: "gobridge"})
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Reset forgets what had come of a head.
func TestReset(t *testing.T) {
	p := Parser{Limits: Limits{Head: 100}, RefuseUnderscores: true}
	if n, err := p.Parse(nil); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := p.Parse([]byte("\r\nGET / HTTP/1.1\r\nHost")); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	p.Reset()
	wire := "PUT /a HTTP/1.0\r\n\r\n"
	if n, err := p.Parse([]byte(wire)); n != len(wire) || err != nil || len(p.Request.Fields) != 0 {
		t.Error(n, err)
	}
	if p.Limits.Head != 100 || !p.RefuseUnderscores {
		t.Error("the settings are gone")
	}
}
