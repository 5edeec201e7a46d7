package http1

// What a byte may be part of (RFC 9110 section 5.6.2, RFC 3986 section 2).
const (
	isToken  = 1 << iota // tchar: methods and field names
	isValue              // field-vchar, space, tab: field values
	isTarget             // a request target: everything but white space and control characters
	isHost               // reg-name: unreserved, sub-delims, "%"
	isDigit
	isHex
)

var chars [256]uint8

var lower [256]byte

func init() {
	for i := range 256 {
		c := byte(i)
		lower[i] = c
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		if c >= 'A' && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
		if letter || digit || among(c, "!#$%&'*+-.^_`|~") {
			chars[i] |= isToken
		}
		if c >= 0x20 && c != 0x7f || c == '\t' {
			chars[i] |= isValue
		}
		if c > 0x20 && c != 0x7f {
			chars[i] |= isTarget
		}
		if letter || digit || among(c, "-._~!$&'()*+,;=%") {
			chars[i] |= isHost
		}
		if digit {
			chars[i] |= isDigit
		}
		if digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' {
			chars[i] |= isHex
		}
	}
}

func among(c byte, s string) bool {
	for i := range len(s) {
		if s[i] == c {
			return true
		}
	}
	return false
}

// all returns the index of the first byte that is not of the given kind, or -1.
func all(b []byte, kind uint8) int {
	for i, c := range b {
		if chars[c]&kind == 0 {
			return i
		}
	}
	return -1
}

// fold compares with a literal in lower case.
func fold(b []byte, literal string) bool {
	if len(b) != len(literal) {
		return false
	}
	for i, c := range b {
		if lower[c] != literal[i] {
			return false
		}
	}
	return true
}

// trim takes white space (spaces and tabs) off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
