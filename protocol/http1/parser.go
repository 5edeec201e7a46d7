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
	Forwarded  bool // there is a field with which proxies speak of the client: see Forwarding
	WebSocket  bool // the client asks for an upgrade to websocket (RFC 9110 section 7.8)
	WantsJSON  bool // the client would rather have an error as JSON; also of a request that is refused

	scanned int   // bytes in which the end was looked for
	line    int   // where the line that they end in begins
	start   int   // where the request line begins: behind an empty line
	ends    []int // where the whole lines of the head end, before their CR LF
	seen    fieldsSeen
}

// keepFields is for how many fields a parser keeps memory: what only an unusual head needs would
// stay with it, and nobody counts it.
const keepFields = 256

// dropMuch drops the memory for more fields than that.
func (p *Parser) dropMuch() {
	if cap(p.Request.Fields) > keepFields {
		p.Request.Fields, p.ends = nil, nil
	}
}

// Forget drops what was found, for the buffer that it points into is given back while the request
// goes on.
func (p *Parser) Forget() {
	p.dropMuch()
	fields := p.Request.Fields
	clear(fields[:cap(fields)])
	p.Request, p.seen = bridge.Request{Fields: fields[:0]}, fieldsSeen{}
}

// Reset makes the parser ready for another connection, and drops what it found.
func (p *Parser) Reset() {
	p.dropMuch()
	clear(p.Request.Fields)
	*p = Parser{Limits: p.Limits, RefuseUnderscores: p.RefuseUnderscores,
		Request: bridge.Request{Fields: p.Request.Fields[:0]}, ends: p.ends[:0]}
}

// Release gives the parser's memory back.
func (p *Parser) Release() { *p = Parser{Limits: p.Limits, RefuseUnderscores: p.RefuseUnderscores} }

// Parse looks for a whole head at the beginning of b and parses it. It returns the
// head's size with the blank line, or 0 when there must come more: then it is called
// again with the same bytes and those that came since, which may have moved. An error
// is an *Error, and it is the same in whatever pieces the head came.
func (p *Parser) Parse(b []byte) (int, error) {
	size, err := p.findEnd(b)
	if err != nil {
		p.WantsJSON = p.acceptsJSON(b)
		return 0, err
	}
	if size == 0 {
		return 0, nil
	}
	start := p.start
	p.scanned, p.line, p.start = 0, 0, 0
	if err := p.parse(b, start); err != nil {
		p.WantsJSON = p.acceptsJSON(b)
		return 0, err
	}
	return size, nil
}

// findEnd goes on looking for the blank line behind a head, and notes where its lines
// end. It sees each byte once. A line that does not end with CR LF is refused here, and
// so is what is too large, as soon as that is known.
func (p *Parser) findEnd(b []byte) (int, error) {
	if p.scanned == 0 {
		if p.ends = p.ends[:0]; len(b) == 0 {
			return 0, nil
		}
		if err := firstByte(b[0]); err != nil {
			return 0, err
		}
	}
	for {
		n := bytes.IndexByte(b[p.scanned:], '\n')
		if n < 0 {
			p.scanned = len(b)
			if plantedBug && len(p.ends) == 6 && b[len(b)-1] == '\r' {
				p.scanned++
			}
			return 0, p.tooLong(len(b) - 1) // the last byte may be a CR
		}
		at := p.scanned + n
		if at == p.line || b[at-1] != '\r' {
			if err := p.tooLong(at); err != nil {
				return 0, err
			}
			return 0, bad("%s ends with a bare line feed", p.lineName())
		}
		if err := p.tooLong(at - 1); err != nil {
			return 0, err
		}
		p.scanned = at + 1
		switch {
		case at-1 > p.line:
			if limit := p.Limits.Fields; limit > 0 && len(p.ends) > limit {
				return 0, tooLarge("the request has more than %d header fields", limit)
			}
			p.ends = append(p.ends, at-1)
		case len(p.ends) > 0:
			return at + 1, nil
		case p.start > 0:
			return 0, bad("the request begins with more than one empty line, as a PROXY protocol header does")
		default:
			p.start = at + 1 // RFC 9112 section 2.2: ignore one
		}
		p.line = at + 1
	}
}

// lineName says in which line findEnd is.
func (p *Parser) lineName() string {
	if len(p.ends) == 0 {
		return "the request line"
	}
	return fmt.Sprintf("line %d of the head", len(p.ends)+1)
}

// tooLong holds the line that ends at end (or has come so far) against the limits. Of two
// that are passed, the one that was passed first counts, so that it does not matter in
// which pieces the head came.
func (p *Parser) tooLong(end int) error {
	l := &p.Limits
	size := l.FieldSize
	if len(p.ends) == 0 {
		size = l.RequestLine
	}
	pastLine := size > 0 && end > p.line+size
	pastHead := l.Head > 0 && end > p.start+l.Head
	switch {
	case !pastLine && !pastHead:
		return nil
	case pastHead && (size == 0 || p.start+l.Head < p.line+size):
		return tooLarge("the request's head is longer than the limit of %d bytes", l.Head)
	case len(p.ends) == 0:
		return &Error{414, fmt.Sprintf("the request line is longer than the limit of %d bytes", size)}
	}
	return tooLarge("header field %d is longer than the limit of %d bytes", len(p.ends), size)
}

// firstByte refuses at once what will never be HTTP, and whose sender may be waiting.
func firstByte(c byte) error {
	switch {
	case c == 0x16:
		return bad("this is TLS, and the port speaks plain HTTP")
	case c == 0:
		return bad("the request begins with the byte 0x00, as the uwsgi protocol does, and the port speaks HTTP")
	case c == 1:
		return bad("the request begins with the byte 0x01, as FastCGI does, and the port speaks HTTP")
	case chars[c]&isToken == 0 && c != '\r' && c != '\n':
		return bad("the request begins with the byte 0x%02x, which is no HTTP", c)
	}
	return nil
}

// proxyLine begins a PROXY protocol header of version 1.
var proxyLine = []byte("PROXY ")

// parse parses the head whose request line begins at start and whose lines findEnd noted.
func (p *Parser) parse(b []byte, start int) error {
	clear(p.Request.Fields)
	p.Request = bridge.Request{Fields: p.Request.Fields[:0]}
	p.seen, p.Forwarded, p.WebSocket, p.WantsJSON = fieldsSeen{}, false, false, false
	end := p.ends[0]
	if err := p.requestLine(b[start:end]); err != nil {
		if bytes.HasPrefix(b[start:end], proxyLine) {
			return bad("this is a PROXY protocol header, and the port expects none")
		}
		return err
	}
	for i, next := range p.ends[1:] {
		if err := p.field(b[end+2:next], i+1); err != nil {
			return err
		}
		end = next
	}
	return p.finish()
}

// finish checks what can be known only with all fields at hand.
func (p *Parser) finish() error {
	q, s := &p.Request, &p.seen
	if err := p.checkHost(); err != nil {
		return err
	}
	if s.coding {
		if s.length {
			return bad("the request has both Content-Length and Transfer-Encoding")
		}
		q.BodyLength = -1
	}
	if q.Minor == 0 {
		q.Expect = false // RFC 9110 section 10.1.1
	}
	p.KeepAlive = !s.close && (q.Minor == 1 || s.keepAlive)
	p.WebSocket = s.webSocket && s.upgrade && q.Minor == 1
	p.HeadMethod = string(q.Method) == "HEAD"
	return nil
}
