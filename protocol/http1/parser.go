package http1

import (
	"bytes"
	"fmt"

	"gobridge/bridge"
)

// Parser parses the heads of one connection's requests, one after the other. The zero
// value with Limits is ready.
type Parser struct {
	Limits Limits
	// RefuseUnderscores refuses field names with an underscore, instead of leaving the
	// fields out: HTTP_X_Y in environ could be either of X-Y and X_Y.
	RefuseUnderscores bool

	// What Parse found. It points into the buffer given to Parse.
	Request    bridge.Request
	KeepAlive  bool // the client lets the connection be used again
	HeadMethod bool // the method is HEAD

	scanned int // bytes in which the end was looked for
	line    int // where the line that they end in begins
	start   int // where the request line begins: behind an empty line
	begun   bool
	seen    fieldsSeen
}

// Reset makes the parser ready for another connection, and drops what it found.
func (p *Parser) Reset() {
	clear(p.Request.Fields)
	*p = Parser{Limits: p.Limits, RefuseUnderscores: p.RefuseUnderscores, Request: bridge.Request{Fields: p.Request.Fields[:0]}}
}

// Parse looks for a whole head at the beginning of b and parses it. It returns the
// head's size with the blank line, or 0 when there must come more: then it is called
// again with the same bytes and those that came since. An error is an *Error.
func (p *Parser) Parse(b []byte) (int, error) {
	end, err := p.findEnd(b)
	if end == 0 || err != nil {
		return 0, err
	}
	start := p.start
	p.scanned, p.line, p.start, p.begun = 0, 0, 0, false
	if err := p.parse(b[start : end-2]); err != nil {
		return 0, err
	}
	return end, nil
}

// findEnd goes on looking for the blank line behind a head. It sees each byte once. A
// line that does not end with CR LF is refused here, and so is what is too large.
func (p *Parser) findEnd(b []byte) (int, error) {
	if !p.begun && len(b) > 0 {
		if err := firstByte(b[0]); err != nil {
			return 0, err
		}
		p.begun = true
	}
	for {
		n := bytes.IndexByte(b[p.scanned:], '\n')
		if n < 0 {
			p.scanned = len(b)
			return 0, p.tooLong(len(b) - 1) // the last byte may be a CR
		}
		at := p.scanned + n
		if at == p.line || b[at-1] != '\r' {
			if err := p.tooLong(at); err != nil {
				return 0, err
			}
			return 0, bad("a line ends with a bare line feed")
		}
		if err := p.tooLong(at - 1); err != nil {
			return 0, err
		}
		p.scanned = at + 1
		if at-1 != p.line {
			p.line = at + 1
			continue
		}
		if p.line > p.start { // an empty line, and not the first
			return at + 1, nil
		}
		if p.start > 0 {
			return 0, bad("the request begins with more than one empty line")
		}
		p.start, p.line = at+1, at+1 // RFC 9112 section 2.2: ignore one
	}
}

// tooLong holds the line that ends at end (or has come so far) against the limits. Of two
// that are passed, the one that was passed first counts, so that it does not matter in
// which pieces the head came.
func (p *Parser) tooLong(end int) error {
	l := &p.Limits
	limit, what := p.line+l.FieldSize, l.FieldSize
	if p.line == p.start {
		limit, what = p.line+l.RequestLine, l.RequestLine
	}
	switch headLimit := p.start + l.Head; {
	case l.Head > 0 && end > headLimit && (what == 0 || headLimit < limit):
		return tooLarge("the request's head is longer than the limit of %d bytes", l.Head)
	case what == 0 || end <= limit:
		return nil
	case p.line == p.start:
		return &Error{414, fmt.Sprintf("the request line is longer than the limit of %d bytes", what)}
	}
	return tooLarge("a header field is longer than the limit of %d bytes", what)
}

// firstByte refuses at once what will never be HTTP, and whose sender may be waiting.
func firstByte(c byte) error {
	switch {
	case c == 0x16:
		return bad("this is TLS, and the port speaks plain HTTP")
	case chars[c]&isToken == 0 && c != '\r' && c != '\n':
		return bad("the request begins with the byte 0x%02x, which is no HTTP", c)
	}
	return nil
}

// parse parses a head without its blank line: lines that each end with CR LF.
func (p *Parser) parse(b []byte) error {
	clear(p.Request.Fields)
	p.Request = bridge.Request{Fields: p.Request.Fields[:0]}
	p.seen = fieldsSeen{}
	n := bytes.IndexByte(b, '\n')
	if err := p.requestLine(b[:n-1]); err != nil {
		return err
	}
	for count := 1; n+1 < len(b); count++ {
		b = b[n+1:]
		n = bytes.IndexByte(b, '\n')
		if limit := p.Limits.Fields; limit > 0 && count > limit {
			return tooLarge("the request has more than %d header fields", limit)
		}
		if err := p.field(b[:n-1], count); err != nil {
			return err
		}
	}
	return p.finish()
}

// finish checks what can be known only with all fields at hand.
func (p *Parser) finish() error {
	q, s := &p.Request, &p.seen
	if err := p.checkHost(); err != nil {
		return err
	}
	switch {
	case s.chunked && s.length:
		return bad("the request has both Content-Length and Transfer-Encoding")
	case s.chunked && q.Minor == 0:
		return bad("Transfer-Encoding in an HTTP/1.0 request")
	case s.chunked:
		q.BodyLength = -1
	}
	if q.Minor == 0 {
		q.Expect = false // RFC 9110 section 10.1.1
	}
	p.KeepAlive = !s.close && (q.Minor == 1 || s.keepAlive)
	p.HeadMethod = string(q.Method) == "HEAD"
	return nil
}
