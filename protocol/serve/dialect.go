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
	gateway *cgi.Protocol // its peers are web servers, which pass requests on; nil: they are clients
	unit    string        // what a request comes in, for the log
	single  bool          // a connection carries one request, and ends with its answer
	heeds   bool          // something may come that is not to wait until the request before it is answered
	// useHead looks for a whole head in what has come, and begins its request. It returns the
	// bytes used, all of them if it was refused; 0 when there must come more.
	useHead func(*conn, []byte) int
}

var dialects = [...]*dialect{
	{name: "http", useHead: (*conn).useHead},
	{name: "uwsgi", gateway: &uwsgi.Protocol, unit: "a uwsgi packet", single: true, useHead: (*conn).usePacket},
	{name: "fastcgi", gateway: &fastcgi.Protocol, unit: "a FastCGI request", heeds: true, useHead: (*conn).useRecords},
	{name: "scgi", gateway: &scgi.Protocol, unit: "an SCGI request", single: true, useHead: (*conn).useNetstring},
}

// Protocols are the names that a bind may begin with, and a colon behind them: what is spoken
// there. Without one it is HTTP/1.1.
func Protocols() []string {
	var names []string
	for _, d := range dialects[1:] {
		names = append(names, d.name)
	}
	return names
}

// dialectOf takes a bind apart: what is spoken, and where.
func dialectOf(bind string) (in *dialect, address string) {
	for _, d := range dialects[1:] {
		if rest, ok := strings.CutPrefix(bind, d.name+":"); ok {
			return d, rest
		}
	}
	return dialects[0], bind
}
