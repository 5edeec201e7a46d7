package serve

import "gobridge/protocol/fastcgi"

// FastCGI puts everything into records. Of its requests' bodies the codec takes them off; around
// answers they are put here. Other than with HTTP, something may come amid an answer that is not
// to wait: that the web server gives the request up, or asks for something beside it.

// useRecords is the useHead of FastCGI.
func (c *conn) useRecords(b []byte) int {
	w := c.work
	p := w.records
	if p == nil {
		p = fastcgi.NewParser()
		w.records = p
	}
	p.Local, p.MaxConnections = &c.peer, c.r.server.settings.Connections
	n, err := p.Parse(b)
	w.id, w.cgi, w.close = p.ID, p.ID != 0, !p.Keep
	if !c.trusted && (n > 0 || p.ID != 0 || err != nil) { // before it has sent more than its first record
		return c.refuseGateway(b)
	}
	if !c.reply() {
		return len(b)
	}
	if err != nil || n == 0 || p.Whole {
		return c.useGateway(&p.Head, b, n, err)
	}
	if p.Closes {
		w.refused = true // the rest of the request is on its way
		c.last()
		return len(b)
	}
	c.rest()
	return n
}

// mostAside is how many bytes of replies wait for the end of a record: who asks for more while an
// answer goes out does not read it.
const mostAside = 64 << 10

// reply tells the web server what the codec has to say beside the answer, between two records of
// it. It reports false when the connection was closed, for so few bytes fit into a socket whose
// other end reads.
func (c *conn) reply() bool {
	w := c.work
	p := w.records
	if len(p.Reply) == 0 {
		return true
	}
	text := p.Reply
	p.Reply = p.Reply[:0]
	if c.amidRecord() {
		if w.aside = append(w.aside, text...); len(w.aside) <= mostAside {
			return true
		}
	} else if n, _ := send(c.fd, text); n == len(text) {
		return true
	}
	c.abandon()
	return false
}

// amidRecord says whether a record has begun to go out and has not ended.
func (c *conn) amidRecord() bool {
	w := c.work
	return len(w.pending) > 0 || w.chunk > 0 || w.transfer != nil
}

// appendAside has what waits for the end of a record go out, if that is there.
func (w *work) appendAside() {
	if w.chunk == 0 && w.transfer == nil {
		w.pending = append(w.pending, w.aside...)
		w.aside = w.aside[:0]
	}
}

// decode takes the framing off the body of a request that has some.
func (c *conn) decode(b []byte) (taken int, data []byte, done bool, err error) {
	w := c.work
	if w.body == bodyChunked {
		return w.chunks.Next(b)
	}
	if taken, data, done, err = w.records.Next(b); err == nil {
		c.heed()
	}
	return taken, data, done, err
}

// useAside takes what comes behind the body of a request that is being answered.
func (c *conn) useAside(b []byte) int {
	n, _, _, err := c.work.records.Next(b)
	if err != nil {
		c.refuseError(err)
		return len(b)
	}
	c.heed()
	return n
}

// heed does what the web server has said beside the body. The request may be over by that.
func (c *conn) heed() {
	if c.work.records.Aborted {
		c.aborted()
		return
	}
	c.reply()
}

// aborted ends a request that its web server has given up. Amid a record there is no other way to
// say so than to close the connection.
func (c *conn) aborted() {
	w := c.work
	if c.amidRecord() {
		c.abandon()
		return
	}
	if !w.answered() {
		w.status = statusGone
	}
	c.leave()
	c.logRequest()
	p := w.records
	p.Reply = fastcgi.AppendEndRequest(p.Reply, w.id, fastcgi.Complete)
	switch {
	case !c.reply():
	case p.Closes:
		c.last()
	default:
		c.unwatch()
		c.rest()
	}
}

// skipRecord throws away the rest of the record that has begun of a body nobody has read. What
// comes behind it of the same body is of no request any more, and passed over as such.
func (c *conn) skipRecord() {
	w, s := c.work, &c.r.server.settings
	if c.kept.from += int(w.left); c.kept.len() == 0 {
		c.releaseKept()
	}
	if w.left = 0; w.records.Drop() {
		c.rest()
	} else {
		c.phase, w.full, c.skip = skipping, false, s.UnreadSize
		c.setRead(c.r.after(s.BodyTime))
	}
	c.next()
}
