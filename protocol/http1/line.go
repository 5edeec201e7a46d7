package http1

import "bytes"

// requestLine parses "method SP target SP HTTP/1.x" (RFC 9112 section 3).
func (p *Parser) requestLine(b []byte) error {
	q := &p.Request
	space := bytes.IndexByte(b, ' ')
	if space < 1 {
		return bad("the request line is not «method target version»")
	}
	q.Method = b[:space]
	if n := all(q.Method, isToken); n >= 0 {
		return bad("the method has the byte 0x%02x", q.Method[n])
	}
	b = b[space+1:]
	if space = bytes.IndexByte(b, ' '); space < 1 {
		return bad("the request line is not «method target version»")
	}
	q.Target = b[:space]
	if n := all(q.Target, isTarget); n >= 0 {
		return bad("the request target has the byte 0x%02x", q.Target[n])
	}
	if err := p.version(b[space+1:]); err != nil {
		return err
	}
	return p.target()
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
	switch {
	case string(q.Method) == "CONNECT":
		return &Error{501, "CONNECT asks for a tunnel, and this is no proxy"}
	case path[0] == '/':
	case len(path) == 1 && path[0] == '*':
		if string(q.Method) != "OPTIONS" {
			return bad("the request target is *, which only OPTIONS may ask for")
		}
	default:
		scheme := schemeOf(path)
		if scheme == 0 {
			return bad("the request target is neither a path nor a URL")
		}
		end := scheme
		for end < len(path) && path[end] != '/' && path[end] != '?' {
			end++
		}
		p.seen.authority, path = path[scheme:end], path[end:]
		if !validHost(p.seen.authority) {
			return bad("the host in the request target is not valid")
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

// schemeOf is the size of http:// or https:// in front of b; 0 when it has neither.
func schemeOf(b []byte) int {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(b) > len(scheme) && fold(b[:len(scheme)], scheme) {
			return len(scheme)
		}
	}
	return 0
}

// checkHost wants exactly one valid Host, which agrees with the host in an absolute
// target (RFC 9112 section 3.2). HTTP/1.0 may go without.
func (p *Parser) checkHost() error {
	s := &p.seen
	switch {
	case s.hosts > 1:
		return bad("the request has %d Host fields", s.hosts)
	case s.hosts == 0 && p.Request.Minor == 1:
		return bad("the request has no Host field")
	case s.hosts == 1 && !validHost(s.host):
		return bad("the Host field is not a host")
	case s.hosts == 1 && s.authority != nil && !sameHost(s.host, s.authority):
		return bad("the Host field and the host in the request target differ")
	}
	return nil
}

// validHost says whether b is uri-host [ ":" port ] (RFC 9110 section 7.2).
func validHost(b []byte) bool {
	host, port := splitPort(b)
	if all(port, isDigit) >= 0 || len(port) > 5 || len(host) == 0 {
		return false
	}
	if host[0] == '[' {
		return len(host) > 3 && host[len(host)-1] == ']' && validV6(host[1:len(host)-1])
	}
	return all(host, isHost) < 0 && validPercents(host)
}

// splitPort splits at the colon that is not part of an IPv6 address.
func splitPort(b []byte) (host, port []byte) {
	colon := bytes.LastIndexByte(b, ':')
	if colon < 0 || colon < bytes.LastIndexByte(b, ']') {
		return b, nil
	}
	return b[:colon], b[colon+1:]
}

// validV6 says whether b can be an address between brackets. Who uses it will look it up.
func validV6(b []byte) bool {
	for _, c := range b {
		if chars[c]&isHex == 0 && c != ':' && c != '.' {
			return false
		}
	}
	return bytes.IndexByte(b, ':') >= 0
}

func validPercents(b []byte) bool {
	for i, c := range b {
		if c == '%' && (i+2 >= len(b) || chars[b[i+1]]&isHex == 0 || chars[b[i+2]]&isHex == 0) {
			return false
		}
	}
	return true
}

// sameHost compares without regard to case; the port of http may be left out.
func sameHost(a, b []byte) bool {
	hostA, portA := splitPort(a)
	hostB, portB := splitPort(b)
	return bytes.EqualFold(hostA, hostB) && (bytes.Equal(portA, portB) || isDefault(portA) && isDefault(portB))
}

func isDefault(port []byte) bool { return len(port) == 0 || string(port) == "80" }
