package forwarded

import (
	"bytes"
	"strconv"
	"strings"

	"gobridge/protocol/http1"
)

// takeScheme takes http and https; ws and wss, which some proxies say of a request that is
// to become a websocket, are the same.
func (o *Origin) takeScheme(b []byte) bool {
	switch strings.ToLower(string(b)) {
	case "http", "ws":
		o.Scheme = "http"
	case "https", "wss":
		o.Scheme = "https"
	}
	return o.Scheme != ""
}

func (o *Origin) takeHost(b []byte) bool {
	if !http1.ValidHost(b) {
		return false
	}
	o.Host = b
	return true
}

func (o *Origin) takePort(b []byte) bool {
	n, ok := portNumber(b)
	if !ok || n == 0 {
		return false
	}
	o.Port = strconv.Itoa(int(n))
	return true
}

// portNumber reads digits without a sign or a zero in front.
func portNumber(b []byte) (uint16, bool) {
	if len(b) == 0 || len(b) > 5 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return uint16(n), n <= 65535
}

// takePrefix takes a path; a slash at its end, or alone, does not count.
func (o *Origin) takePrefix(b []byte) bool {
	b = bytes.TrimSuffix(b, []byte("/"))
	if len(b) > 0 && !ValidPrefix(b) {
		return false
	}
	o.Prefix = b
	return true
}

// ValidPrefix says whether b is a path under which an application can be mounted: "/" and
// then the characters of a path (RFC 3986 section 3.3), those above ASCII too. Two slashes
// in a row, a backslash, and "." or ".." between slashes are refused: applications make links of the prefix,
// and a browser would take //example.org for another site.
func ValidPrefix[T ~string | ~[]byte](b T) bool {
	if len(b) == 0 || b[0] != '/' || b[len(b)-1] == '/' {
		return false
	}
	for i := range len(b) {
		c := b[i]
		if c <= ' ' || c == 0x7f || strings.IndexByte("\"#<>?\\^`{|}", c) >= 0 || c == '/' && b[i+1] == '/' {
			return false
		}
	}
	for segment := range strings.SplitSeq(string(b[1:]), "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return encoded(b)
}

// encoded says whether each "%" has its two digits, and none of them hides what
// ValidPrefix refuses: a slash, a backslash, a dot or a control character.
func encoded[T ~string | ~[]byte](b T) bool {
	for i := range len(b) {
		if b[i] != '%' {
			continue
		}
		if i+2 >= len(b) {
			return false
		}
		n, err := strconv.ParseUint(string(b[i+1:i+3]), 16, 8)
		if err != nil || n < ' ' || n == 0x7f || strings.IndexByte("/\\.%", byte(n)) >= 0 {
			return false
		}
	}
	return true
}
