package uwsgi

import (
	"encoding/binary"

	"gobridge/protocol/cgi"
)

// HeaderSize is that of a packet's header; MaxSize that of the longest packet there is.
const (
	HeaderSize = 4
	MaxSize    = HeaderSize + cgi.MaxSize
)

// Protocol is what this one is called.
var Protocol = cgi.Protocol{Name: "uwsgi", Title: "the uwsgi protocol", Block: "the uwsgi packet", Tunnels: true}

// Parser parses the packets of requests, one after the other. What NewParser returns, with Local,
// is ready.
type Parser struct {
	cgi.Head      // what Parse found. It points into the packet
	Ping     bool // it is no request: Pong is the answer
}

// NewParser makes a parser.
func NewParser() *Parser { return &Parser{Head: cgi.Head{Protocol: &Protocol}} }

// Pong is the answer to a ping (modifier 100): the server is well.
var Pong = []byte{modifierPing, 0, 0, 1}

// Reset drops what was found.
func (p *Parser) Reset() {
	p.Head.Reset()
	p.Ping = false
}

// Parse looks for a whole packet at the beginning of b and parses it, changing bytes in it.
// It returns the packet's size, or 0 when there must come more: then it is called again with
// the same bytes and those that came since. An error is an *http1.Error with the status to
// answer with, and it is the same in whatever pieces the packet came.
func (p *Parser) Parse(b []byte) (int, error) {
	if len(b) < HeaderSize {
		return 0, nil
	}
	if err := Protocol.Stranger([HeaderSize]byte(b)); err != nil {
		return 0, err
	}
	modifier := b[0]
	if err := known(modifier); err != nil {
		return 0, err
	}
	size := HeaderSize + int(binary.LittleEndian.Uint16(b[1:]))
	if len(b) < size {
		return 0, nil
	}
	p.Reset()
	if modifier == modifierPing {
		p.Ping = true
		return size, nil
	}
	if err := p.variables(b[HeaderSize:size]); err != nil {
		return 0, err
	}
	if err := p.Finish(modifier == modifierMounted); err != nil {
		return 0, err
	}
	return size, nil
}

// variables takes the packet's variables apart.
func (p *Parser) variables(b []byte) error {
	for count := 1; len(b) > 0; count++ {
		name, value, rest, err := next(b, count)
		if err != nil {
			return err
		}
		b = rest
		if err := p.Add(name, value); err != nil {
			return err
		}
	}
	return nil
}

// next takes the first variable off b. They are counted from 1.
func next(b []byte, count int) (name, value, rest []byte, err error) {
	if name, rest, err = text(b, count, "name"); err != nil {
		return nil, nil, nil, err
	}
	if len(name) == 0 {
		return nil, nil, nil, cgi.Malformed("variable %d of the uwsgi packet has an empty name", count)
	}
	value, rest, err = text(rest, count, "value")
	return name, value, rest, err
}

// text takes a text with its size before it off b.
func text(b []byte, count int, what string) (text, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, cgi.Malformed("the uwsgi packet ends before the %s of variable %d: its size is missing", what, count)
	}
	size := int(binary.LittleEndian.Uint16(b))
	if b = b[2:]; size > len(b) {
		return nil, nil, cgi.Malformed("the %s of variable %d is %d bytes long, and the uwsgi packet has only %d left", what, count, size, len(b))
	}
	return b[:size], b[size:], nil
}
