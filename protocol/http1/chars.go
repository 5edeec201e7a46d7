package http1

import (
	"encoding/binary"
	"strings"
)

// What a byte may be part of (RFC 9110 section 5.6.2, RFC 3986 section 2).
const (
	isToken      = 1 << iota // tchar: methods and field names
	isValue                  // field-vchar, space, tab: field values
	isTarget                 // a request target: everything but white space, control characters and "#"
	isHost                   // reg-name without "%": unreserved and sub-delims, but the comma
	isDigit                  // 0-9
	isHex                    // a hexadecimal digit
	isUnderscore             // "_"
)

var chars = func() (table [256]uint8) {
	for i := range table {
		c := byte(i)
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		for kind, in := range map[uint8]bool{
			isToken:      letter || digit || among(c, "!#$%&'*+-.^_`|~"),
			isValue:      c >= 0x20 && c != 0x7f || c == '\t',
			isTarget:     c > 0x20 && c != 0x7f && c != '#',
			isHost:       letter || digit || among(c, "-._~!$&'()*+;="),
			isDigit:      digit,
			isHex:        digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F',
			isUnderscore: c == '_',
		} {
			if in {
				table[i] |= kind
			}
		}
	}
	return table
}()

var lower = func() (table [256]byte) {
	for i := range table {
		table[i] = byte(i)
		if c := byte(i); c >= 'A' && c <= 'Z' {
			table[i] += 'a' - 'A'
		}
	}
	return table
}()

func among(c byte, s string) bool { return strings.IndexByte(s, c) >= 0 }

// span is how many bytes at the beginning of b are of the given kind.
func span(b []byte, kind uint8) int {
	for i, c := range b {
		if chars[c]&kind == 0 {
			return i
		}
	}
	return len(b)
}

// all returns whether every byte of b is of the given kind.
func all(b []byte, kind uint8) bool { return span(b, kind) == len(b) }

// IsToken says whether b is a token (RFC 9110 section 5.6.2), as methods and field names are.
func IsToken(b []byte) bool { return len(b) > 0 && all(b, isToken) }

// text is span(b, isValue), eight bytes at a time; the last eight overlap those before.
func text(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if controls(binary.LittleEndian.Uint64(b[i:])) {
			if n := span(b[i:i+8], isValue); n < 8 { // not a tab
				return i + n
			}
		}
	}
	if i > 0 && !controls(binary.LittleEndian.Uint64(b[len(b)-8:])) {
		return len(b)
	}
	return i + span(b[i:], isValue)
}

// controls says whether one of the eight bytes is below 0x20 or is 0x7f: the borrow out
// of a byte from which too much was taken sets its top bit.
func controls(w uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	del := w ^ 0x7f*ones
	return ((w-0x20*ones)&^w|(del-ones)&^del)&tops != 0
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

// quoted is how much of a token an error shows: a name may be as long as a field.
const quoted = 64

// short is b as an error shows it. b holds no control characters.
func short(b []byte) string {
	if len(b) <= quoted {
		return string(b)
	}
	return string(b[:quoted]) + "..."
}
