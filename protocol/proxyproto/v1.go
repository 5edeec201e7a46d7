package proxyproto

import (
	"bytes"
	"net/netip"
	"strings"
)

// Version 1 (section 2.1 of the specification) is a line:
//
//	PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 CR LF

// maxLine is the longest line, with CR LF.
const maxLine = 107

func parse1(b []byte) (h Header, size int, err error) {
	line := b[:min(len(b), maxLine)]
	n := bytes.IndexByte(line, '\n')
	switch {
	case n < 0 && len(line) == maxLine:
		return h, 0, bad("is longer than %d bytes", maxLine)
	case n < 0:
		return h, 0, nil
	case line[n-1] != '\r':
		return h, 0, bad("ends with a bare line feed")
	}
	h, err = fields1(string(line[len(begin1) : n-1]))
	if err != nil {
		return Header{}, 0, err
	}
	return h, n + 1, nil
}

func fields1(text string) (h Header, err error) {
	family, rest, more := strings.Cut(text, " ")
	switch family {
	case "UNKNOWN": // and whatever else the line says: it must be ignored
		return Header{Local: true}, nil
	case "TCP4", "TCP6":
	default:
		return h, bad("names a protocol that is neither TCP4, TCP6 nor UNKNOWN")
	}
	words := strings.Split(rest, " ")
	if !more || len(words) != 4 {
		return h, bad("does not have two addresses and two ports, with one space between them")
	}
	var ends [2]netip.AddrPort
	for i := range ends {
		a, err := netip.ParseAddr(words[i])
		if err != nil || a.Zone() != "" || a.Is4() != (family == "TCP4") {
			return h, bad("has an address that is none of %s", family)
		}
		port, ok := portOf(words[2+i])
		if !ok {
			return h, bad("has a port that is no number from 0 to 65535")
		}
		ends[i] = netip.AddrPortFrom(a.Unmap(), port)
	}
	return Header{Source: ends[0], Destination: ends[1]}, nil
}

// portOf reads a port without zeros in front, as the specification wants it.
func portOf(s string) (uint16, bool) {
	n := 0
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' || i > 0 && n == 0 {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n > 65535 {
			return 0, false
		}
	}
	return uint16(n), s != ""
}
