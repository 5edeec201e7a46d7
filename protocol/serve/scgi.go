package serve

import "gobridge/protocol/scgi"

// useNetstring is the useHead of SCGI.
func (c *conn) useNetstring(b []byte) int {
	w := c.work
	p := w.netstrings
	if p == nil {
		p = scgi.NewParser()
		w.netstrings = p
	}
	if w.cgi = true; !c.trusted {
		return c.refuseGateway(b)
	}
	p.Local = &c.peer
	n, err := p.Parse(b)
	return c.useGateway(&p.Head, b, n, err)
}
