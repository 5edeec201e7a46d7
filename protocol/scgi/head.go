package scgi

import (
	"bytes"

	"gobridge/protocol/cgi"
)

// Protocol is what this one is called.
var Protocol = cgi.Protocol{Name: "scgi", Title: "SCGI", Block: "the SCGI head", NoScript: true}

// Parser parses the heads of requests, one after the other. What NewParser returns, with Local,
// is ready.
type Parser struct {
	cgi.Head // what Parse found. It points into what was parsed
}

// NewParser makes a parser.
func NewParser() *Parser { return &Parser{Head: cgi.Head{Protocol: &Protocol}} }

// Parse looks for a whole head at the beginning of b and parses it, changing bytes in it. It
// returns the head's size, or 0 when there must come more: then it is called again with the same
// bytes and those that came since. An error is an *http1.Error with the status to answer with,
// and it is the same in whatever pieces the head came.
func (p *Parser) Parse(b []byte) (int, error) {
	if len(b) < cgi.SniffSize {
		return 0, nil
	}
	if err := Protocol.Stranger([cgi.SniffSize]byte(b)); err != nil {
		return 0, err
	}
	from, size, err := p.size(b)
	if err != nil || from == 0 {
		return 0, err
	}
	end := from + size
	if len(b) <= end {
		return 0, nil
	}
	p.Reset()
	if b[end] != ',' {
		return 0, cgi.Malformed("the SCGI head of %d bytes is followed by the byte 0x%02x, and not by a comma", size, b[end])
	}
	if err := p.variables(b[from:end]); err != nil {
		return 0, err
	}
	if err := p.Finish(false); err != nil {
		return 0, err
	}
	return end + 1, nil
}

// size reads the size of the variables, and says where they begin; 0: it is not whole yet.
func (p *Parser) size(b []byte) (from, size int, err error) {
	for i, c := range b {
		switch {
		case c == ':' && i > 0:
			return i + 1, size, nil
		case c < '0' || c > '9':
			return 0, 0, cgi.Malformed("the size of the SCGI head is not a number")
		case i == 1 && size == 0:
			return 0, 0, cgi.Malformed("the size of the SCGI head has a zero before it")
		}
		if size = size*10 + int(c-'0'); size > cgi.MaxSize {
			return 0, 0, p.TooLarge()
		}
	}
	return 0, 0, nil
}

// variables takes the head's variables apart.
func (p *Parser) variables(b []byte) error {
	version := []byte(nil)
	for count := 1; len(b) > 0; count++ {
		name, value, rest, err := next(b, count)
		if err != nil {
			return err
		}
		switch {
		case count == 1 && (string(name) != "CONTENT_LENGTH" || len(value) == 0):
			return cgi.Malformed("the SCGI head does not begin with CONTENT_LENGTH and a number")
		case string(name) == "SCGI":
			version = value
		}
		if b = rest; version != nil && string(version) != "1" {
			return cgi.Malformed("the SCGI head is of another version of the protocol than 1")
		}
		if err := p.Add(name, value); err != nil {
			return err
		}
	}
	if version == nil {
		return cgi.Malformed("the SCGI head has no SCGI: in nginx, the location of scgi_pass needs include scgi_params")
	}
	return nil
}

// next takes the first variable off b. They are counted from 1.
func next(b []byte, count int) (name, value, rest []byte, err error) {
	name, rest, ok := bytes.Cut(b, nul)
	if len(name) == 0 {
		return nil, nil, nil, cgi.Malformed("variable %d of the SCGI head has an empty name", count)
	}
	if ok {
		value, rest, ok = bytes.Cut(rest, nul)
	}
	if !ok {
		return nil, nil, nil, cgi.Malformed("the SCGI head ends within variable %d", count)
	}
	return name, value, rest, nil
}

var nul = []byte{0}
