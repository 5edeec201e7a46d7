package serve

import (
	"net/netip"
	"sync"

	"gobridge/protocol/uwsgi"
)

// The uwsgi protocol, as nginx speaks it. Its peers are web servers, and what they say is
// believed: who else could know of the client? So only those may speak it that
// Settings.GatewayFrom names. Header fields are another matter: a web server passes on what its
// client sends, and whether that counts depends on the client, as behind the PROXY protocol.
// But the fields stay in the request, for the site may have set them itself (uwsgi_param
// HTTP_X_REAL_IP), and nothing tells those from a client's.

// usePacket is the dialect's useHead.
func (c *conn) usePacket(b []byte) int {
	if c.work == nil {
		c.takeWork()
	}
	w := c.work
	p := w.packets
	if p == nil {
		p = new(uwsgi.Parser)
		w.packets = p
	}
	if !c.trusted {
		c.refuseGateway()
		return len(b)
	}
	p.Local = &c.peer
	n, err := p.Parse(b)
	switch {
	case err != nil:
		c.refuseError(err)
		return len(b)
	case n == 0:
		c.awaitHead()
		return 0
	case p.Ping:
		c.pong()
		return len(b)
	}
	c.tellOfPacket(p)
	w.close, w.noBody, w.asJSON = true, p.HeadMethod, p.WantsJSON
	c.trusted = p.ClientUnix && c.trusts(netip.Addr{}) || p.Client.IsValid() && c.trusts(p.Client)
	if !c.begin(&p.Request, p.Forwarded && c.trusted, n, len(b)-n) {
		return len(b)
	}
	return n
}

func (c *conn) trusts(client netip.Addr) bool {
	return c.r.server.settings.Forwarded.Trusted.Peer(client)
}

// pong answers a ping. So few bytes fit into any socket.
func (c *conn) pong() {
	send(c.fd, uwsgi.Pong)
	c.last()
}

var noGateway = &refusal{status: 403, text: "This port is for web servers that the server knows.", close: true}

// refuseGateway refuses a peer that may not speak for others.
func (c *conn) refuseGateway() {
	if c.r.maySay(&c.r.refused) {
		c.r.server.settings.Log.Warn().Str("peer", c.peer.RemoteAddr).
			Msg("a peer was refused that may not speak the uwsgi protocol: if it is your web server, name it in --uwsgi-allow-ips")
	}
	c.refuse(noGateway)
}

// unfinished says in the log that a web server has not sent what it has begun. One that has sent
// nothing and closes is looking whether somebody listens.
func (c *conn) unfinished(why string) {
	if !c.speaks.single {
		return
	}
	var what string
	switch {
	case c.phase == reading:
		what = "a uwsgi packet is not whole"
	case c.phase == idle && c.readBy == 0 && !c.r.draining:
		what = "a connection without a uwsgi packet was closed"
	case (c.phase == taking || c.phase == serving) && c.work.body != bodyWhole:
		what = "the body of a request is not whole"
	default:
		return
	}
	if c.r.maySay(&c.r.unfinished) {
		c.r.server.settings.Log.Info().Str("peer", c.peer.RemoteAddr).Str("request", c.Describe()).Str("reason", why).Msg(what)
	}
}

// told is what a server says once of packets.
type told struct{ code, reserved, sparse sync.Once }

// tellOfPacket says what is remarkable about a packet that is served.
func (c *conn) tellOfPacket(p *uwsgi.Parser) {
	if !p.NamesCode && !p.Reserved && !p.Sparse {
		return
	}
	t, log := &c.r.server.told, &c.r.server.settings.Log
	if p.NamesCode {
		t.code.Do(func() {
			log.Warn().Msg("a web server names code to load or a folder to go to (UWSGI_FILE, UWSGI_SCRIPT, UWSGI_PYHOME, UWSGI_CHDIR and others): that is never done for a request, and the application that gobridge was started with serves it")
		})
	}
	if p.Reserved {
		t.reserved.Do(func() {
			log.Warn().Msg("a web server sends variables whose names begin with wsgi. or gobridge.: those are the server's own, and they were left out")
		})
	}
	if p.Sparse {
		t.sparse.Do(func() {
			log.Warn().Msg("a web server sends no REQUEST_METHOD, and GET was assumed: with nginx, the location of uwsgi_pass needs include uwsgi_params")
		})
	}
}
