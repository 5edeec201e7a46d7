package bridge

// Field is one header field as it came: the name's case kept, white space around
// the value removed.
type Field struct {
	Name, Value []byte
}

// Request is the one form of a request, whatever protocol brought it. Its slices
// may point into the connection's buffer: Begin copies what it keeps.
type Request struct {
	Method     []byte
	Target     []byte  // as sent
	Path       []byte  // still percent-encoded, without the query
	Query      []byte  // without the question mark
	Root       string  // where the application is mounted, percent-encoded like Path, without a slash at its end; empty: at the top
	Minor      int     // HTTP/1.Minor
	Fields     []Field // in the order they came
	BodyLength int64   // bytes; 0 none, -1 unknown (chunked)
	Expect     bool    // the client waits for 100 (Continue)
	WebSocket  bool    // it is a WebSocket's handshake: behind it come messages
	Trailers   bool    // the client takes trailers behind a body (TE: trailers)
	Peer       *Peer
	ID         []byte   // by which logs know the request; empty: by none
	Gateway    *Gateway // nil: it came by HTTP
}

// Peer says between whom a connection is. It is constant for the connection.
type Peer struct {
	RemoteAddr string // textual address; empty for a unix socket
	RemotePort string
	ServerName string
	ServerPort string
	Scheme     string // http or https
	Socket     string // path of the unix socket that the client has connected to; empty: it is none
	TLS        *TLS   // nil: the connection is not encrypted
	Relayed    bool   // the connection is a proxy's, which speaks for the client
}
