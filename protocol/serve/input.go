package serve

import "golang.org/x/sys/unix"

// What comes from the socket is read into the reactor's scratch buffer and used from
// there. Only what cannot be used yet - part of a head, body bytes for which the pipe has
// no room, the next request - is kept in a buffer of the connection.

// hungry says whether bytes from the socket are of use now. If not, they stay there, and
// the client's sending comes to a stop by itself.
func (c *conn) hungry() bool {
	switch c.phase {
	case closed:
		return false
	case taking, serving:
		w := c.work
		if w.body == bodyWhole && !(c.speaks.heeds && c.phase == serving) {
			return false
		}
		return !w.full && !w.over
	case talking:
		return !c.work.full
	case securing:
		return !c.channel.wire.stuffed()
	default:
		return true
	}
}

// read takes what the socket has, as far as it is of use.
func (c *conn) read() {
	for n := 0; c.readable && c.hungry(); n++ {
		if n == turnsOfReads {
			c.r.later(c)
			return
		}
		if c.readOnce(); c.sated() {
			c.r.later(c)
			return
		}
	}
}

func (c *conn) readOnce() {
	if c.phase == lingering {
		c.releaseKept() // it would only be thrown away
	}
	b := c.space()
	if b == nil {
		c.overflow()
		return
	}
	n, errno := c.receive(b)
	switch {
	case errno == unix.EAGAIN:
		c.readable = c.sated()
	case errno != 0:
		c.abandon()
	case n == 0:
		c.readable = false
		c.end()
	default:
		// The socket is empty when it gave less than there was room for, and what comes
		// later makes a new event; but the end of the stream makes none of its own.
		if n < len(b) && !c.gone() && !c.sated() {
			c.readable = false
		}
		c.took(b[:n])
	}
}

// overflow is for bytes that find no memory, which are lost with all that is kept. What they belong
// to is refused. Behind the request that is answered they belong to another one, and the connection
// ends with this answer: who sends ahead must expect that (RFC 9112 section 9.3.2). Who has not
// begun a request, and has sent so much, is no loss.
func (c *conn) overflow() {
	c.releaseKept()
	w := c.work
	switch {
	case w == nil:
		c.close()
	case c.phase == talking:
		c.failForMemory("there is no memory for what the client sends ahead of its application")
	case c.phase == serving && (w.over || w.body == bodyWhole && !c.speaks.heeds):
		w.close, w.refused = true, true
	default:
		c.refuse(memoryShort)
	}
}

// end deals with the end of what the client sends. What it has sent whole is answered.
func (c *conn) end() {
	if c.phase == securing && c.channel.tls != nil { // a request may stand behind the handshake
		c.channel.wire.finish(false)
		return
	}
	c.ended = true
	switch {
	case (c.phase == serving || c.phase == taking) && c.work.body == bodyWhole:
	case c.phase == talking:
		c.endTalk()
	case c.phase == serving && c.work.over:
	default:
		c.unfinished("its sender has closed the connection")
		c.abandon()
	}
}

// space is where the next bytes are read to: behind those that are kept, if there are any;
// nil when there is no memory for more.
func (c *conn) space() []byte {
	k := &c.kept
	if k.len() == 0 {
		return c.r.scratch
	}
	if k.to == len(k.memory) && !c.makeRoom() {
		return nil
	}
	return k.memory[k.to:]
}

// makeRoom moves the kept bytes to the front of their buffer, or into a larger one. It
// reports false when there is no memory for that.
func (c *conn) makeRoom() bool {
	k := &c.kept
	memory := k.memory
	if k.from == 0 {
		if memory = c.r.takeBuffer(2 * len(memory)); memory == nil {
			return false
		}
	}
	k.to = copy(memory, k.bytes())
	if k.from == 0 {
		c.r.giveBuffer(k.memory)
	}
	k.from, k.memory = 0, memory
	return true
}

// took uses bytes that were read, and keeps the rest.
func (c *conn) took(b []byte) {
	if k := &c.kept; k.len() > 0 {
		k.to += len(b)
		c.feed()
		return
	}
	rest := b[c.use(b):]
	if len(rest) == 0 || c.phase == closed {
		return
	}
	c.keep(rest)
}

// keep takes bytes that cannot be used yet into a buffer of the connection. A part of a head, or of
// what comes before it, gets a small one: there may be many, and slow ones.
func (c *conn) keep(rest []byte) {
	size := bufferSize
	if (c.phase == reading || c.phase == announcing) && len(rest) <= smallBuffer/2 {
		size = smallBuffer
	}
	memory := c.r.takeBuffer(size)
	if memory == nil {
		c.overflow()
		return
	}
	c.kept = buffer{memory: memory}
	c.kept.to = copy(memory, rest)
}

// feed uses kept bytes.
func (c *conn) feed() {
	if c.kept.len() == 0 {
		return
	}
	n := c.use(c.kept.bytes())
	if c.phase == closed {
		return
	}
	if c.kept.from += n; c.kept.len() == 0 {
		c.releaseKept()
	}
}

// use lets each phase take its part of b, and returns how much was taken. It never sends
// an answer after which the connection would be used again, so nothing in it comes back
// to the bytes that it is using.
func (c *conn) use(b []byte) (taken int) {
	for taken < len(b) {
		n := 0
		switch c.phase {
		case announcing:
			n = c.useAnnouncement(b[taken:])
		case securing:
			n = c.shakeHands(b[taken:])
		case idle, reading:
			if c.work == nil {
				c.takeWork()
			}
			n = c.speaks.useHead(c, b[taken:])
		case serving:
			if c.work.over {
				return taken
			}
			if n = c.useBody(b[taken:]); n == 0 && c.phase == serving && c.speaks.heeds && c.work.body == bodyWhole {
				n = c.useAside(b[taken:])
			}
		case taking:
			n = c.useBody(b[taken:])
		case talking:
			n = c.takeFrames(b[taken:])
		case skipping:
			if n = c.useBody(b[taken:]); c.phase == skipping {
				c.skipped(n)
			}
		case lingering:
			n = len(b) - taken
			if c.skip -= int64(n); c.skip < 0 {
				c.close()
			}
		}
		if n == 0 || c.phase == closed {
			break
		}
		taken += n
	}
	return taken
}

func (c *conn) releaseKept() {
	if c.kept.memory != nil {
		if c.work != nil {
			c.work.forget()
		}
		c.r.giveBuffer(c.kept.memory)
		c.kept = buffer{}
	}
}

// takeBuffer lends a buffer; nil when the memory budget does not allow it.
func (r *reactor) takeBuffer(size int) []byte {
	if !r.server.budget.take(int64(size)) {
		return nil
	}
	free := &r.buffers
	if size == smallBuffer {
		free = &r.smalls
	}
	if n := len(*free); n > 0 && len((*free)[n-1]) == size {
		b := (*free)[n-1]
		*free = (*free)[:n-1]
		return b
	}
	return make([]byte, size)
}

// giveBuffer takes it back. One of another size, or one too many, is left to the garbage
// collector.
func (r *reactor) giveBuffer(b []byte) {
	r.server.budget.give(int64(len(b)))
	switch {
	case len(b) == bufferSize && len(r.buffers) < keepBuffers:
		r.buffers = append(r.buffers, b)
	case len(b) == smallBuffer && len(r.smalls) < keepBuffers:
		r.smalls = append(r.smalls, b)
	}
}
