package cgi

import (
	"bytes"
	"net/netip"
	"strings"

	"gobridge/bridge"
	"gobridge/protocol/http1"
)

// Finish makes the request of what was sent. SCRIPT_NAME is cut off the path if mounted says so.
// An error is an *http1.Error with the status to answer with.
func (h *Head) Finish(mounted bool) error {
	h.Request.Peer, h.Request.Gateway = &h.peer, &h.gateway
	h.gateway.Name = h.Protocol.Name
	if h.gateway.Protocol = h.sent.protocol; len(h.gateway.Protocol) == 0 {
		h.gateway.Protocol = anyProtocol
	}
	if err := h.method(); err != nil {
		return err
	}
	if err := h.length(); err != nil {
		return err
	}
	if err := h.target(mounted); err != nil {
		return err
	}
	h.WebSocket = h.sent.webSocket && h.sent.upgrade && h.upgrades()
	h.client()
	h.server()
	h.rest()
	return nil
}

// upgrades says whether there are upgrades: of the client's protocols only HTTP/1.1 has them (RFC
// 9110 section 7.8). A site that does not send it is believed that its web server knows.
func (h *Head) upgrades() bool {
	return h.Protocol.Tunnels && (len(h.sent.protocol) == 0 || string(h.sent.protocol) == "HTTP/1.1")
}

func (h *Head) method() error {
	q := &h.Request
	if q.Method = h.sent.method; len(q.Method) == 0 {
		q.Method, h.Sparse = anyMethod, true
		return nil
	}
	if !http1.IsToken(q.Method) {
		return Malformed("REQUEST_METHOD in %s is no method", h.Protocol.Block)
	}
	h.HeadMethod = string(q.Method) == "HEAD"
	return nil
}

// lengthDigits is how many digits a length may have: every number of so many fits.
const lengthDigits = 18

// length reads CONTENT_LENGTH, which web servers send empty when there is no body.
func (h *Head) length() error {
	if h.Protocol.Framed && string(h.sent.length) == "-1" {
		h.sent.length = nil
	}
	if len(h.sent.length) > lengthDigits {
		return Malformed("CONTENT_LENGTH in %s has %d digits or more", h.Protocol.Block, len(h.sent.length))
	}
	n := int64(0)
	for _, c := range h.sent.length {
		if c < '0' || c > '9' {
			return Malformed("CONTENT_LENGTH in %s is not a number", h.Protocol.Block)
		}
		n = n*10 + int64(c-'0')
	}
	h.Request.BodyLength, h.HasLength = n, len(h.sent.length) > 0
	return nil
}

// client says who has asked the web server.
func (h *Head) client() {
	s, peer := &h.sent, &h.peer
	if h.parsed != string(s.remoteAddr) {
		h.parsed = string(s.remoteAddr)
		if h.Client, _ = netip.ParseAddr(h.parsed); h.Client.Zone() != "" { // a zone may be any text
			h.Client = netip.Addr{}
		} // what is no address is told as it is
	}
	h.ClientUnix = bytes.HasPrefix(s.remoteAddr, []byte("unix:"))
	if peer.RemoteAddr = ""; h.Client.IsValid() {
		peer.RemoteAddr = h.parsed
	} else {
		h.gateway.RemoteAddr = s.remoteAddr
	}
	keep(&peer.RemotePort, port(s.remotePort))
}

// server says under which name, port and scheme the web server was asked. A scheme comes from
// variables alone: nobody but the site's own configuration can set those.
func (h *Head) server() {
	s, peer := &h.sent, &h.peer
	peer.TLS = h.Local.TLS
	switch {
	case bytes.EqualFold(s.scheme, []byte("https")), bytes.EqualFold(s.scheme, []byte("http")):
		peer.Scheme = strings.ToLower(string(s.scheme))
	case bytes.EqualFold(s.https, []byte("on")), string(s.https) == "1", bytes.EqualFold(s.requestScheme, []byte("https")):
		peer.Scheme = "https"
	default:
		peer.Scheme = h.Local.Scheme
	}
	if peer.Socket = ""; len(s.name) > 0 {
		keep(&peer.ServerName, s.name)
	} else {
		peer.ServerName, peer.Socket = h.Local.ServerName, h.Local.Socket
	}
	switch number := port(s.port); {
	case number != nil:
		keep(&peer.ServerPort, number)
	case peer.Scheme == "https":
		peer.ServerPort = "443"
	default:
		peer.ServerPort = h.Local.ServerPort
	}
}

// keep gives a text another value, which is seldom a new one.
func keep(text *string, value []byte) {
	if *text != string(value) {
		*text = string(value)
	}
}

// port is a port's number; nil if it is none.
func port(value []byte) []byte {
	for _, c := range value {
		if c < '0' || c > '9' {
			return nil
		}
	}
	if len(value) == 0 || len(value) > 5 {
		return nil
	}
	return value
}

// rest puts back what has a meaning only if it is not empty, or says something else than usual.
func (h *Head) rest() {
	q, g, s := &h.Request, &h.gateway, &h.sent
	if s.https != nil && string(s.https) != "on" {
		g.Variables = append(g.Variables, bridge.Field{Name: []byte("HTTPS"), Value: s.https})
	}
	for _, each := range [...]struct {
		variable, field []byte
		value           []byte
	}{{contentType, contentTypeField, s.kind}, {contentLength, contentLengthField, s.length}} {
		switch {
		case each.value == nil:
		case len(each.value) == 0:
			g.Variables = append(g.Variables, bridge.Field{Name: each.variable, Value: each.value})
		default:
			q.Fields = append(q.Fields, bridge.Field{Name: each.field, Value: each.value})
		}
	}
}

var (
	anyProtocol, anyMethod            = []byte("HTTP/1.0"), []byte("GET") // what was not sent
	contentType, contentTypeField     = []byte("CONTENT_TYPE"), []byte("Content-Type")
	contentLength, contentLengthField = []byte("CONTENT_LENGTH"), []byte("Content-Length")
)
