package uwsgi

import (
	"bytes"
	"net/netip"
	"strings"

	"gobridge/bridge"
	"gobridge/protocol/http1"
)

// finish makes the request of what was sent.
func (p *Parser) finish(modifier byte) error {
	p.Request.Peer, p.Request.Gateway = &p.peer, &p.gateway
	p.gateway.Name = "uwsgi"
	if p.gateway.Protocol = p.sent.protocol; len(p.gateway.Protocol) == 0 {
		p.gateway.Protocol = []byte("HTTP/1.0")
	}
	if err := p.method(); err != nil {
		return err
	}
	if err := p.length(); err != nil {
		return err
	}
	if err := p.target(modifier); err != nil {
		return err
	}
	p.client()
	p.server()
	p.rest()
	return nil
}

func (p *Parser) method() error {
	q := &p.Request
	if q.Method = p.sent.method; len(q.Method) == 0 {
		q.Method, p.Sparse = []byte("GET"), true
		return nil
	}
	if !http1.IsToken(q.Method) {
		return bad("REQUEST_METHOD in the uwsgi packet is no method")
	}
	p.HeadMethod = string(q.Method) == "HEAD"
	return nil
}

// lengthDigits is how many digits a length may have: every number of so many fits.
const lengthDigits = 18

// length reads CONTENT_LENGTH, which web servers send empty when there is no body.
func (p *Parser) length() error {
	if len(p.sent.length) > lengthDigits {
		return bad("CONTENT_LENGTH in the uwsgi packet has %d digits or more", len(p.sent.length))
	}
	n := int64(0)
	for _, c := range p.sent.length {
		if c < '0' || c > '9' {
			return bad("CONTENT_LENGTH in the uwsgi packet is not a number")
		}
		n = n*10 + int64(c-'0')
	}
	p.Request.BodyLength = n
	return nil
}

// target says which path is asked for. REQUEST_URI has it as the client sent it, PATH_INFO as
// the web server has decoded it; either is made from the other one if it is missing.
func (p *Parser) target(modifier byte) error {
	q, g, s := &p.Request, &p.gateway, &p.sent
	q.Target, g.Script, g.Info = s.uri, s.script, s.info
	for i, c := range q.Target {
		if c <= ' ' || c == 0x7f {
			return bad("REQUEST_URI in the uwsgi packet has the byte 0x%02x at its place %d", c, i+1)
		}
	}
	if q.Query = s.query; len(q.Target) == 0 {
		p.makeTarget()
	}
	path, query, _ := bytes.Cut(q.Target, []byte("?"))
	path = pathOf(path)
	if q.Path = path; s.query == nil {
		q.Query = query
	}
	if g.Info == nil {
		g.Info = p.decode(path)
		modifier = modifierMounted // SCRIPT_NAME stands in it, if anywhere
	}
	if rest, below := bridge.CutRoot(g.Info, g.Script); below && modifier == modifierMounted {
		g.Info = rest
	}
	return nil
}

// makeTarget makes a target of the path and the query.
func (p *Parser) makeTarget() {
	g, from := &p.gateway, len(p.made)
	if _, below := bridge.CutRoot(g.Info, g.Script); !below {
		p.made = appendEncoded(p.made, g.Script, true)
	}
	p.made = appendEncoded(p.made, g.Info, true)
	if len(p.made) == from {
		p.made = append(p.made, '/')
	}
	if len(p.sent.query) > 0 {
		p.made = appendEncoded(append(p.made, '?'), p.sent.query, false)
	}
	p.Request.Target = p.made[from:]
}

// pathOf is the path of a whole URL, without which a target is a path itself.
func pathOf(target []byte) []byte {
	_, behind, ok := bytes.Cut(target, []byte("://"))
	if !ok || target[0] == '/' {
		return target
	}
	if slash := bytes.IndexByte(behind, '/'); slash >= 0 {
		return behind[slash:]
	}
	return []byte("/")
}

// decode takes the percent-encoding off a path, once.
func (p *Parser) decode(path []byte) []byte {
	from := len(p.made)
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) && hex(path[i+1]) >= 0 && hex(path[i+2]) >= 0 {
			p.made = append(p.made, byte(hex(path[i+1])<<4|hex(path[i+2])))
			i += 2
			continue
		}
		p.made = append(p.made, path[i])
	}
	return p.made[from:]
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// appendEncoded adds a path, percent-encoded but for what may stand in one (RFC 3986 section
// 3.3); or a query, which is encoded already as far as it was sent well.
func appendEncoded(dst, text []byte, path bool) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range text {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0 ||
			!path && c > ' ' && c < 0x7f {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}

// client says who has asked the web server.
func (p *Parser) client() {
	s, peer := &p.sent, &p.peer
	if p.parsed != string(s.remoteAddr) {
		p.parsed = string(s.remoteAddr)
		if p.Client, _ = netip.ParseAddr(p.parsed); p.Client.Zone() != "" { // a zone may be any text
			p.Client = netip.Addr{}
		} // what is no address is told as it is
	}
	p.ClientUnix = bytes.HasPrefix(s.remoteAddr, []byte("unix:"))
	if peer.RemoteAddr = ""; p.Client.IsValid() {
		peer.RemoteAddr = p.parsed
	} else {
		p.gateway.RemoteAddr = s.remoteAddr
	}
	keep(&peer.RemotePort, port(s.remotePort))
}

// server says under which name, port and scheme the web server was asked. A scheme comes from
// variables alone: nobody but the site's own configuration can set those.
func (p *Parser) server() {
	s, peer := &p.sent, &p.peer
	switch {
	case bytes.EqualFold(s.scheme, []byte("https")), bytes.EqualFold(s.scheme, []byte("http")):
		peer.Scheme = strings.ToLower(string(s.scheme))
	case bytes.EqualFold(s.https, []byte("on")), string(s.https) == "1", bytes.EqualFold(s.requestScheme, []byte("https")):
		peer.Scheme = "https"
	default:
		peer.Scheme = p.Local.Scheme
	}
	if peer.Socket = ""; len(s.name) > 0 {
		keep(&peer.ServerName, s.name)
	} else {
		peer.ServerName, peer.Socket = p.Local.ServerName, p.Local.Socket
	}
	switch number := port(s.port); {
	case number != nil:
		keep(&peer.ServerPort, number)
	case peer.Scheme == "https":
		peer.ServerPort = "443"
	default:
		peer.ServerPort = p.Local.ServerPort
	}
}

// keep gives a text another value, which is seldom a new one.
func keep(text *string, value []byte) {
	if *text != string(value) {
		*text = string(value)
	}
}

// port is a port's number; nil if it is none.
func port(value []byte) []byte {
	for _, c := range value {
		if c < '0' || c > '9' {
			return nil
		}
	}
	if len(value) == 0 || len(value) > 5 {
		return nil
	}
	return value
}

// rest puts back what has a meaning only if it is not empty, or says something else than usual.
func (p *Parser) rest() {
	q, g, s := &p.Request, &p.gateway, &p.sent
	if s.https != nil && string(s.https) != "on" {
		g.Variables = append(g.Variables, bridge.Field{Name: []byte("HTTPS"), Value: s.https})
	}
	for _, each := range [...]struct {
		variable, field []byte
		value           []byte
	}{{contentType, contentTypeField, s.kind}, {contentLength, contentLengthField, s.length}} {
		switch {
		case each.value == nil:
		case len(each.value) == 0:
			g.Variables = append(g.Variables, bridge.Field{Name: each.variable, Value: each.value})
		default:
			q.Fields = append(q.Fields, bridge.Field{Name: each.field, Value: each.value})
		}
	}
}

var (
	contentType, contentTypeField     = []byte("CONTENT_TYPE"), []byte("Content-Type")
	contentLength, contentLengthField = []byte("CONTENT_LENGTH"), []byte("Content-Length")
)
