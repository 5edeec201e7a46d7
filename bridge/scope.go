package bridge

import (
	"encoding/binary"
	"slices"

	"gobridge/pyhost"
)

// appendScope writes a request head in the form ASGI wants: first what the scope has besides
// its headers, in the order of enum gb_scope (layout.h), then the fields as they came, with
// names in lower case.
func appendScope(dst []byte, r *Request) []byte {
	if r.Gateway != nil {
		return appendGatewayScope(dst, r)
	}
	start := len(dst)
	dst = append(dst, make([]byte, pyhost.RequestHeadSize)...)
	dst = appendMapped(dst, r.Method, &upperByte)
	dst = appendWithRoot(dst, r.Root, r.Path)
	dst = appendVariable(dst, "", r.Path)
	dst = appendVariable(dst, "", r.Query)
	dst = appendVariable(dst, "", versionOf(r))
	dst = appendPeer(dst, r.Peer)
	dst = appendVariable(dst, "", r.ID)
	dst, more := appendTLS(dst, r.Peer)
	for i := range r.Fields {
		dst = appendLower(dst, &r.Fields[i])
	}
	putHead(dst[start:], r, pyhost.ScopeVariables+more+len(r.Fields))
	return dst
}

// appendWithRoot adds the root, and the path with it: that of a request whose root a proxy has
// cut off gets it back. A path that only begins with the same letters is not below it.
func appendWithRoot(dst []byte, root string, path []byte) []byte {
	from := len(dst) + pyhost.VariableSize
	dst = appendPath(dst, "", []byte(root))
	at := len(dst)
	dst = appendPath(dst, "", path)
	script, info := dst[from:at], dst[at+pyhost.VariableSize:]
	if _, below := CutRoot(info, script); below {
		return dst
	}
	dst = slices.Insert(dst, at+pyhost.VariableSize, script...)
	binary.LittleEndian.PutUint32(dst[at+4:], uint32(len(dst)-at-pyhost.VariableSize))
	return dst
}

// versionOf is the HTTP version as ASGI writes it.
func versionOf(r *Request) string {
	if r.Minor == 0 {
		return "1.0"
	}
	return "1.1"
}

// noPeer stands for a peer that is not known.
var noPeer Peer

// appendPeer adds scheme, client and server.
func appendPeer(dst []byte, p *Peer) []byte {
	if p == nil {
		p = &noPeer
	}
	server, port := p.ServerName, p.ServerPort
	if p.Socket != "" {
		server, port = p.Socket, ""
	}
	from := p.RemotePort
	if from == "" && p.RemoteAddr != "" { // a web server may not say it, and who has an address wants a number
		from = "0"
	}
	for _, value := range [...]string{p.Scheme, p.RemoteAddr, from, server, port} {
		dst = appendVariable(dst, "", value)
	}
	return dst
}

// appendMapped adds a variable without a name, each byte of its value by the table.
func appendMapped(dst, value []byte, table *[256]byte) []byte {
	dst = appendVariable(dst, "", value)
	mapBytes(dst[len(dst)-len(value):], table)
	return dst
}

// appendLower adds a field, its name in lower case.
func appendLower(dst []byte, f *Field) []byte {
	at := len(dst) + pyhost.VariableSize
	dst = appendVariable(dst, f.Name, f.Value)
	mapBytes(dst[at:at+len(f.Name)], &lowerByte)
	return dst
}

func mapBytes(b []byte, table *[256]byte) {
	for i, c := range b {
		b[i] = table[c]
	}
}
