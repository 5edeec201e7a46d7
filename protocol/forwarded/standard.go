package forwarded

import (
	"bytes"
	"net/netip"
	"strings"
)

// element is one proxy's word in Forwarded (RFC 7239 section 4): what it says itself, with
// quotes taken away. nil: it does not say.
type element struct{ node, proto, host []byte }

// appendElements reads a field's value:
//
//	for=192.0.2.43;proto=https;host=example.org, for="[2001:db8::17]:4711"
//
// A quote that is never closed can so confuse nothing but its own field.
func appendElements(dst []element, b []byte) ([]element, error) {
	for len(b) > 0 {
		if b = bytes.TrimLeft(b, " \t"); len(b) == 0 {
			break
		}
		if b[0] == ',' { // an empty element does not count
			b = b[1:]
			continue
		}
		var e element
		var ok bool
		if b, ok = e.read(b); !ok {
			return nil, bad("Forwarded is malformed")
		}
		dst = append(dst, e)
	}
	return dst, nil
}

// read takes an element, up to a comma or the end, from the beginning of b.
func (e *element) read(b []byte) (rest []byte, ok bool) {
	for {
		if len(b) > 0 && b[0] != ';' && b[0] != ',' { // an empty pair is allowed
			var name, value []byte
			if name, value, b, ok = pair(b); !ok || !e.set(name, value) {
				return nil, false
			}
		}
		// By the letter there is no white space around ";", but it is common.
		if b = bytes.TrimLeft(b, " \t"); len(b) == 0 {
			return nil, true
		}
		end := b[0]
		b = bytes.TrimLeft(b[1:], " \t")
		switch end {
		case ',':
			return b, true
		case ';':
		default:
			return nil, false
		}
	}
}

// pair reads name=value, where the value is a token or a quoted string.
func pair(b []byte) (name, value, rest []byte, ok bool) {
	n := token(b)
	if n == 0 || n == len(b) || b[n] != '=' {
		return nil, nil, nil, false
	}
	name, b = b[:n], b[n+1:]
	if len(b) > 0 && b[0] == '"' {
		value, rest, ok = quoted(b[1:])
		return name, value, rest, ok
	}
	// A token has neither colon nor brackets, so addresses with those should be quoted.
	// That of IPv4 with a port, and a host with a port, often is not.
	n = 0
	for n < len(b) && (isToken[b[n]] || b[n] == ':') {
		n++
	}
	return name, b[:n], b[n:], n > 0
}

// quoted reads a quoted string behind its first quote (RFC 9110 section 5.6.4).
func quoted(b []byte) (value, rest []byte, ok bool) {
	if n := bytes.IndexAny(b, `"\`); n >= 0 && b[n] == '"' {
		return b[:n], b[n+1:], true
	}
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return value, b[i+1:], true
		case '\\':
			if i++; i == len(b) {
				return nil, nil, false
			}
		}
		value = append(value, b[i])
	}
	return nil, nil, false
}

// set takes a pair. A name must not come twice; unknown ones are passed over.
func (e *element) set(name, value []byte) bool {
	var to *[]byte
	switch strings.ToLower(string(name)) {
	case "for":
		to = &e.node
	case "proto":
		to = &e.proto
	case "host":
		to = &e.host
	default:
		return true
	}
	if *to != nil || len(value) == 0 {
		return false
	}
	*to = value
	return true
}

var isToken = func() (table [256]bool) {
	for c := range table {
		b := byte(c)
		table[c] = b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
	}
	return table
}()

func token(b []byte) int {
	n := 0
	for n < len(b) && isToken[b[n]] {
		n++
	}
	return n
}

// readStandard finds the client's element, and what is said in it. A proxy that does not
// speak of the client (no "for") hides who is before it.
func (r *Rules) readStandard(all []element) (o Origin, err error) {
	i, at, err := r.client(len(all), func(i int) (netip.AddrPort, error) {
		if all[i].node == nil {
			return netip.AddrPort{}, nil
		}
		a, ok := address(all[i].node, true)
		if !ok {
			return a, bad("Forwarded has a node that is no address")
		}
		return a, nil
	})
	if err != nil {
		return Origin{}, err
	}
	e := &all[i]
	if e.node != nil {
		o.Hops, o.Client = len(all), at
	}
	if e.proto != nil && !o.takeScheme(e.proto) {
		return Origin{}, bad("Forwarded has a protocol that is neither http nor https")
	}
	if e.host != nil && !o.takeHost(e.host) {
		return Origin{}, bad("Forwarded has a host that is none")
	}
	return o, nil
}
