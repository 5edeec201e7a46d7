package http1

import (
	"bytes"
	"strconv"

	"gobridge/bridge"
)

// PrefersJSON says whether a client that sends this Accept (RFC 9110 section 12.5.1) would
// rather have an error as JSON than as text: it names JSON, and no text that it likes more.
// What takes everything (*/*) names neither.
func PrefersJSON(accept []byte) bool {
	if !bytes.Contains(accept, []byte("json")) && !bytes.Contains(accept, []byte("JSON")) {
		return false // nearly all clients
	}
	json, text := 0.0, 0.0
	for more := true; more; {
		var each []byte
		each, accept, more = bytes.Cut(accept, comma)
		kind, parameters, _ := bytes.Cut(each, []byte(";"))
		kind = bytes.ToLower(trim(kind))
		switch q := quality(parameters); {
		case string(kind) == "application/json" || bytes.HasSuffix(kind, []byte("+json")):
			json = max(json, q)
		case bytes.HasPrefix(kind, []byte("text/")) && string(kind) != "text/javascript":
			text = max(text, q)
		}
	}
	return json > 0 && json >= text
}

// quality is the weight among a media range's parameters: 1 if there is none, and 0 if it
// is malformed.
func quality(parameters []byte) float64 {
	for more := true; more; {
		var p []byte
		p, parameters, more = bytes.Cut(parameters, []byte(";"))
		if p = trim(p); len(p) >= 2 && lower[p[0]] == 'q' && p[1] == '=' {
			q, err := strconv.ParseFloat(string(p[2:]), 64)
			if err != nil || !(q >= 0 && q <= 1) {
				return 0
			}
			return q
		}
	}
	return 1
}

// acceptsJSON looks for Accept in a head that is refused, among the lines whose ends are
// known: its fields have not been parsed, or not all.
func (p *Parser) acceptsJSON(b []byte) bool {
	for i := 1; i < len(p.ends); i++ {
		name, value, _ := bytes.Cut(b[p.ends[i-1]+lineEnd:p.ends[i]], colon)
		if bridge.EqualFold(name, "accept") && PrefersJSON(value) {
			return true
		}
	}
	return false
}
