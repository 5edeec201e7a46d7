package http1

import (
	"bytes"

	"gobridge/bridge"
)

// requestLine parses "method SP target SP HTTP/1.x" (RFC 9112 section 3).
func (p *Parser) requestLine(b []byte) error {
	q := &p.Request
	n := span(b, isToken)
	if n == 0 || n == len(b) || b[n] != ' ' {
		return badMethod(b, n)
	}
	q.Method, b = b[:n], b[n+1:]
	if n = bytes.IndexByte(b, ' '); n < 1 {
		return bad("the request line is not «method target version», with one space between them")
	}
	q.Target = b[:n]
	if i := span(q.Target, isTarget); i < n {
		return badTarget(q.Target[i], i)
	}
	if err := p.version(b[n+1:]); err != nil {
		return err
	}
	return p.target()
}

func badMethod(b []byte, n int) error {
	if n == 0 || n == len(b) {
		return bad("the request line is not «method target version», with one space between them")
	}
	return bad("the method has the byte 0x%02x at its place %d", b[n], n+1)
}

func badTarget(c byte, at int) error {
	if c == '#' {
		return bad("the request target has a fragment (#), at its place %d", at+1)
	}
	return bad("the request target has the byte 0x%02x at its place %d", c, at+1)
}

func (p *Parser) version(b []byte) error {
	switch string(b) {
	case "HTTP/1.1":
		p.Request.Minor = 1
		return nil
	case "HTTP/1.0":
		return nil
	}
	if len(b) == 8 && string(b[:5]) == "HTTP/" && chars[b[5]]&isDigit != 0 && b[5] != '1' && b[6] == '.' && chars[b[7]]&isDigit != 0 {
		return &Error{505, "the request's version is " + string(b) + "; HTTP/1.1 and HTTP/1.0 are spoken here"}
	}
	return bad("the request line does not end with HTTP/1.1 or HTTP/1.0")
}

// target takes the request target apart into path and query (RFC 9112 section 3.2).
func (p *Parser) target() error {
	q := &p.Request
	path := q.Target
	if path[0] != '/' || string(q.Method) == "CONNECT" {
		var err error
		if path, err = p.otherTarget(); err != nil {
			return err
		}
	}
	q.Path = path
	if n := bytes.IndexByte(path, '?'); n >= 0 {
		q.Path, q.Query = path[:n], path[n+1:]
	}
	if len(q.Path) == 0 {
		q.Path = slash
	}
	return nil
}

var slash = []byte("/")

// otherTarget takes a target that is no path, and returns what is path and query in it.
func (p *Parser) otherTarget() ([]byte, error) {
	b := p.Request.Target
	if string(p.Request.Method) == "CONNECT" {
		return nil, &Error{501, "CONNECT asks for a tunnel, and this is no proxy"}
	}
	if string(b) == "*" {
		if string(p.Request.Method) != "OPTIONS" {
			return nil, bad("the request target is *, which only OPTIONS may ask for")
		}
		return b, nil
	}
	from, port := schemeOf(b)
	if from == 0 {
		return nil, bad("the request target is neither a path nor a URL of http or https")
	}
	end := from
	for end < len(b) && b[end] != '/' && b[end] != '?' {
		end++
	}
	if !ValidHost(b[from:end]) {
		return nil, bad("the host in the request target is not valid")
	}
	p.seen.authority, p.seen.defaultPort = b[from:end], port
	return b[end:], nil
}

// schemeOf is the size of http:// or https:// in front of b, and the port that goes
// without saying; 0 when it has neither.
func schemeOf(b []byte) (size int, port string) {
	switch {
	case len(b) > 7 && bridge.EqualFold(b[:7], "http://"):
		return 7, "80"
	case len(b) > 8 && bridge.EqualFold(b[:8], "https://"):
		return 8, "443"
	}
	return 0, ""
}
