package serve

import (
	"golang.org/x/sys/unix"

	"gobridge/bridge"
	"gobridge/protocol/fastcgi"
	"gobridge/protocol/http1"
)

// The answer goes out as the worker writes it. Head and short pieces of the body are put
// together in the reactor's memory and sent with one send; a long piece is sent from the
// shared memory where it lies, with the head and its framing around it, by one sendmsg.
// Whatever of that the socket does not take is either framing, and stands in
// work.pending, or body, and stays in the pipe: there it stops the application when the
// client is slow. A file is sent by others (transfer.go), with what stands before it gone.

const (
	copyPiece     = 4 << 10 // a longer piece of a body is not copied
	copyTotal     = 64 << 10
	copyBehind    = 16 << 10 // for a client that has been slower than its answer
	turnsOfWrites = 16       // of one connection in one turn
)

// write sends what there is of the answer, as far as the socket takes it.
func (c *conn) write() {
	w := c.work
	if w.transfer != nil && w.transfer.away {
		return
	}
	for n := 0; ; n++ {
		if c.phase == talking {
			c.converse()
			return
		}
		if len(w.aside) > 0 {
			w.appendAside()
		}
		if (len(w.pending) > 0 || c.unsent() > 0) && !c.send(w.pending) || c.phase == taking {
			return
		}
		if w.over {
			c.endTransfer()
			c.finish()
			return
		}
		if w.transfer != nil && !c.transferOn() {
			return
		}
		if n == turnsOfWrites {
			c.r.later(c)
			return
		}
		if !c.advance() {
			return
		}
	}
}

// advance makes and sends a part of the answer. It reports whether more may be sent
// now; if not, the connection may be closed, or be at its next request.
func (c *conn) advance() bool {
	w, r := c.work, c.r
	out := r.out[:0]
	if !w.headSent {
		state, h := w.x.State(), w.x.Head()
		if h == nil || state != bridge.Waiting && state != bridge.Finished {
			return c.headless(state)
		}
		if w.socket != nil && h.Status == switching {
			return c.accept(h)
		}
		out = c.appendHead(out, h)
	}
	head := len(out)
	out, a, b := c.appendBody(out)
	r.out = out[:0]
	if head > 0 && w.over && !w.close && w.mayBeMuchLeft(&r.server.settings) {
		w.close = true
		w.pending = append(c.appendHead(w.pending, w.x.Head()), out[head:]...)
		return c.send(w.pending)
	}
	switch {
	case len(a) > 0:
		return c.sendPieces(out, a, b)
	case len(out) > 0:
		return c.send(out)
	}
	return w.over || w.transfer != nil
}

// headless says what happens when the application's head is not there: nothing yet, or
// there is no more hope for it.
func (c *conn) headless(state bridge.State) bool {
	w := c.work
	switch state {
	case bridge.Waiting:
		if h := w.x.Hints(); h != nil {
			if w.minor == 1 { // RFC 9110 section 15.2
				w.pending = http1.AppendHints(w.pending, h)
			}
			return true
		}
		if !w.expect || !w.x.BodyWanted() {
			return false
		}
		w.expect = false
		w.pending = append(w.pending, http1.Continue...)
		c.awaitBody()
		return true
	case bridge.Overdue:
		c.refuse(overloaded)
	case bridge.Overrun:
		c.refuse(overrun)
	default:
		c.refuse(workerLost)
	}
	return false
}

// appendBody adds the body's bytes to out as long as they are few. A long piece is
// returned as it lies in shared memory; its chunk's size, if it has one, is in out.
func (c *conn) appendBody(out []byte) (all, a, b []byte) {
	w, total := c.work, copyTotal
	if c.watching {
		total = copyBehind
	}
	for {
		a, b = w.x.Body()
		n := len(a) + len(b)
		if n == 0 {
			f, ok := w.x.File()
			if !ok {
				return c.appendEnd(out), nil, nil
			}
			if out = c.appendFile(out, f); w.transfer != nil {
				return out, nil, nil
			}
			continue
		}
		switch w.framing {
		case http1.Empty:
			w.x.Advance(n)
			continue
		case http1.Counted:
			if a, b, n = clip(a, b, w.due); n == 0 {
				c.tooLong()
				continue
			}
		}
		if w.announces() {
			if w.chunk > 0 { // the rest of one that was announced
				a, b, _ = clip(a, b, int64(w.chunk))
				return out, a, b
			}
			out = w.appendSize(out, n)
			a, b, n = clip(a, b, int64(w.chunk))
		}
		if n > copyPiece || len(out)+n > total {
			return out, a, b
		}
		out = append(append(out, a...), b...)
		w.advance(n)
		if w.framing == http1.Chunks {
			out = append(out, crlf...)
		}
	}
}

// announces says whether the size of each piece of the body stands before it: of a chunk, or of a
// record.
func (w *work) announces() bool { return w.framing == http1.Chunks || w.id != 0 }

// appendSize announces a piece of up to n bytes.
func (w *work) appendSize(out []byte, n int) []byte {
	if w.id == 0 {
		w.chunk = n
		return http1.AppendChunkSize(out, n)
	}
	w.chunk = min(n, fastcgi.MaxContent)
	return fastcgi.AppendStdoutHeader(out, w.id, w.chunk)
}

var crlf = []byte("\r\n")

// clip cuts two pieces to n bytes in all.
func clip(a, b []byte, n int64) (c, d []byte, size int) {
	a = a[:min(int64(len(a)), n)]
	b = b[:min(int64(len(b)), n-int64(len(a)))]
	return a, b, len(a) + len(b)
}

// advance notes that n bytes of the body were sent, or copied to be sent.
func (w *work) advance(n int) {
	w.x.Advance(n)
	w.sent += int64(n)
	if w.framing == http1.Counted {
		w.due -= int64(n)
	}
	if w.announces() {
		w.chunk -= n
	}
}

// appendEnd adds what ends the body, if the application has ended it.
func (c *conn) appendEnd(out []byte) []byte {
	w := c.work
	switch w.x.State() {
	case bridge.Waiting:
		return out
	case bridge.Finished:
		if w.over = true; w.framing == http1.Chunks {
			return http1.AppendLast(out, w.x.Trailers())
		}
		if w.framing == http1.Counted && w.due > 0 {
			w.cut = true
			c.complain("a response is shorter than its Content-Length says: the connection is closed, so that the client sees it")
		}
	default:
		// A client that has the whole answer needs no sign that its end failed.
		w.over, w.cut = true, !(w.framing == http1.Empty || w.framing == http1.Counted && w.due == 0)
	}
	if w.id != 0 && !w.cut {
		out = fastcgi.AppendEnd(out, w.id)
	}
	return out
}

// sendPieces sends out and then as much of a piece of the body as the socket takes.
func (c *conn) sendPieces(out, a, b []byte) bool {
	w := c.work
	body := len(a) + len(b)
	var end []byte
	if w.framing == http1.Chunks && body == w.chunk {
		end = crlf
	}
	n, size, ok := c.sendTogether(out, a, b, end)
	if !ok {
		return false
	}
	head := min(n, len(out))
	body = min(n-head, body)
	w.pending = append(w.pending, out[head:]...)
	if body > 0 {
		if w.advance(body); w.framing == http1.Chunks && w.chunk == 0 {
			w.pending = append(w.pending, crlf[n-head-body:]...)
		}
	}
	return c.sent(n, size)
}

// sendTogether gives the socket up to four pieces at once. It returns how many bytes it took of
// how many there were; false: the client is gone.
func (c *conn) sendTogether(pieces ...[]byte) (n, size int, ok bool) {
	g := &c.r.pieces
	for _, piece := range pieces {
		g.add(piece)
	}
	size = g.size
	var errno unix.Errno
	if c.channel == nil {
		n, errno = g.send(c.fd)
	} else {
		g.clear()
		n, errno = c.channel.sendTogether(pieces)
	}
	if errno != 0 && errno != unix.EAGAIN {
		c.abandon()
		return n, size, false
	}
	return n, size, true
}

// send sends out, which may be pending itself; what the socket does not take stands in
// pending. It reports whether all of it is out.
func (c *conn) send(out []byte) bool {
	n, errno := c.put(out)
	if errno != 0 && errno != unix.EAGAIN {
		c.abandon()
		return false
	}
	c.work.pending = append(c.work.pending[:0], out[n:]...)
	return c.sent(n, len(out))
}

// sent notes that the socket took n bytes of size, and waits for it to be writable when
// that is not all.
func (c *conn) sent(n, size int) bool {
	if n == size && c.unsent() == 0 {
		if c.writeBy != 0 {
			c.setWrite(0)
		}
		return true
	}
	c.blocked = true
	if n > 0 || c.writeBy == 0 {
		c.setWrite(c.takeBy(c.writeBy, int64(n)))
	}
	if !c.watching {
		c.watching = true
		c.rewatch(interestOut)
	}
	return false
}

// takeBy is the deadline for a client that has just taken n bytes more, given the one
// before. See awaitBody.
func (c *conn) takeBy(before, n int64) int64 {
	s := &c.r.server.settings
	c.unacked = c.notTaken()
	return c.r.extend(before, s.WriteTime, n, s.WriteRate)
}

// takes gives a client whose time is over more of it, if it has taken of what the kernel has
// for it: a large socket buffer is not worth telling before a third of it is free.
func (c *conn) takes() bool {
	before := c.unacked
	now := c.notTaken()
	if now >= before {
		return false
	}
	by := c.takeBy(c.r.now, before-now)
	c.setWrite(by)
	return by > c.r.now+wheelTick
}

// watch says what epoll is to tell of the socket. What holds already is told at once. Only memory
// can be missing for it.
func (c *conn) watch(interest uint32) error {
	operation := unix.EPOLL_CTL_MOD
	if !c.watched {
		operation = unix.EPOLL_CTL_ADD
	}
	if err := c.r.poller.control(operation, c.fd, interest, c.index, c.uses); err != nil {
		return err
	}
	c.watched = true
	return nil
}

// rewatch changes that. Without the event the write deadline ends it.
func (c *conn) rewatch(interest uint32) {
	if err := c.watch(interest); err != nil {
		c.r.server.settings.Log.Error().Err(err).Msg("a connection could not be watched")
	}
}

// unwatch ends the wait for the socket to be writable, if there is one.
func (c *conn) unwatch() {
	if c.watching {
		c.watching = false
		c.rewatch(interestIn)
	}
}

// appendHead decides how the body is framed and adds the response's head.
func (c *conn) appendHead(out []byte, h *bridge.ResponseHead) []byte {
	w := c.work
	w.headSent, w.status = true, h.Status
	if w.expect && w.body != bodyWhole {
		w.close = true // after a final answer the client may send its body or not
	}
	r := http1.Response{Minor: w.minor, NoBody: w.noBody, KeepAlive: !w.close && !c.parts()}
	c.sign(&r)
	from := len(out)
	if w.id != 0 {
		out = fastcgi.OpenStdout(out, w.id)
	}
	out, w.framing, w.close = http1.AppendHead(out, h, &r)
	if w.id != 0 {
		out = fastcgi.CloseStdout(out, w.id, from)
	}
	w.due = h.BodyLength
	return out
}

// sign says whose answer it is. A web server that passes it on says what it is itself.
func (c *conn) sign(r *http1.Response) {
	w, s := c.work, &c.r.server.settings
	if r.Extra = s.Extra; c.speaks.gateway != nil {
		r.Alone, r.CGI, r.Carried = true, w.cgi, w.id != 0
		return
	}
	if r.Server = s.ServerName; !s.NoDate {
		r.Date = c.r.date.At(c.r.wall)
	}
}

// mayBeMuchLeft says whether the connection should end with its answer, because to throw
// away the rest of the request's body may cost more than a new connection: how long a
// chunked body is nobody knows. The client must be told with the head of the answer, or
// it would send its next request behind the body.
func (w *work) mayBeMuchLeft(s *Settings) bool {
	return w.body == bodyChunked || w.body == bodyCounted && w.left > s.UnreadSize
}

// tooLong drops what an application sends behind the length that it has said.
func (c *conn) tooLong() {
	w := c.work
	for {
		a, b := w.x.Body()
		if len(a) == 0 {
			break
		}
		w.x.Advance(len(a) + len(b))
	}
	c.complainOfLength()
}

func (c *conn) complainOfLength() {
	if !c.work.long {
		c.work.long = true
		c.complain("a response is longer than its Content-Length says: the rest is not sent")
	}
}

func (c *conn) complain(text string) {
	c.r.server.settings.Log.Warn().Str("request", c.Describe()).Msg(text)
}
