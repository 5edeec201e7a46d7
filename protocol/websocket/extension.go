package websocket

import (
	"bytes"
	"strconv"

	"gobridge/bridge"
)

// Deflate is what was settled about compression (RFC 7692 section 7.1). The zero value is none.
//
// Memory is bounded for each connection, not by its messages: each side refers back to at most
// contextSize bytes of earlier messages. What the server refers back to is its own choice. The
// client's window is limited to so much if the client lets it be (client_max_window_bits, which
// browsers built on Chromium and most libraries offer); any other client begins each message anew.
type Deflate struct {
	On           bool
	ServerBits   int  // the window that the client has asked the server to keep to, as a power of two
	saidServer   bool // and it is to be told so
	ServerForget bool // the server's messages do not refer to earlier ones
	ClientForget bool // the client's do not
	clientBits   bool // the client is told the limit of its window
}

const (
	contextBits = 12
	contextSize = 1 << contextBits // bytes
	mostBits    = 15
	leastBits   = 8
)

// Append adds the value of Sec-WebSocket-Extensions that tells the client.
func (d *Deflate) Append(dst []byte) []byte {
	dst = append(dst, "permessage-deflate"...)
	if d.ServerForget {
		dst = append(dst, "; server_no_context_takeover"...)
	}
	if d.ClientForget {
		dst = append(dst, "; client_no_context_takeover"...)
	}
	if d.saidServer {
		dst = strconv.AppendInt(append(dst, "; server_max_window_bits="...), int64(d.ServerBits), 10)
	}
	if d.clientBits {
		dst = strconv.AppendInt(append(dst, "; client_max_window_bits="...), contextBits, 10)
	}
	return dst
}

// negotiate takes the first offer that can be kept to. What is malformed is no offer, and neither
// is another extension: without an answer to it the client does not use it.
func negotiate(lines [][]byte) Deflate {
	for _, line := range lines {
		for more := true; more; {
			var text []byte
			text, line, more = cut(line, ',')
			if d, ok := readOffer(text); ok {
				return d
			}
		}
	}
	return Deflate{}
}

// offer is what a client says of itself and asks for.
type offer struct {
	serverForgets, clientForgets bool
	serverBits, clientBits       int // 0: not said
}

// readOffer reads one offer: a name, and parameters behind semicolons (RFC 6455 section 9.1).
func readOffer(text []byte) (d Deflate, ok bool) {
	name, rest, more := cut(text, ';')
	if !bridge.EqualFold(trim(name), "permessage-deflate") {
		return d, false
	}
	var o offer
	var seen [4]bool
	for more {
		var parameter []byte
		parameter, rest, more = cut(rest, ';')
		which, ok := o.take(parameter)
		if !ok || seen[which] {
			return d, false
		}
		seen[which] = true
	}
	return o.settle(), true
}

// settle is what such a client is answered.
func (o *offer) settle() Deflate {
	d := Deflate{On: true, ServerBits: mostBits, ServerForget: o.serverForgets}
	if o.serverBits > 0 {
		d.ServerBits, d.saidServer = o.serverBits, true
	}
	d.ClientForget = o.clientForgets || o.clientBits == 0
	d.clientBits = !d.ClientForget && o.clientBits > contextBits
	return d
}

// take reads a parameter, and returns which one it is.
func (o *offer) take(parameter []byte) (which int, ok bool) {
	name, value, has := bytes.Cut(parameter, []byte("="))
	name, value = trim(name), unquote(trim(value))
	switch {
	case bridge.EqualFold(name, "server_no_context_takeover"):
		o.serverForgets = true
		return 0, !has
	case bridge.EqualFold(name, "client_no_context_takeover"):
		o.clientForgets = true
		return 1, !has
	case bridge.EqualFold(name, "server_max_window_bits"):
		o.serverBits = windowBits(value)
		return 2, has && o.serverBits > 0
	case bridge.EqualFold(name, "client_max_window_bits"):
		if o.clientBits = mostBits; has {
			o.clientBits = windowBits(value)
		}
		return 3, o.clientBits > 0
	}
	return 0, false
}

// windowBits reads a window's size; 0 if it is none.
func windowBits(value []byte) int {
	n, err := strconv.ParseUint(string(value), 10, 8)
	if err != nil || n < leastBits || n > mostBits || value[0] == '0' || value[0] == '+' {
		return 0
	}
	return int(n)
}

// cut cuts b at the first separator that is not within quotes.
func cut(b []byte, separator byte) (before, after []byte, found bool) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '"':
			quoted = !quoted
		case b[i] == '\\' && quoted:
			i++
		case b[i] == separator && !quoted:
			return b[:i], b[i+1:], true
		}
	}
	return b, nil, false
}

func trim(b []byte) []byte { return bytes.Trim(b, " \t") }

// unquote takes the quotes off a value: what is in them must be a token too.
func unquote(b []byte) []byte {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		return b[1 : len(b)-1]
	}
	return b
}
