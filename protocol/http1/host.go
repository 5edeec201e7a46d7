package http1

import (
	"bytes"
	"net/netip"
)

// checkHost wants exactly one valid Host, which agrees with the host in an absolute
// target (RFC 9112 section 3.2). HTTP/1.0 may go without.
func (p *Parser) checkHost() error {
	s := &p.seen
	switch {
	case s.hosts > 1:
		return bad("the request has %d Host fields", s.hosts)
	case s.hosts == 0 && p.Request.Minor == 1:
		return bad("the request has no Host field")
	case s.hosts == 1 && !ValidHost(s.host):
		return bad("the Host field is not a host, with or without a port")
	case s.hosts == 1 && s.authority != nil && !sameHost(s.host, s.authority, s.defaultPort):
		return bad("the Host field and the host in the request target differ")
	}
	return nil
}

// ValidHost says whether b is uri-host [ ":" port ] (RFC 9110 section 7.2). A comma,
// which a name may have by the letter, is refused: it is what two hosts in one are
// joined by.
func ValidHost(b []byte) bool {
	n := span(b, isHost)
	if n < len(b) && b[n] == '%' {
		n = spanEncoded(b)
	}
	if n == 0 && len(b) > 0 && b[0] == '[' {
		n = spanAddress(b)
	}
	return n > 0 && (n == len(b) || b[n] == ':' && validPort(b[n+1:]))
}

// spanEncoded is the size of a name with percent-encoded bytes at the beginning of b.
func spanEncoded(b []byte) int {
	n := 0
	for {
		n += span(b[n:], isHost)
		if n == len(b) || b[n] != '%' || span(b[n+1:], isHex) < 2 {
			return n
		}
		n += 3
	}
}

// spanAddress is the size of an IPv6 address in brackets at the beginning of b; 0 when
// it is none.
func spanAddress(b []byte) int {
	n := bytes.IndexByte(b, ']')
	if n < 0 {
		return 0
	}
	if a, err := netip.ParseAddr(string(b[1:n])); err != nil || !a.Is6() || a.Zone() != "" {
		return 0
	}
	return n + 1
}

// validPort says whether b is a port's number. By the letter it may be empty.
func validPort(b []byte) bool {
	n := 0
	for _, c := range b {
		if n = n*10 + int(c-'0'); chars[c]&isDigit == 0 || n > 65535 {
			return false
		}
	}
	return true
}

// sameHost compares two valid hosts without regard to case; the default port may be
// left out of either.
func sameHost(a, b []byte, port string) bool {
	hostA, portA := splitPort(a, port)
	hostB, portB := splitPort(b, port)
	return bytes.EqualFold(hostA, hostB) && string(portA) == string(portB)
}

// SplitHost splits a valid host from its port, which is "" if it has none. An IPv6 address
// keeps its brackets.
func SplitHost(b []byte) (host []byte, port string) { return splitPort(b, "") }

// splitPort splits a valid host at the colon that is not part of an address.
func splitPort(b []byte, missing string) (host []byte, port string) {
	colon := bytes.LastIndexByte(b, ':')
	if colon < 0 || colon < bytes.IndexByte(b, ']') {
		return b, missing
	}
	if colon+1 == len(b) {
		return b[:colon], missing
	}
	return b[:colon], string(b[colon+1:])
}
