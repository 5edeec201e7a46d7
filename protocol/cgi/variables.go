package cgi

import (
	"bytes"

	"gobridge/bridge"
	"gobridge/protocol/http1"
)

// sent is what of the variables with a meaning of their own was sent; nil: it was not. Of
// one that comes several times the last counts, as in uWSGI.
type sent struct {
	method, script, info, query, uri, protocol []byte
	remoteAddr, remotePort, name, port         []byte
	scheme, https, requestScheme               []byte
	kind, length                               []byte // CONTENT_TYPE, CONTENT_LENGTH
	document                                   []byte // DOCUMENT_URI, nginx's name for the decoded path
	host                                       int    // the place of Host among the fields, from 1; 0: there is none
	upgrade, webSocket                         bool   // Connection says so; Upgrade lists it
}

// Add takes a variable, and changes its bytes. Of one that comes several times the last value
// counts; header fields are all kept.
func (h *Head) Add(name, value []byte) error {
	if suffix, ok := bytes.CutPrefix(name, httpPrefix); ok && isField(suffix) {
		if h.field(suffix, value) {
			return nil
		}
	}
	if place := h.sent.place(name); place != nil {
		if place == &h.sent.length && len(*place) > 0 && len(value) > 0 && !bytes.Equal(*place, value) {
			return Malformed("CONTENT_LENGTH is there twice, with different values")
		}
		*place = value
		return nil
	}
	switch {
	case bytes.HasPrefix(name, ownPrefix), bytes.HasPrefix(name, gobridgePrefix):
		h.Reserved = true
		return nil
	case bytes.HasPrefix(name, uwsgiPrefix):
		h.NamesCode = h.NamesCode || namesCode(name)
		if string(name) == "UWSGI_SCHEME" {
			h.sent.scheme = value
		}
	case string(name) == "REQUEST_SCHEME":
		h.sent.requestScheme = value
	case string(name) == "DOCUMENT_URI":
		h.sent.document = value
	}
	h.add(name, value)
	return nil
}

// fewVariables is up to how many of a site's own variables each is looked for among the others;
// more than sites usually have. With many that would take seconds.
const fewVariables = 64

// add takes a variable of the site's. A name has one place, and its last value.
func (h *Head) add(name, value []byte) {
	all := h.gateway.Variables
	switch {
	case h.places != nil:
		if at, ok := h.places[string(name)]; ok {
			all[at].Value = value
			return
		}
		h.places[string(name)] = len(all)
	default:
		for i := range all {
			if bytes.Equal(all[i].Name, name) {
				all[i].Value = value
				return
			}
		}
	}
	all = append(all, bridge.Field{Name: name, Value: value})
	if h.gateway.Variables = all; len(all) == fewVariables {
		h.places = make(map[string]int, 4*fewVariables)
		for i := range all {
			h.places[string(all[i].Name)] = i
		}
	}
}

var (
	httpPrefix     = []byte("HTTP_")
	uwsgiPrefix    = []byte("UWSGI_")
	ownPrefix      = []byte("wsgi.")
	gobridgePrefix = []byte("gobridge.")
)

// place is where the value of a variable that has a meaning belongs; nil: it has none. HTTPS is
// made anew if it says "on", and stays as it is otherwise.
func (s *sent) place(name []byte) *[]byte {
	switch string(name) {
	case "REQUEST_METHOD":
		return &s.method
	case "SCRIPT_NAME":
		return &s.script
	case "PATH_INFO":
		return &s.info
	case "QUERY_STRING":
		return &s.query
	case "REQUEST_URI":
		return &s.uri
	case "SERVER_PROTOCOL":
		return &s.protocol
	case "REMOTE_ADDR":
		return &s.remoteAddr
	case "REMOTE_PORT":
		return &s.remotePort
	case "SERVER_NAME":
		return &s.name
	case "SERVER_PORT":
		return &s.port
	case "CONTENT_TYPE":
		return &s.kind
	case "CONTENT_LENGTH":
		return &s.length
	case "HTTPS":
		return &s.https
	}
	return nil
}

// isField says whether what stands behind HTTP_ is a header field's name as web servers write
// them. Anything else is a variable of the site's, to which nothing is done.
func isField(suffix []byte) bool {
	for _, c := range suffix {
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return len(suffix) > 0
}

// field takes a header field, its name as after HTTP_. It reports false for one that stays a
// variable: the length of a body that is not there must not become the body's.
func (h *Head) field(name, value []byte) bool {
	switch string(name) {
	case "CONTENT_TYPE", "CONTENT_LENGTH":
		return false
	case "TRANSFER_ENCODING": // the web server has taken the coding off
		return true
	case "HOST": // by a site's own uwsgi_param, beside the one that its server adds
		if at := h.sent.host; at > 0 {
			h.Request.Fields[at-1].Value = value
			return true
		}
		h.sent.host = len(h.Request.Fields) + 1
	case "CONNECTION":
		h.sent.upgrade = h.sent.upgrade || http1.Lists(value, "upgrade")
	case "UPGRADE":
		h.sent.webSocket = h.sent.webSocket || http1.Lists(value, "websocket")
	case "ACCEPT":
		h.WantsJSON = h.WantsJSON || http1.PrefersJSON(value)
	}
	for i, c := range name {
		if c == '_' {
			name[i] = '-'
		}
	}
	if c := name[0]; c == 'X' || c == 'F' {
		h.Forwarded = h.Forwarded || http1.Forwarding(name)
	}
	h.Request.Fields = append(h.Request.Fields, bridge.Field{Name: name, Value: value})
	return true
}

// namesCode says whether uWSGI would load or run what such a variable names, for whoever can
// send it.
func namesCode(name []byte) bool {
	switch string(name) {
	case "UWSGI_FILE", "UWSGI_SCRIPT", "UWSGI_MODULE", "UWSGI_CALLABLE", "UWSGI_PYHOME", "UWSGI_HOME", "UWSGI_CHDIR",
		"UWSGI_SETENV", "UWSGI_POSTFILE", "UWSGI_TOUCH_RELOAD", "UWSGI_CACHE_GET":
		return true
	}
	return false
}
