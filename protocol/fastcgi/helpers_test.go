package fastcgi

import (
	"fmt"

	"gobridge/protocol/cgi/cgitest"
)

// raw makes a record of any kind, with padding that looks like content.
func raw(kind byte, id uint16, content string, padding int) string {
	b := appendHeader(nil, kind, id, len(content))
	b[6] = byte(padding)
	b = append(b, content...)
	for range padding {
		b = append(b, 0xAA)
	}
	return string(b)
}

func begin(id uint16, role, flags byte) string {
	return raw(kindBegin, id, string([]byte{0, role, flags, 0, 0, 0, 0, 0}), 0)
}

// params are the parameters' bytes.
func params(variables ...string) string {
	var b []byte
	for _, f := range cgitest.Fields(variables...) {
		b = appendPair(b, f.Name, f.Value)
	}
	return string(b)
}

// asks is a head without what comes behind it.
func asks(id uint16, variables ...string) string {
	return string(AppendRequest(nil, id, true, cgitest.Fields(variables...)))
}

func brings(id uint16, body string) string { return string(AppendStdin(nil, id, []byte(body))) }
func ends(id uint16) string                { return string(AppendStdinEnd(nil, id)) }

func newParser() *Parser {
	p := NewParser()
	p.Local = &cgitest.Local
	p.MaxConnections = 99
	return p
}

// parse parses a copy, for the parser changes what it is given.
func parse(text string) (*Parser, int, error) {
	p := newParser()
	n, err := p.Parse([]byte(text))
	return p, n, err
}

// told is everything that was found out.
func told(p *Parser) string {
	text := fmt.Sprint(p.ID, p.Keep, p.Whole, p.Aborted, p.Closes, p.length, p.ended)
	if p.Whole {
		text += cgitest.Describe(&p.Head) + cgitest.Remarks(&p.Head)
	}
	return text
}

// A run is what came of a whole connection.
type run struct {
	text string // of each request
	end  string // of the connection
}

// converse has a parser take what a connection brings, in pieces that end at the cuts, as a server
// would that answers at once.
func converse(text []byte, cuts ...int) run {
	var out run
	p := newParser()
	b := []byte(nil)
	at := 0
	for _, cut := range append(cuts, len(text)) {
		if cut < at || cut > len(text) {
			continue
		}
		b = append(append([]byte(nil), b...), text[at:cut]...)
		at = cut
		for out.end == "" {
			n := out.step(p, b)
			if b = b[n:]; n == 0 {
				break
			}
		}
	}
	return out
}

// step takes what is next, and returns how many bytes that was.
func (o *run) step(p *Parser, b []byte) int {
	if !p.Whole {
		n, err := p.Parse(b)
		o.text += string(p.Reply)
		p.Reply = p.Reply[:0]
		switch {
		case err != nil:
			o.end = err.Error()
		case p.Whole:
			o.text += "\n" + told(p) + "\n"
			o.finish(p)
		case n > 0 && p.Closes:
			o.end = "closed"
		case n > 0:
			p.Reset()
		}
		return n
	}
	n, data, _, err := p.Next(b)
	o.text += string(data) + string(p.Reply)
	p.Reply = p.Reply[:0]
	if err != nil {
		o.end = err.Error()
	}
	o.finish(p)
	return n
}

// finish answers a request that is whole, or was given up.
func (o *run) finish(p *Parser) {
	if !p.ended && !p.Aborted {
		return
	}
	o.text += fmt.Sprint("\nended ", p.Aborted, "\n")
	if !p.Keep {
		o.end = "closed"
	}
	p.Reset()
}
