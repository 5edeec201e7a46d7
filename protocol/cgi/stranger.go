package cgi

import "gobridge/protocol/http1"

// SniffSize is how many bytes tell the protocols apart.
const SniffSize = 4

// Stranger says what speaks another protocol than p, by the first bytes of a connection. It
// reports nil when they may be p's, or nobody's.
func (p *Protocol) Stranger(b [SniffSize]byte) *http1.Error {
	switch name := speaks(b); name {
	case "", p.Name:
		return nil
	case "http":
		return Malformed("this is HTTP, and the port speaks %s: in nginx it is for %s_pass, and not for proxy_pass; for HTTP there is a --bind without %s:", p.Title, p.Name, p.Name)
	case "tls":
		return Malformed("this is TLS, and the port speaks %s without it", p.Title)
	case "proxy":
		return Malformed("this is a PROXY protocol header, and the port speaks %s, which goes without", p.Title)
	default:
		return Malformed("this looks like %s_pass of nginx, and the port speaks %s: it is for %s_pass, or write --bind %s:... for the port", name, p.Title, p.Name, name)
	}
}

// speaks guesses a protocol, by the name of its directive if it has one.
func speaks(b [SniffSize]byte) string {
	switch {
	case b[0] == 0x16 && b[1] == 3:
		return "tls"
	case string(b[:]) == "PROX" || string(b[:]) == "\r\n\r\n":
		return "proxy"
	case b[0] >= 'A' && b[0] <= 'Z' && word(b[1]) && word(b[2]) && word(b[3]):
		return "http"
	case b[0] == 1 && (b[1] == 1 || b[1] == 9): // version 1: a request begins, or values are asked for
		return "fastcgi"
	case b[0] >= '1' && b[0] <= '9' && netstring(b): // an SCGI head is seldom shorter than 100 bytes
		return "scgi"
	case (b[0] == 0 || b[0] == 30) && b[3] == 0: // requests, whose second modifier nobody sets
		return "uwsgi"
	}
	return ""
}

// word says whether a byte may follow the first letter of an HTTP method.
func word(c byte) bool { return c >= 'A' && c <= 'Z' || c == ' ' }

// netstring says whether bytes may be a size, and the colon behind it, that is SCGI's.
func netstring(b [SniffSize]byte) bool {
	for i, c := range b[1:] {
		if c == ':' {
			return i >= 1
		}
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
