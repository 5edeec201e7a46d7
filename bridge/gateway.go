package bridge

import (
	"bytes"

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
	return dst, count + len(g.Variables)
}

// mounted is SCRIPT_NAME and PATH_INFO for an application that is mounted at root, whatever
// the web server says; without a root they are the server's.
func (g *Gateway) mounted(root string) (script, info []byte) {
	if root == "" {
		return g.Script, g.Info
	}
	script = decoded(root)
	if rest, below := bytes.CutPrefix(g.Info, script); below && (len(rest) == 0 || rest[0] == '/') {
		return script, rest
	}
	return script, g.Info
}

// decoded is a path without its percent-encoding.
func decoded(path string) []byte {
	return appendPath(nil, "", []byte(path))[pyhost.VariableSize:]
}
