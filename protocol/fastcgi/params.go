package fastcgi

import (
	"encoding/binary"

	"gobridge/protocol/cgi"
)

// params takes the parameters apart.
func (p *Parser) params(b []byte) error {
	for count := 1; len(b) > 0; count++ {
		name, value, rest, ok := pair(b)
		if !ok {
			return cgi.Malformed("the FastCGI parameters end within variable %d", count)
		}
		if len(name) == 0 {
			return cgi.Malformed("variable %d of the FastCGI parameters has an empty name", count)
		}
		b = rest
		if err := p.Add(name, value); err != nil {
			return err
		}
	}
	return nil
}

// pair takes a name and a value off b; false: they are not whole.
func pair(b []byte) (name, value, rest []byte, ok bool) {
	n, b, ok := length(b)
	if !ok {
		return nil, nil, nil, false
	}
	m, b, ok := length(b)
	if !ok || n > len(b) || m > len(b)-n {
		return nil, nil, nil, false
	}
	return b[:n], b[n : n+m], b[n+m:], true
}

// longLength marks a length of four bytes; one of up to 127 may have one.
const longLength = 0x80

func length(b []byte) (n int, rest []byte, ok bool) {
	switch {
	case len(b) == 0:
		return 0, nil, false
	case b[0] < longLength:
		return int(b[0]), b[1:], true
	case len(b) < 4:
		return 0, nil, false
	}
	return int(binary.BigEndian.Uint32(b) &^ (longLength << 24)), b[4:], true
}

// appendPair adds a name and a value.
func appendPair(dst, name, value []byte) []byte {
	dst = appendLength(appendLength(dst, len(name)), len(value))
	return append(append(dst, name...), value...)
}

func appendLength(dst []byte, n int) []byte {
	if n < longLength {
		return append(dst, byte(n))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n)|longLength<<24)
}
