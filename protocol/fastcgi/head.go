package fastcgi

import (
	"encoding/binary"

	"gobridge/protocol/cgi"
)

// maxHead is how many bytes a head may have with everything that comes amid it: the headers of
// records, padding, and records that are none of its own.
const maxHead = 4 * cgi.MaxSize

// Parser parses requests, one after the other: Parse the head, and Next the body. What NewParser
// returns, with Local, is ready, and so it is after Reset.
type Parser struct {
	cgi.Head           // what Parse found, if the head is whole. It points into what was parsed
	MaxConnections int // for web servers that ask; 0: it is not said

	ID      uint16 // of the request; 0: none has begun
	Keep    bool   // the web server wants to keep the connection
	Whole   bool   // the head is whole
	Aborted bool   // the web server has given the request up
	Closes  bool   // it has given it up, or was refused, and does not want to keep the connection
	Reply   []byte // what the web server is to be told at once, between two records of the answer

	// Of a head, as offsets.
	at       int // up to here it was looked at
	from, to int // here lie the parameters
	complete bool

	stdin
}

// NewParser makes a parser.
func NewParser() *Parser { return &Parser{Head: cgi.Head{Protocol: &Protocol}} }

// Reset drops what was found.
func (p *Parser) Reset() {
	p.Head.Reset()
	*p = Parser{Head: p.Head, MaxConnections: p.MaxConnections, Reply: p.Reply[:0]}
}

// Parse takes records from the beginning of b until a head is whole, changing bytes in it. It
// returns how many bytes it is through with, or 0 when there must come more: then it is called
// again with the same bytes and those that came since. If Whole is not set then, they were of no
// request, or of one that is over. An error is an *http1.Error with the status to answer with,
// and it is the same in whatever pieces the head came.
func (p *Parser) Parse(b []byte) (int, error) {
	if p.ID == 0 && len(b) >= cgi.SniffSize {
		if err := Protocol.Stranger([cgi.SniffSize]byte(b)); err != nil {
			return 0, err
		}
	}
	for {
		r, err := first(b[p.at:])
		if err != nil {
			return 0, err
		}
		if p.complete && r.is(kindStdin, p.ID) && (r.length > 0 || r.whole) {
			return p.finish(b, &r)
		}
		if p.at > maxHead {
			return 0, p.TooLarge()
		}
		if !r.whole {
			return 0, nil
		}
		if p.at += r.size; p.ID == 0 {
			err = p.outside(&r)
		} else {
			err = p.inside(b, &r)
		}
		if err != nil {
			return 0, err
		}
		if p.ID == 0 {
			n := p.at
			p.at, p.from, p.to, p.complete = 0, 0, 0, false
			return n, nil
		}
	}
}

// outside deals with a record while there is no request.
func (p *Parser) outside(r *record) error {
	if r.kind != kindBegin || r.id == 0 {
		return p.aside(r)
	}
	const size, responder, keep = 8, 1, 1
	if r.length != size {
		return cgi.Malformed("the content of BEGIN_REQUEST has %d bytes, and not %d", r.length, size)
	}
	role := binary.BigEndian.Uint16(r.content)
	if p.Keep = r.content[2]&keep != 0; role != responder {
		p.Reply = AppendEndRequest(p.Reply, r.id, UnknownRole)
		p.Closes = !p.Keep
		return nil
	}
	p.ID = r.id
	return nil
}

// inside deals with a record while a head is not whole, which ends p.at bytes into b.
func (p *Parser) inside(b []byte, r *record) error {
	switch {
	case r.id != p.ID:
		return p.aside(r)
	case r.kind == kindAbort:
		p.Reply = AppendEndRequest(p.Reply, p.ID, Complete)
		p.ID, p.Closes = 0, !p.Keep
		return nil
	case r.kind != kindParams || p.complete:
		if int(r.kind) >= len(kinds) || r.kind == 0 {
			return p.aside(r)
		}
		return r.misplaced()
	case r.length == 0:
		p.complete = true
		return nil
	}
	// The content goes behind what is there of the parameters, if it does not lie there already.
	begin := p.at - r.size + HeaderSize
	if p.to == 0 {
		p.from, p.to = begin, begin
	}
	if p.to+r.length-p.from > cgi.MaxSize {
		return p.TooLarge()
	}
	p.to += copy(b[p.to:begin+r.length], r.content)
	return nil
}

// finish makes the request, whose body begins or ends with a record.
func (p *Parser) finish(b []byte, r *record) (int, error) {
	if err := p.params(b[p.from:p.to]); err != nil {
		return 0, err
	}
	if err := p.Finish(false); err != nil {
		return 0, err
	}
	if !p.HasLength && r.length > 0 {
		p.Request.BodyLength = -1
	}
	p.length = p.Request.BodyLength
	n := p.at
	switch {
	case r.length > 0 && p.length == 0:
		return 0, errSurplus
	case r.length == 0 && p.length > 0:
		return 0, errShort
	case r.length == 0:
		p.ended = true
		n += r.size
	}
	p.Whole = true
	return n, nil
}
