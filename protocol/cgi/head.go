package cgi

import (
	"fmt"
	"net/netip"

	"gobridge/bridge"
	"gobridge/protocol/http1"
)

// Protocol is one by which web servers pass requests on.
type Protocol struct {
	Name     string // in extensions, binds and the directives of nginx: "uwsgi"
	Title    string // in sentences: "the uwsgi protocol"
	Block    string // what holds the variables: "the uwsgi packet"
	Framed   bool   // it says by itself where a body ends: a length of -1 is one that is not known (Caddy)
	Tunnels  bool   // an answer of 101 makes a tunnel of the connection, so that WebSockets come by it
	NoScript bool   // a SCRIPT_NAME that comes without PATH_INFO may be the whole path, as PHP is told the name of its file
}

// MaxSize is how many bytes of variables a request may have: as many as a uwsgi packet can.
// The others have no bound of their own.
const MaxSize = 65535

// Head is what a web server says of a request. With Protocol and Local it is ready: then come
// Reset, Add for each variable, and Finish.
type Head struct {
	Protocol *Protocol
	Local    *bridge.Peer // between whom a request is as far as it does not say so itself

	// What was found. It points into the variables.
	Request    bridge.Request
	HasLength  bool       // the body's length was sent
	HeadMethod bool       // the method is HEAD
	Client     netip.Addr // REMOTE_ADDR; invalid: it is no address
	ClientUnix bool       // REMOTE_ADDR says that the client has connected to a unix socket of the web server's
	Forwarded  bool       // there is a field with which proxies speak of the client: see http1.Forwarding
	WantsJSON  bool       // the client would rather have an error as JSON
	WebSocket  bool       // the client asks for an upgrade to websocket, and can have one
	Sparse     bool       // REQUEST_METHOD was not sent
	NamesCode  bool       // a variable names code to load, as uWSGI does: nobody loads it here
	Reserved   bool       // a variable pretended to be one of the server's own, and was left out

	gateway bridge.Gateway
	peer    bridge.Peer
	parsed  string // the text that Client was parsed from
	made    []byte // what was not sent
	sent    sent
	places  map[string]int // where the variables stand, by name; nil: they are few
}

// Reset drops what was found.
func (h *Head) Reset() {
	clear(h.Request.Fields)
	clear(h.gateway.Variables)
	// What only an unusual request needs is not kept: nobody counts it.
	h.Request.Fields, h.gateway.Variables = few(h.Request.Fields), few(h.gateway.Variables)
	if cap(h.made) > keepMade {
		h.made = nil
	}
	// The peer's texts are kept: the next request's are often the same, and need not be made.
	*h = Head{Protocol: h.Protocol, Local: h.Local, peer: h.peer, parsed: h.parsed, Client: h.Client, made: h.made[:0],
		Request: bridge.Request{Fields: h.Request.Fields[:0]}, gateway: bridge.Gateway{Variables: h.gateway.Variables[:0]}}
}

// What is kept for the next request, at most.
const (
	keepFields = 256
	keepMade   = 4 << 10
)

func few(all []bridge.Field) []bridge.Field {
	if cap(all) > keepFields {
		return nil
	}
	return all
}

// Malformed is the error for what makes no sense: 400.
func Malformed(format string, a ...any) *http1.Error {
	return &http1.Error{Status: 400, Reason: fmt.Sprintf(format, a...)}
}

// TooLarge is the error for more variables than MaxSize: 431.
func (h *Head) TooLarge() *http1.Error {
	return &http1.Error{Status: 431, Reason: fmt.Sprintf("there are more than %d bytes in %s", MaxSize, h.Protocol.Block)}
}
