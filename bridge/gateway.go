package bridge

import (
	"encoding/binary"

	"gobridge/pyhost"
)

// Gateway is what a request has besides if a web server has passed it on by a protocol of its
// own (uwsgi): the server has taken the request apart, and knows more of it than HTTP says.
type Gateway struct {
	Name         string  // of the protocol, in lower case
	Script, Info []byte  // SCRIPT_NAME and PATH_INFO: percent-decoded already
	Protocol     []byte  // SERVER_PROTOCOL, that of the client: HTTP/2.0
	RemoteAddr   []byte  // REMOTE_ADDR, if it is no address: Peer's is empty then
	Variables    []Field // all others that are no header fields, each name once
}

// appendGateway writes a request head in the form WSGI wants, of a request that came so.
func appendGateway(dst []byte, r *Request) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, pyhost.RequestHeadSize)...)
	script, info := r.Gateway.mounted(r.Root)
	dst, count := r.appendVariables(dst, script, info)
	dst = appendVariable(dst, "wsgi.url_scheme", r.Peer.Scheme)
	count++
	if len(r.ID) > 0 {
		dst = appendVariable(dst, pyhost.RequestIDVariable, r.ID)
		count++
	}
	names := namesOf(r.Fields)
	for i := range r.Fields {
		dst, count = appendField(dst, count, &names, i)
	}
	putHead(dst[start:], r, count)
	return dst
}

// appendVariables adds the variables of the request, without its header fields, and counts them.
func (r *Request) appendVariables(dst, script, info []byte) (all []byte, count int) {
	g, p := r.Gateway, r.Peer
	for _, v := range [...]struct {
		name  string
		value []byte
	}{
		{"REQUEST_METHOD", r.Method}, {"SCRIPT_NAME", script}, {"PATH_INFO", info}, {"QUERY_STRING", r.Query},
		{"REQUEST_URI", r.Target}, {"SERVER_PROTOCOL", g.Protocol},
	} {
		dst = appendVariable(dst, v.name, v.value)
		count++
	}
	if p.RemoteAddr == "" {
		dst = appendVariable(dst, "REMOTE_ADDR", g.RemoteAddr)
	} else {
		dst = appendVariable(dst, "REMOTE_ADDR", p.RemoteAddr)
	}
	dst = appendVariable(dst, "REMOTE_PORT", p.RemotePort)
	dst = appendVariable(dst, "SERVER_NAME", p.ServerName)
	dst = appendVariable(dst, "SERVER_PORT", p.ServerPort)
	count += 4
	if p.Scheme == "https" {
		dst = appendVariable(dst, "HTTPS", "on")
		count++
	}
	for i := range g.Variables {
		dst = appendVariable(dst, g.Variables[i].Name, g.Variables[i].Value)
	}
	if p.TLS != nil {
		var more int
		dst, more = g.appendSubject(dst, p.TLS)
		count += more
	}
	return dst, count + len(g.Variables)
}

// mounted is SCRIPT_NAME and PATH_INFO for an application that is mounted at root, whatever
// the web server says; without a root they are the server's.
func (g *Gateway) mounted(root string) (script, info []byte) {
	if root == "" {
		return g.Script, g.Info
	}
	script = decoded(root)
	if rest, below := CutRoot(g.Info, script); below {
		return script, rest
	}
	return script, g.Info
}

// decoded is a path without its percent-encoding.
func decoded(path string) []byte {
	return appendPath(nil, "", []byte(path))[pyhost.VariableSize:]
}

// appendGatewayScope writes a request head in the form ASGI wants, of a request that came so.
func appendGatewayScope(dst []byte, r *Request) []byte {
	start, g := len(dst), r.Gateway
	script, info := g.mounted(r.Root)
	dst = append(dst, make([]byte, pyhost.RequestHeadSize)...)
	dst = appendMapped(dst, r.Method, &upperByte)
	dst = appendScopeOf(dst, script, info)
	dst = appendVariable(dst, "", r.Path)
	dst = appendVariable(dst, "", r.Query)
	dst = appendVariable(dst, "", g.version())
	dst = appendPeer(dst, r.Peer)
	dst = appendVariable(dst, "", r.ID)
	dst = r.appendExtension(dst, script, info)
	dst, more := appendTLS(dst, r.Peer)
	for i := range r.Fields {
		dst = appendLower(dst, &r.Fields[i])
	}
	putHead(dst[start:], r, pyhost.ScopeVariables+1+more+len(r.Fields))
	return dst
}

// appendScopeOf adds the root and the path with it, as a scope has them.
func appendScopeOf(dst, script, info []byte) []byte {
	dst = appendVariable(dst, "", script)
	if _, below := CutRoot(info, script); below {
		return appendVariable(dst, "", info)
	}
	at := len(dst)
	dst = append(appendVariable(dst, "", script), info...)
	binary.LittleEndian.PutUint32(dst[at+4:], uint32(len(script)+len(info)))
	return dst
}

// appendExtension adds the variable whose value is all the others, for the scope's extensions.
func (r *Request) appendExtension(dst, script, info []byte) []byte {
	at := len(dst)
	dst = appendVariable(dst, r.Gateway.Name, "")
	from := len(dst)
	dst, _ = r.appendVariables(dst, script, info)
	binary.LittleEndian.PutUint32(dst[at+4:], uint32(len(dst)-from))
	return dst
}

// version is the client's HTTP version as ASGI writes it: 1.0, 1.1, 2 or 3.
func (g *Gateway) version() string {
	switch string(g.Protocol) {
	case "HTTP/1.1":
		return "1.1"
	case "HTTP/2.0", "HTTP/2":
		return "2"
	case "HTTP/3.0", "HTTP/3":
		return "3"
	}
	return "1.0"
}
