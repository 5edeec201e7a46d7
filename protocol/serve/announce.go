package serve

import (
	"net/netip"
	"strconv"

	"gobridge/protocol/proxyproto"
)

// A load balancer that passes bytes on announces whose they are before all else, by the
// PROXY protocol. From a peer that may do so it is awaited: who leaves it out is refused,
// for otherwise the balancer's address would be taken for the client's. From any other
// peer it is malformed HTTP.

// announced says whether the connection must begin with an announcement.
func (s *Settings) announced(remote netip.Addr) bool {
	return s.ProxyVersions != proxyproto.Off && s.ProxyFrom.Peer(remote)
}

// useAnnouncement looks for a whole announcement in b, and returns its bytes; 0 when there
// must come more.
func (c *conn) useAnnouncement(b []byte) int {
	h, n, err := proxyproto.Parse(b, c.r.server.settings.ProxyVersions)
	if err != nil {
		c.takeWork()
		c.refuseError(err)
		return len(b)
	}
	if n == 0 {
		return 0
	}
	if !h.Local && !c.countAs(h.Source.Addr()) {
		if c.channel != nil { // as with turnDown
			c.close()
			return len(b)
		}
		c.takeWork()
		c.refuse(tooManyOfOne)
		return len(b)
	}
	c.start()
	if !h.Local {
		c.announce(&h)
	}
	return n
}

// countAs has the connection count for the address that was announced, and no more for the
// balancer's. It reports false when that address has as many as it may have.
func (c *conn) countAs(from netip.Addr) bool {
	r := c.r
	all := &r.server.acceptor.addresses
	counted, ok := all.enter(from)
	if !ok {
		if r.maySay(&r.refused) {
			all.tell(&r.server.settings.Log, from)
		}
		return false
	}
	if c.counted != nil {
		all.leave(c.counted)
	}
	c.counted = counted
	return true
}

// announce takes over what the announcement says. Whether the peer is trusted in what it
// says in header fields is from now on about the client, who sends them.
func (c *conn) announce(h *proxyproto.Header) {
	c.trusted = false
	c.peer.RemoteAddr, c.peer.RemotePort = "", ""
	if h.TLS {
		c.peer.Scheme = "https"
	}
	if !h.Source.IsValid() {
		return
	}
	c.trusted = c.r.server.settings.Forwarded.Trusted.Peer(h.Source.Addr())
	c.peer.RemoteAddr, c.peer.RemotePort = h.Source.Addr().String(), strconv.Itoa(int(h.Source.Port()))
	c.peer.Socket = ""
	c.peer.ServerName, c.peer.ServerPort = h.Destination.Addr().String(), strconv.Itoa(int(h.Destination.Port()))
}

// unannounced ends a connection whose announcement has not come in time.
func (c *conn) unannounced() {
	if r := c.r; r.maySay(&r.refused) {
		r.server.settings.Log.Info().Str("client", c.peer.RemoteAddr).Msg("no PROXY protocol header came in time, and the connection was closed")
	}
	c.close()
}
