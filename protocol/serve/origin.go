package serve

import (
	"strconv"
	"strings"
	"time"

	"gobridge/bridge"
	"gobridge/protocol/forwarded"
	"gobridge/protocol/http1"
)

// What proxies say of a request, in header fields: from a trusted peer it becomes the truth
// about the client, from anybody else it is taken out, so that no application believes it.

// hear deals with the fields of a request that has some. It reports false when the request
// was refused.
func (c *conn) hear(q *bridge.Request) bool {
	if !c.trusted {
		c.unhear(q)
		return true
	}
	o, err := c.r.server.settings.Forwarded.Read(q.Fields)
	if err == nil {
		err = c.work.originate(q, &o)
	}
	if err != nil {
		c.refuseError(err)
		return false
	}
	return true
}

// unhearEvery is how often the log says that fields are taken out.
const unhearEvery = time.Minute

// unhear takes out what a peer that is not trusted says as a proxy.
func (c *conn) unhear(q *bridge.Request) {
	kept := q.Fields[:0]
	var name []byte
	for _, f := range q.Fields {
		if http1.Forwarding(f.Name) {
			name = f.Name
			continue
		}
		kept = append(kept, f)
	}
	clear(q.Fields[len(kept):])
	q.Fields = kept
	if r := c.r; r.unheard == 0 || r.now-r.unheard >= int64(unhearEvery) {
		r.unheard = r.now
		from := c.peer.RemoteAddr
		if from == "" {
			from = "unix"
		}
		r.server.settings.Log.Info().Str("peer", from).Str("header", string(name)).
			Msg("a header was taken out, for its sender is no trusted proxy: if it is one of yours, name it in --forwarded-allow-ips")
	}
}

// originate has the request come from where o says.
func (w *work) originate(q *bridge.Request, o *forwarded.Origin) error {
	w.origin = *q.Peer
	p := &w.origin
	q.Peer = p
	if o.Hops > 0 {
		p.Relayed = true
		p.RemoteAddr, p.RemotePort = "", ""
		if o.Client.IsValid() { // a port that is not said is 0, for those who want a number
			p.RemoteAddr, p.RemotePort = o.Client.Addr().String(), strconv.Itoa(int(o.Client.Port()))
		}
	}
	if o.Scheme != "" {
		p.Scheme = o.Scheme
	}
	if o.Prefix != nil {
		q.Root = string(o.Prefix)
	}
	if o.Host == nil && o.Port == "" {
		return nil
	}
	return setHost(q, p, o)
}

// setHost has the request ask for the host, the port or both that a proxy has been asked
// for. A port that goes without saying is not said in Host.
func setHost(q *bridge.Request, p *bridge.Peer, o *forwarded.Origin) error {
	authority := o.Host
	if authority == nil {
		authority = hostOf(q)
	}
	name, port := http1.SplitHost(authority)
	if o.Port != "" {
		if o.Host != nil && port != "" && port != o.Port {
			return &http1.Error{Status: 400, Reason: "X-Forwarded-Port and the port of X-Forwarded-Host differ"}
		}
		if port, authority = o.Port, name; port != defaultPort(p.Scheme) {
			authority = append(append(append([]byte(nil), name...), ':'), port...)
		}
	}
	if p.ServerPort = port; port == "" {
		p.ServerPort = defaultPort(p.Scheme)
	}
	if len(name) > 0 { // an HTTP/1.0 request may have no Host
		p.Socket = ""
		p.ServerName = strings.Trim(string(name), "[]")
		replaceHost(q, authority)
	}
	return nil
}

func hostOf(q *bridge.Request) []byte {
	for i := range q.Fields {
		if bridge.EqualFold(q.Fields[i].Name, "host") {
			return q.Fields[i].Value
		}
	}
	return nil
}

// replaceHost gives the request's Host another value, or gives it one.
func replaceHost(q *bridge.Request, value []byte) {
	for i := range q.Fields {
		if bridge.EqualFold(q.Fields[i].Name, "host") {
			q.Fields[i].Value = value
			return
		}
	}
	q.Fields = append(q.Fields, bridge.Field{Name: []byte("Host"), Value: value})
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}
