package forwarded

import (
	"bytes"
	"net/netip"
)

// A list of hops has the client's own word at its beginning and the nearest proxy's at its
// end. client goes from there to the beginning, past the proxies that are trusted, and
// returns the index of the first one that is not: the client's. If all are, it is the
// first: a request of a proxy's own. node reads hop i; an invalid address is a proxy's way
// to say that it does not know, and then the one before it could be anybody's invention.
func (r *Rules) client(n int, node func(i int) (netip.AddrPort, error)) (i int, at netip.AddrPort, err error) {
	for i = n - 1; ; i-- {
		at, err = node(i)
		if err != nil || i == 0 || !r.Trusted.Names(at.Addr()) {
			return i, at, err
		}
	}
}

// address reads a node (RFC 7239 section 6): an IPv4 address, an IPv6 address with or
// without brackets (X-Forwarded-For has both, Forwarded must have them), each with or
// without a port; "unknown", or a name that begins with an underscore, is an invalid one, and so is "unix:",
// which nginx says of a client on a unix socket.
func address(b []byte, brackets bool) (netip.AddrPort, bool) {
	host, port := b, []byte(nil)
	if bytes.HasPrefix(b, []byte("[")) {
		end := bytes.IndexByte(b, ']')
		if end < 0 {
			return netip.AddrPort{}, false
		}
		host, port = b[1:end], b[end+1:]
	} else if n := bytes.IndexByte(b, ':'); n >= 0 && (brackets || bytes.IndexByte(b[n+1:], ':') < 0) {
		host, port = b[:n], b[n:]
	}
	if string(b) == "unix:" {
		return netip.AddrPort{}, true
	}
	number, ok := nodePort(port)
	if !ok {
		return netip.AddrPort{}, false
	}
	if b[0] != '[' && (bytes.EqualFold(host, []byte("unknown")) || obfuscated(host)) {
		return netip.AddrPort{}, true
	}
	a, err := netip.ParseAddr(string(host))
	if err != nil || a.Zone() != "" || b[0] == '[' && !a.Is6() {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), number), true
}

// nodePort reads the port behind an address, with its colon; none is 0, and so is one that
// is obfuscated.
func nodePort(b []byte) (uint16, bool) {
	switch {
	case len(b) == 0:
		return 0, true
	case b[0] != ':':
		return 0, false
	case obfuscated(b[1:]):
		return 0, true
	}
	n, ok := portNumber(b[1:])
	return n, ok
}

// obfuscated is "_" and letters, digits, ".", "_" or "-" (RFC 7239 section 6.3).
func obfuscated(b []byte) bool {
	if len(b) < 2 || b[0] != '_' {
		return false
	}
	for _, c := range b[1:] {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
