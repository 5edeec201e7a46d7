package serve

import "strings"

// A dialect is what differs between the protocols of listeners. Everything else - reactors,
// deadlines, bodies on their way to the application, answers on their way back, files, logs -
// is the same for all of them, since each makes a bridge.Request of a head.
type dialect struct {
	name   string // as a bind begins, and URLs
	single bool   // a connection carries one request of a web server's, and ends with its answer
	// useHead looks for a whole head in what has come, and begins its request. It returns the
	// bytes used, all of them if it was refused; 0 when there must come more.
	useHead func(*conn, []byte) int
}

var dialects = [...]*dialect{
	{name: "http", useHead: (*conn).useHead},
	{name: "uwsgi", single: true, useHead: (*conn).usePacket},
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
