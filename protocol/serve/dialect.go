package serve

import (
	"strings"

	"gobridge/protocol/cgi"
	"gobridge/protocol/fastcgi"
	"gobridge/protocol/scgi"
	"gobridge/protocol/uwsgi"
)

// A dialect is what differs between the protocols of listeners. Everything else - reactors,
// deadlines, bodies on their way to the application, answers on their way back, files, logs -
// is the same for all of them, since each makes a bridge.Request of a head.
type dialect struct {
	name    string        // as a bind begins, and URLs
	secure  string        // the same for the dialect inside TLS; empty: it is not spoken there
	gateway *cgi.Protocol // its peers are web servers, which pass requests on; nil: they are clients
	unit    string        // what a request comes in, for the log
	single  bool          // a connection carries one request, and ends with its answer
	heeds   bool          // something may come that is not to wait until the request before it is answered
	// useHead looks for a whole head in what has come, and begins its request; the connection has
	// its work by then. It returns the bytes used, all of them if it was refused; 0 when there must
	// come more.
	useHead func(*conn, []byte) int
}

var dialects = [...]*dialect{
	{name: "http", secure: "https", useHead: (*conn).useHead},
	{name: "uwsgi", secure: "suwsgi", gateway: &uwsgi.Protocol, unit: "a uwsgi packet", single: true, useHead: (*conn).usePacket},
	{name: "fastcgi", gateway: &fastcgi.Protocol, unit: "a FastCGI request", heeds: true, useHead: (*conn).useRecords},
	{name: "scgi", gateway: &scgi.Protocol, unit: "an SCGI request", single: true, useHead: (*conn).useNetstring},
}

// dialectOf takes a bind apart: what is spoken, whether inside TLS, and where.
func dialectOf(bind string) (in *dialect, secure bool, address string) {
	name, rest, _ := strings.Cut(bind, ":")
	for i, d := range dialects {
		switch {
		case name == "": // :PORT
		case name == d.secure:
			return d, true, rest
		case name == d.name && i > 0: // HTTP goes without saying
			return d, false, rest
		}
	}
	return dialects[0], false, bind
}

// CutDialect takes off what stands before the address in a bind.
func CutDialect(bind string) (secure bool, address string) {
	_, secure, address = dialectOf(bind)
	return secure, address
}
