package proxyproto

import (
	"fmt"
	"net/netip"
)

// Versions is a set of the protocol's versions.
type Versions uint8

// The versions there are.
const (
	V1 Versions = 1 << iota
	V2
	Off  Versions = 0
	Auto          = V1 | V2 // whichever comes; but one must
)

// Header is what the sender says of the connection that it passes on.
type Header struct {
	// Local: the connection is the sender's own (LOCAL, a health check), or it does not
	// know who is behind it (UNKNOWN, UNSPEC). The addresses that count are the socket's.
	Local bool
	// Source is the client, Destination what it connected to. Both are invalid for a
	// client on a unix socket of the sender's.
	Source, Destination netip.AddrPort
	// TLS: the client speaks TLS with the sender (version 2 only).
	TLS bool
}

// Error says why a header is refused.
type Error struct{ Reason string }

func (e *Error) Error() string { return "the PROXY protocol header " + e.Reason }

func bad(format string, a ...any) *Error { return &Error{fmt.Sprintf(format, a...)} }

// signature begins a header of version 2.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

const begin1 = "PROXY "

// Parse reads the header at the beginning of b, of one of the versions. It returns the
// header's size, or 0 when there must come more: then it is called again with the same
// bytes and those that came since. An error is an *Error, and it is the same in whatever
// pieces the header came.
func Parse(b []byte, versions Versions) (h Header, size int, err error) {
	switch {
	case versions&V2 != 0 && begins(b, signature):
		return parse2(b)
	case versions&V1 != 0 && begins(b, begin1):
		return parse1(b)
	case versions&V2 == 0 && begins(b, signature):
		return h, 0, maybe(b, signature, "is of version 2, which is not taken here")
	case versions&V1 == 0 && begins(b, begin1):
		return h, 0, maybe(b, begin1, "is of version 1, which is not taken here")
	}
	return h, 0, bad("is missing: the connection begins with something else")
}

// begins says whether b begins with s, or is the beginning of it.
func begins(b []byte, s string) bool {
	n := min(len(b), len(s))
	return string(b[:n]) == s[:n]
}

// maybe is no error until all of s has come: until then it may be something else.
func maybe(b []byte, s, reason string) error {
	if len(b) < len(s) {
		return nil
	}
	return bad("%s", reason)
}
