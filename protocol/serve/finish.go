package serve

import "gobridge/protocol/http1"

// finish ends a request whose answer is out, and says what becomes of its connection.
func (c *conn) finish() {
	w := c.work
	c.leave()
	c.logRequest()
	c.unwatch()
	switch {
	case w.cut && w.framing == http1.UntilClose:
		c.resetOnClose() // an orderly end would look like the end of the body
		c.close()
	case w.close || w.cut:
		c.last()
	case w.body == bodyRecords:
		c.skipRecord()
	case w.body != bodyWhole:
		c.skipBody()
	default:
		c.rest()
		c.next()
	}
}

// skipBody throws away the rest of a body that the application has not read, so that the
// connection can be used again. When that is more than Settings.UnreadSize the connection
// ends, although the head of the answer, which went out before anybody could know, has not
// said so: a server may close a connection at any time (RFC 9112 section 9.5), and gigabytes
// that nobody wants cost more than a new one.
func (c *conn) skipBody() {
	w, s := c.work, &c.r.server.settings
	if w.body == bodyCounted && w.left > s.UnreadSize {
		c.last()
		return
	}
	c.phase, w.full, c.skip = skipping, false, s.UnreadSize
	c.setRead(c.r.after(s.BodyTime))
	c.next()
}

// skipped is told how many bytes of such a body, with their framing, were thrown away.
func (c *conn) skipped(n int) {
	switch c.skip -= int64(n); {
	case c.work.body == bodyWhole:
		c.rest()
	case c.skip < 0:
		c.last()
	}
}

// rest makes the connection idle.
func (c *conn) rest() {
	c.phase = idle
	c.releaseWork()
	c.setRead(c.idleDeadline())
}

// next goes on with what the client has sent already.
func (c *conn) next() {
	c.feed()
	if c.ended && (c.phase == idle || c.phase == reading) {
		c.close()
		return
	}
	c.read()
}

// last ends the connection after its last answer. If the client may be sending still,
// closing would reset the connection, and the answer could be lost before the client has
// read it: then it is told that nothing more comes, and what it sends is thrown away
// until it closes, within bounds. That begins in the next turn: last is called from
// amid the bytes of a refused request, too.
func (c *conn) last() {
	w := c.work
	quiet := w.body == bodyWhole && !w.refused && !c.readable && c.kept.len() == 0
	if quiet || c.ended {
		c.close()
		return
	}
	c.linger()
}

// linger says that nothing more comes, and throws away what the client sends.
func (c *conn) linger() {
	s := &c.r.server.settings
	if s.LingerTime == 0 {
		c.close()
		return
	}
	c.releaseWork()
	c.shutdownWrite()
	c.phase, c.skip = lingering, s.LingerSize
	c.setRead(c.r.after(s.LingerTime))
	c.r.later(c)
}
