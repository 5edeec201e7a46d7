package serve

import (
	"net/netip"
	"sync"

	"gobridge/protocol/cgi"
)

// Requests that web servers pass on, by the uwsgi protocol, FastCGI or SCGI. What they say is
// believed: who else could know of the client? So only those may speak it that
// Settings.GatewayFrom names. Header fields are another matter: a web server passes on what its
// client sends, and whether that counts depends on the client, as behind the PROXY protocol.
// But the fields stay in the request, for the site may have set them itself (uwsgi_param
// HTTP_X_REAL_IP), and nothing tells those from a client's.

// useGateway begins the request whose head is the first n bytes of b, or refuses it; 0: it is not
// whole. It returns the bytes used.
func (c *conn) useGateway(h *cgi.Head, b []byte, n int, err error) int {
	switch {
	case err != nil:
		c.answerStranger(b)
		c.refuseError(err)
		return len(b)
	case n == 0:
		c.awaitHead()
		return 0
	}
	c.tellOfHead(h)
	w := c.work
	w.close = w.close || c.speaks.single
	w.noBody, w.asJSON, w.upgrade = h.HeadMethod, h.WantsJSON, h.WebSocket
	believed := h.ClientUnix && c.trusts(netip.Addr{}) || h.Client.IsValid() && c.trusts(h.Client)
	if !c.begin(&h.Request, h.Forwarded && believed, n, len(b)-n) {
		return len(b)
	}
	if n > longHead {
		w.forget()
	}
	return n
}

func (c *conn) trusts(client netip.Addr) bool {
	return c.r.server.settings.Forwarded.Trusted.Peer(client)
}

var noGateway = &refusal{status: 403, text: "This port is for web servers that the server knows.", close: true}

// refuseGateway refuses a peer that may not speak for others.
func (c *conn) refuseGateway(b []byte) int {
	if c.r.maySay(&c.r.refused) {
		c.r.server.settings.Log.Warn().Str("peer", c.peer.RemoteAddr).
			Msgf("a peer was refused that may not speak %s: if it is your web server, name it in --%s-allow-ips", c.speaks.gateway.Title, c.speaks.name)
	}
	c.answerStranger(b)
	c.refuse(noGateway)
	return len(b)
}

// answerStranger has who speaks another protocol be answered in HTTP, which most others understand.
func (c *conn) answerStranger(b []byte) {
	if len(b) >= cgi.SniffSize && c.speaks.gateway.Stranger([cgi.SniffSize]byte(b)) != nil {
		c.work.cgi = false
	}
}

// unfinished says in the log that a web server has not sent what it has begun. One that has sent
// nothing and closes is looking whether somebody listens.
func (c *conn) unfinished(why string) {
	if c.speaks.gateway == nil {
		return
	}
	var what string
	switch {
	case c.phase == reading:
		what = c.speaks.unit + " is not whole"
	case c.phase == idle && c.speaks.single && c.readBy == 0 && !c.r.draining:
		what = "a connection without " + c.speaks.unit + " was closed"
	case (c.phase == taking || c.phase == serving) && c.work.body != bodyWhole:
		what = "the body of a request is not whole"
	default:
		return
	}
	if c.r.maySay(&c.r.unfinished) {
		c.r.server.settings.Log.Info().Str("peer", c.peer.RemoteAddr).Str("request", c.Describe()).Str("reason", why).Msg(what)
	}
}

// told is what a server says once of such requests.
type told struct{ code, reserved, sparse sync.Once }

// tellOfHead says what is remarkable about a request that is served.
func (c *conn) tellOfHead(h *cgi.Head) {
	if !h.NamesCode && !h.Reserved && !h.Sparse {
		return
	}
	t, log := &c.r.server.told, &c.r.server.settings.Log
	if h.NamesCode {
		t.code.Do(func() {
			log.Warn().Msg("a web server names code to load or a folder to go to (UWSGI_FILE, UWSGI_SCRIPT, UWSGI_PYHOME, UWSGI_CHDIR and others): that is never done for a request, and the application that gobridge was started with serves it")
		})
	}
	if h.Reserved {
		t.reserved.Do(func() {
			log.Warn().Msg("a web server sends variables whose names begin with wsgi. or gobridge.: those are the server's own, and they were left out")
		})
	}
	if h.Sparse {
		t.sparse.Do(func() {
			name := c.speaks.name
			log.Warn().Msgf("a web server sends no REQUEST_METHOD, and GET was assumed: with nginx, the location of %s_pass needs include %s_params", name, name)
		})
	}
}
