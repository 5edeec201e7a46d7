package http1

import (
	"bytes"

	"gobridge/bridge"
)

// fieldsSeen is what the fields that concern the connection itself have said.
type fieldsSeen struct {
	hosts       int
	host        []byte
	authority   []byte // of an absolute request target
	defaultPort string // of that target's scheme
	length      bool   // a Content-Length came
	coding      bool   // a Transfer-Encoding came
	close       bool
	keepAlive   bool
	upgrade     bool // Connection says so
	webSocket   bool // Upgrade lists it
}

// field parses header field number count (RFC 9112 section 5).
func (p *Parser) field(b []byte, count int) error {
	n, kinds := 0, uint8(0)
	for n < len(b) && chars[b[n]]&isToken != 0 {
		kinds |= chars[b[n]]
		n++
	}
	if n == 0 || n == len(b) || b[n] != ':' {
		return badName(b, n, count)
	}
	name, value := b[:n], trim(b[n+1:])
	if i := text(value); i < len(value) {
		return bad("header field %d (%s) has the control character 0x%02x at place %d of its value", count, short(name), value[i], i+1)
	}
	if kinds&isUnderscore != 0 {
		if p.RefuseUnderscores {
			return bad("header field %d (%s) has an underscore in its name", count, short(name))
		}
		return nil
	}
	p.Request.Fields = append(p.Request.Fields, bridge.Field{Name: name, Value: value})
	return p.special(name, value)
}

// badName says why a field's name, which ends at n, is refused.
func badName(b []byte, n, count int) error {
	white := n < len(b) && (b[n] == ' ' || b[n] == '\t')
	switch {
	case n == 0 && white:
		return bad("header field %d begins with white space: folded lines are not taken", count)
	case n == 0 && b[0] == ':':
		return bad("header field %d has no name", count)
	case n == len(b):
		return bad("header field %d (%s) has no colon", count, short(b))
	case white:
		return bad("header field %d (%s) has white space in its name or before the colon", count, short(b[:n]))
	}
	return bad("header field %d has the byte 0x%02x at place %d of its name", count, b[n], n+1)
}

// special deals with the fields that say how the request is to be read.
func (p *Parser) special(name, value []byte) error {
	if name[0]|0x20 == 'x' {
		p.Forwarded = p.Forwarded || Forwarding(name)
		return nil
	}
	switch len(name) {
	case 2:
		if bridge.EqualFold(name, "te") {
			p.Request.Trailers = p.Request.Trailers || Lists(value, "trailers") // RFC 9110 section 10.1.4
		}
	case 4:
		if bridge.EqualFold(name, "host") {
			p.seen.hosts++
			p.seen.host = value
		}
	case 6:
		if bridge.EqualFold(name, "accept") {
			p.WantsJSON = p.WantsJSON || PrefersJSON(value)
		} else if bridge.EqualFold(name, "expect") {
			return p.expect(value)
		}
	case 7:
		if bridge.EqualFold(name, "upgrade") {
			p.seen.webSocket = p.seen.webSocket || Lists(value, "websocket")
		}
	case 9:
		p.Forwarded = p.Forwarded || bridge.EqualFold(name, "forwarded")
	case 10:
		if bridge.EqualFold(name, "connection") {
			p.connection(value)
		}
	case 14:
		if bridge.EqualFold(name, "content-length") {
			return p.contentLength(value)
		}
	case 17:
		if bridge.EqualFold(name, "transfer-encoding") {
			return p.transferEncoding(value)
		}
	}
	return nil
}

// Forwarding says whether a field is one with which proxies speak of the client: Forwarded
// (RFC 7239), X-Forwarded-For and all the others that begin so, and X-Real-IP.
func Forwarding(name []byte) bool {
	const begin = "x-forwarded-"
	return len(name) > len(begin) && bridge.EqualFold(name[:len(begin)], begin) || bridge.EqualFold(name, "x-real-ip") || bridge.EqualFold(name, "forwarded")
}

func (p *Parser) expect(value []byte) error {
	if !bridge.EqualFold(value, "100-continue") {
		return &Error{417, "only Expect: 100-continue is understood"}
	}
	p.Request.Expect = true
	return nil
}

func (p *Parser) connection(value []byte) {
	for more := true; more; {
		var option []byte
		option, value, more = bytes.Cut(value, comma)
		option = trim(option)
		p.seen.close = p.seen.close || bridge.EqualFold(option, "close")
		p.seen.keepAlive = p.seen.keepAlive || bridge.EqualFold(option, "keep-alive")
		p.seen.upgrade = p.seen.upgrade || bridge.EqualFold(option, "upgrade")
	}
}

// Lists says whether one of the words of a field, between commas, is this one, which is in lower
// case (RFC 9110 section 5.6.1).
func Lists(value []byte, word string) bool {
	for more := true; more; {
		var each []byte
		if each, value, more = bytes.Cut(value, comma); bridge.EqualFold(trim(each), word) {
			return true
		}
	}
	return false
}

var comma = []byte(",")

// lengthDigits is how many digits a length may have: every number of so many fits.
const lengthDigits = 18

func (p *Parser) contentLength(value []byte) error {
	if p.seen.length {
		return bad("the request has two Content-Length fields")
	}
	p.seen.length = true
	if len(value) == 0 || !all(value, isDigit) {
		return bad("Content-Length is not a number")
	}
	if len(value) > lengthDigits {
		return bad("Content-Length has %d digits", len(value))
	}
	n := int64(0)
	for _, c := range value {
		n = n*10 + int64(c-'0')
	}
	p.Request.BodyLength = n
	return nil
}

func (p *Parser) transferEncoding(value []byte) error {
	if p.seen.coding {
		return bad("the request has two Transfer-Encoding fields")
	}
	p.seen.coding = true
	if p.Request.Minor == 0 {
		return bad("Transfer-Encoding in an HTTP/1.0 request")
	}
	if bridge.EqualFold(value, "chunked") {
		return nil
	}
	for more := true; more; {
		var coding []byte
		coding, value, more = bytes.Cut(value, comma)
		if coding = trim(coding); len(coding) > 0 && all(coding, isToken) && !bridge.EqualFold(coding, "chunked") {
			return &Error{501, "the transfer coding " + short(coding) + " is not known here; only chunked is"}
		}
	}
	return bad("Transfer-Encoding is not exactly «chunked»")
}
