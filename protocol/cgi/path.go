package cgi

import (
	"bytes"
	"strings"

	"gobridge/bridge"
)

// target says which path is asked for. REQUEST_URI has it as the client sent it, PATH_INFO (or
// DOCUMENT_URI) as the web server has decoded it; either is made from the other one if it is missing.
func (h *Head) target(mounted bool) error {
	q, g, s := &h.Request, &h.gateway, &h.sent
	q.Target, g.Script, g.Info = s.uri, s.script, s.info
	for i, c := range q.Target {
		if c <= ' ' || c == 0x7f {
			return Malformed("REQUEST_URI in %s has the byte 0x%02x at its place %d", h.Protocol.Block, c, i+1)
		}
	}
	whole := g.Info == nil // the path has SCRIPT_NAME in it, if there is one
	if whole && len(s.document) > 0 {
		g.Info = s.document
	}
	if q.Query = s.query; len(q.Target) == 0 {
		h.makeTarget()
	}
	path, query, _ := bytes.Cut(q.Target, []byte("?"))
	path = pathOf(path)
	if q.Path = path; s.query == nil {
		q.Query = query
	}
	if g.Info == nil {
		g.Info = h.decode(path)
	}
	h.mount(mounted, whole)
	return nil
}

// mount parts the path in SCRIPT_NAME and the rest. A whole path that SCRIPT_NAME is not a part
// of, or is itself, has the name of a file, which a web server gives to PHP: there are none here.
func (h *Head) mount(mounted, whole bool) {
	g := &h.gateway
	rest, below := bridge.CutRoot(g.Info, g.Script)
	switch {
	case whole && h.Protocol.NoScript && (!below || len(rest) == 0):
		g.Script = nil
	case below && (mounted || whole):
		g.Info = rest
	}
}

// makeTarget makes a target of the path and the query.
func (h *Head) makeTarget() {
	g, from := &h.gateway, len(h.made)
	if _, below := bridge.CutRoot(g.Info, g.Script); !below {
		h.made = appendEncoded(h.made, g.Script, true)
	}
	h.made = appendEncoded(h.made, g.Info, true)
	if len(h.made) == from {
		h.made = append(h.made, '/')
	}
	if len(h.sent.query) > 0 {
		h.made = appendEncoded(append(h.made, '?'), h.sent.query, false)
	}
	h.Request.Target = h.made[from:]
}

// pathOf is the path of a whole URL, without which a target is a path itself.
func pathOf(target []byte) []byte {
	_, behind, ok := bytes.Cut(target, []byte("://"))
	if !ok || target[0] == '/' {
		return target
	}
	if slash := bytes.IndexByte(behind, '/'); slash >= 0 {
		return behind[slash:]
	}
	return []byte("/")
}

// decode takes the percent-encoding off a path, once.
func (h *Head) decode(path []byte) []byte {
	from := len(h.made)
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) && hex(path[i+1]) >= 0 && hex(path[i+2]) >= 0 {
			h.made = append(h.made, byte(hex(path[i+1])<<4|hex(path[i+2])))
			i += 2
			continue
		}
		h.made = append(h.made, path[i])
	}
	return h.made[from:]
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// appendEncoded adds a path, percent-encoded but for what may stand in one (RFC 3986 section
// 3.3); or a query, which is encoded already as far as it was sent well.
func appendEncoded(dst, text []byte, path bool) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range text {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0 ||
			!path && c > ' ' && c < 0x7f {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}
