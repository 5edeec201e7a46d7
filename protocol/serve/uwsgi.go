package serve

import "gobridge/protocol/uwsgi"

// usePacket is the useHead of the uwsgi protocol.
func (c *conn) usePacket(b []byte) int {
	w := c.work
	p := w.packets
	if p == nil {
		p = uwsgi.NewParser()
		w.packets = p
	}
	if !c.trusted {
		return c.refuseGateway(b)
	}
	p.Local = &c.peer
	n, err := p.Parse(b)
	if n > 0 && p.Ping {
		c.pong()
		return len(b)
	}
	return c.useGateway(&p.Head, b, n, err)
}

// pong answers a ping. So few bytes fit into any socket.
func (c *conn) pong() {
	c.put(uwsgi.Pong)
	c.last()
}
