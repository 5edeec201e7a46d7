package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"gobridge/bridge"
	"gobridge/protocol/cgi"
	"gobridge/protocol/fastcgi"
	"gobridge/protocol/http1"
	"gobridge/protocol/scgi"
	"gobridge/protocol/uwsgi"
)

// speech is a protocol in which a request can be sent.
type speech struct {
	name      string // as a bind begins, and URLs
	secure    string // the same inside TLS; empty: it is not spoken there
	variables bool   // a request is variables, and not a head
	// head is what goes before the body.
	head func(q *bridge.Request, variables []bridge.Field) ([]byte, error)
	// frame is a piece of the body as it goes out, and what ends it if there is none; nil: as it is.
	frame   func(part []byte) []byte
	records bool // the answer comes in FastCGI's
	hint    string
}

const (
	requestID = 1 // of FastCGI
	noUwsgi   = "does the port speak the uwsgi protocol? By HTTP it is asked as %[1]s. uWSGI closes without a word, too, when the variables are longer than its buffer-size, or its application fails: its log tells"
	noOther   = "does the port speak that protocol? By HTTP it is asked as %[1]s"
	noHTTP    = "does the port speak HTTP? By the uwsgi protocol it is asked as %[2]s, and inside TLS as https: and suwsgi:"
)

var speeches = [...]*speech{
	{name: "http", secure: "https", hint: noHTTP,
		head: func(q *bridge.Request, _ []bridge.Field) ([]byte, error) { return http1.AppendRequest(nil, q) }},
	{name: "uwsgi", secure: "suwsgi", variables: true, hint: noUwsgi,
		head: func(_ *bridge.Request, variables []bridge.Field) ([]byte, error) {
			return uwsgi.AppendRequest(nil, variables)
		}},
	{name: "fastcgi", variables: true, hint: noOther, records: true,
		head: func(_ *bridge.Request, variables []bridge.Field) ([]byte, error) {
			return fastcgi.AppendRequest(nil, requestID, false, variables), nil
		},
		frame: func(part []byte) []byte {
			if len(part) == 0 {
				return fastcgi.AppendStdinEnd(nil, requestID)
			}
			return fastcgi.AppendStdin(nil, requestID, part)
		}},
	{name: "scgi", variables: true, hint: noOther,
		head: func(q *bridge.Request, variables []bridge.Field) ([]byte, error) {
			rest := slices.DeleteFunc(slices.Clone(variables), func(v bridge.Field) bool { return string(v.Name) == "CONTENT_LENGTH" })
			return scgi.AppendRequest(nil, rest, q.BodyLength), nil // where it comes first
		}},
}

// endpoint is where a request goes to.
type endpoint struct {
	speaks  *speech
	secure  bool   // inside TLS
	network string // tcp or unix
	address string // HOST:PORT, or a path
	host    string // for the field Host
	path    string // with the query
	peer    bridge.Peer
}

const endpointExample = "like http:127.0.0.1:8000, uwsgi:127.0.0.1:3031, https:127.0.0.1:8443, unix:/run/app.sock or uwsgi:unix:/run/app.sock"

// endpointOf reads the arguments: an address as --bind has it, or a URL, and a path.
func endpointOf(args []string) (*endpoint, error) {
	switch len(args) {
	case 0:
		return nil, usage("which server? Name its address: gobridge request uwsgi:127.0.0.1:3031 /path")
	case 1, 2:
	default:
		return nil, usage("one address and one path, not %s", strings.Join(args, " "))
	}
	to := &endpoint{speaks: speeches[0], path: "/"}
	rest := to.protocol(args[0])
	if name, _, ok := strings.Cut(rest, ":"); ok && (name == "wss" || name == "ws") {
		return nil, usage("%s: %s is not spoken here: it asks for answers, and not for WebSockets", args[0], name)
	}
	if behind, isURL := strings.CutPrefix(rest, "//"); isURL {
		host, path, ok := strings.Cut(behind, "/")
		if rest = host; ok {
			to.path = "/" + path
		}
	}
	if len(args) == 2 {
		to.path = args[1]
	}
	if !strings.HasPrefix(to.path, "/") && to.path != "*" && !strings.Contains(to.path, "://") {
		return nil, usage("%s is no path: it begins with a slash", quoteEmpty(to.path))
	}
	if err := to.locate(rest); err != nil {
		return nil, usage("%s: must be an address, %s", quoteEmpty(args[0]), endpointExample)
	}
	return to, nil
}

// protocol takes the protocol off an address.
func (to *endpoint) protocol(text string) (rest string) {
	for _, s := range speeches {
		if rest, ok := strings.CutPrefix(text, s.name+":"); ok {
			to.speaks = s
			return rest
		}
		if rest, ok := strings.CutPrefix(text, s.secure+":"); ok && s.secure != "" {
			to.speaks, to.secure = s, true
			return rest
		}
	}
	return text
}

// locate says where the address is.
func (to *endpoint) locate(text string) error {
	to.peer = bridge.Peer{RemoteAddr: "127.0.0.1", RemotePort: "0", ServerName: "localhost", ServerPort: "80", Scheme: "http"}
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		to.network, to.address, to.host = "unix", path, "localhost"
		if path == "" {
			return errors.New("no path")
		}
		return nil
	}
	usual := "80" // and as such not part of Host
	if to.secure {
		usual = "443"
	}
	host, port, err := net.SplitHostPort(text)
	if bare := strings.Trim(text, "[]"); err != nil && to.speaks == speeches[0] {
		if _, no := netip.ParseAddr(bare); no == nil || !strings.Contains(bare, ":") {
			host, port, err = bare, usual, nil
		}
	}
	if err != nil || strings.ContainsAny(host, "/ ") || !isPort(port) {
		return errors.New("no HOST:PORT")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	to.network, to.address = "tcp", net.JoinHostPort(host, port)
	if to.host = to.address; port == usual {
		to.host = strings.TrimSuffix(to.address, ":"+usual)
	}
	to.peer.ServerName, to.peer.ServerPort = host, port
	return nil
}

func isPort(text string) bool {
	_, err := number(1, 65535).parse(text)
	return err == nil
}

// where is the address as a bind of HTTP has it.
func (to *endpoint) where() string {
	if to.network == "unix" {
		return "unix:" + to.address
	}
	return to.address
}

// bind is the address as --bind has it.
func (to *endpoint) bind() string { return to.by(to.speaks, to.secure) }

// by is the address as --bind has it for a protocol.
func (to *endpoint) by(s *speech, secure bool) string {
	switch {
	case secure:
		return s.secure + ":" + to.where()
	case s == speeches[0]:
		return to.where()
	}
	return s.name + ":" + to.where()
}

// String names it in messages.
func (to *endpoint) String() string { return to.bind() }

// silence says what may be wrong with who gives no answer.
func (to *endpoint) silence() string {
	return fmt.Sprintf(to.speaks.hint, to.by(speeches[0], to.secure), to.by(speeches[1], to.secure))
}

// isRefused says whether nobody listens.
func isRefused(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }

// variablesOf are those of a request, with those that were written instead of or beside them.
func variablesOf(q *bridge.Request, written []string) ([]bridge.Field, error) {
	all := cgi.AppendVariables(nil, q)
	for _, each := range written {
		name, value, ok := strings.Cut(each, "=")
		if !ok || name == "" {
			return nil, usage("--var %s: must be like REMOTE_USER=ada", quoteEmpty(each))
		}
		put := false
		for i := range all {
			if string(all[i].Name) == name {
				all[i].Value, put = []byte(value), true
			}
		}
		if !put {
			all = append(all, bridge.Field{Name: []byte(name), Value: []byte(value)})
		}
	}
	return all, nil
}
