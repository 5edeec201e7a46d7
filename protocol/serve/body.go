package serve

// The request's body: from the socket into the exchange, as the application takes it.

// useBody takes body bytes from b and returns how many bytes that were, framing
// included. Fewer than all: the pipe is full (work.full), the body is at its end, or
// the next piece of framing has not come whole.
func (c *conn) useBody(b []byte) int {
	w := c.work
	w.expect = false // the client did not wait
	n := 0
	switch w.body {
	case bodyWhole:
		return 0
	case bodyCounted:
		n = c.deliver(b)
		if w.left == 0 && c.takesBody(w) {
			c.bodyWhole()
		}
	case bodyChunked, bodyRecords:
		n = c.useChunks(b)
	}
	if c.takesBody(w) {
		w.came += int64(n)
		c.awaitBody()
	}
	return n
}

// takesBody says whether the connection still takes w's body: it may have been refused
// amid it.
func (c *conn) takesBody(w *work) bool { return c.work == w && (!w.over || c.phase == skipping) }

// deliver gives the application what belongs to the body, work.left bytes at most, and
// returns how much of it was taken. What nobody will read is taken at once.
func (c *conn) deliver(b []byte) int {
	w := c.work
	b = b[:min(int64(len(b)), w.left)]
	if w.intake != nil {
		return c.store(b)
	}
	n := len(b)
	if w.begun {
		n = w.x.WriteBody(b)
		w.full = n < len(b)
	}
	w.left -= int64(n)
	return n
}

// useChunks decodes the chunked coding, or FastCGI's records. Bytes that are decoded and find no room are
// work.left bytes at the front of what is kept.
func (c *conn) useChunks(b []byte) (taken int) {
	w := c.work
	for taken < len(b) && w.body != bodyWhole && !w.full {
		if w.left > 0 {
			taken += c.deliver(b[taken:])
			continue
		}
		n, data, done, err := c.decode(b[taken:])
		if err != nil {
			c.refuseError(err)
			return len(b)
		}
		if c.work != w { // its web server has given the request up
			return taken + n
		}
		w.size += int64(len(data))
		if limit := c.r.server.settings.BodySize; limit > 0 && w.size > limit {
			c.refuse(bodyTooLarge)
			return len(b)
		}
		taken += n - len(data) // the data are the last of what was decoded
		w.left = int64(len(data))
		if done {
			c.bodyWhole()
		} else if n == 0 {
			break
		}
	}
	return taken
}

// bodyWhole notes that the body has come to its end.
func (c *conn) bodyWhole() {
	w := c.work
	w.body = bodyWhole
	switch {
	case c.phase == taking:
		c.tookAll()
	case w.begun && w.intake == nil:
		c.endBody()
	}
}

// endBody tells the application that it has all of the body; and that its client has left, if
// that came with it.
func (c *conn) endBody() {
	c.work.x.EndBody()
	if c.gone() {
		c.hangUp()
	}
}

// awaitBody sets the deadline for the next piece of the body: there is none when it is
// the application that is awaited. Each byte moves it on by the time that it may take at the
// least rate, to Settings.BodyTime from now at most: who sends more slowly loses a little of
// that time with each piece.
func (c *conn) awaitBody() {
	w, s := c.work, &c.r.server.settings
	came := w.came
	w.came = 0
	if w.body == bodyWhole || w.full || w.expect && !w.headSent {
		if c.readBy != 0 {
			c.setRead(0)
		}
		return
	}
	c.setRead(c.r.extend(c.readBy, s.BodyTime, came, s.BodyRate))
}
