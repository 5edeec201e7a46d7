package uwsgi

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"gobridge/bridge"
	"gobridge/protocol/http1"
)

// HeaderSize is that of a packet's header; MaxSize that of the longest packet there is.
const (
	HeaderSize = 4
	MaxSize    = HeaderSize + 65535
)

// Parser parses the packets of requests, one after the other. The zero value with Local is
// ready.
type Parser struct {
	Local *bridge.Peer // between whom a request is as far as it does not say so itself

	// What Parse found. It points into the packet.
	Request    bridge.Request
	Ping       bool       // it is no request: Pong is the answer
	HeadMethod bool       // the method is HEAD
	Client     netip.Addr // REMOTE_ADDR; invalid: it is no address
	ClientUnix bool       // REMOTE_ADDR says that the client has connected to a unix socket of the web server's
	Forwarded  bool       // there is a field with which proxies speak of the client: see http1.Forwarding
	WantsJSON  bool       // the client would rather have an error as JSON
	Sparse     bool       // REQUEST_METHOD was not sent
	NamesCode  bool       // a variable names code to load, as uWSGI does: nobody loads it here
	Reserved   bool       // a variable pretended to be one of the server's own, and was left out

	gateway bridge.Gateway
	peer    bridge.Peer
	parsed  string // the text that Client was parsed from
	made    []byte // what was not sent
	sent    sent
	places  map[string]int // where the variables stand, by name; nil: they are few
}

// Pong is the answer to a ping (modifier 100): the server is well.
var Pong = []byte{modifierPing, 0, 0, 1}

// Reset drops what was found.
func (p *Parser) Reset() {
	clear(p.Request.Fields)
	clear(p.gateway.Variables)
	// The peer's texts are kept: the next request's are often the same, and need not be made.
	*p = Parser{Local: p.Local, peer: p.peer, parsed: p.parsed, Client: p.Client, made: p.made[:0],
		Request: bridge.Request{Fields: p.Request.Fields[:0]}, gateway: bridge.Gateway{Variables: p.gateway.Variables[:0]}}
}

// Parse looks for a whole packet at the beginning of b and parses it, changing bytes in it.
// It returns the packet's size, or 0 when there must come more: then it is called again with
// the same bytes and those that came since. An error is an *http1.Error with the status to
// answer with, and it is the same in whatever pieces the packet came.
func (p *Parser) Parse(b []byte) (int, error) {
	if len(b) < HeaderSize {
		return 0, nil
	}
	if err := stranger([HeaderSize]byte(b)); err != nil {
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
	if err := p.finish(modifier); err != nil {
		return 0, err
	}
	return size, nil
}

// next takes the first variable off b. They are counted from 1.
func next(b []byte, count int) (name, value, rest []byte, err error) {
	if name, rest, err = text(b, count, "name"); err != nil {
		return nil, nil, nil, err
	}
	if len(name) == 0 {
		return nil, nil, nil, bad("variable %d of the uwsgi packet has an empty name", count)
	}
	value, rest, err = text(rest, count, "value")
	return name, value, rest, err
}

// text takes a text with its size before it off b.
func text(b []byte, count int, what string) (text, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, bad("the uwsgi packet ends before the %s of variable %d: its size is missing", what, count)
	}
	size := int(binary.LittleEndian.Uint16(b))
	if b = b[2:]; size > len(b) {
		return nil, nil, bad("the %s of variable %d is %d bytes long, and the uwsgi packet has only %d left", what, count, size, len(b))
	}
	return b[:size], b[size:], nil
}

// stranger tells a packet's header from what other protocols begin with.
func stranger(b [HeaderSize]byte) error {
	switch {
	case b[0] == 0x16 && b[1] == 3:
		return bad("this is TLS, and the port speaks the uwsgi protocol without it")
	case string(b[:]) == "PROX" || string(b[:]) == "\r\n\r\n":
		return bad("this is a PROXY protocol header, and the port speaks the uwsgi protocol, which goes without")
	case b[0] >= 'A' && b[0] <= 'Z' && word(b[1]) && word(b[2]) && word(b[3]):
		return bad("this is HTTP, and the port speaks the uwsgi protocol: in nginx it is for uwsgi_pass, and not for proxy_pass; for HTTP there is a --bind without uwsgi:")
	}
	return nil
}

// word says whether a byte may follow the first letter of an HTTP method.
func word(c byte) bool { return c >= 'A' && c <= 'Z' || c == ' ' }

func bad(format string, a ...any) *http1.Error {
	return &http1.Error{Status: 400, Reason: fmt.Sprintf(format, a...)}
}
