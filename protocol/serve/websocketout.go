package serve

import (
	"gobridge/bridge"
	"gobridge/protocol/websocket"
)

// converse sends what there is to say, as far as the socket takes it, and then hears what could
// not be heard before. It may end the connection.
func (c *conn) converse() {
	if (c.r.draining || c.work.x.Recalled()) && !c.work.socket.deaf() {
		c.hangUpWith(websocket.Restart, nil)
		return
	}
	c.sayAll()
	if c.phase != talking || !c.work.full || c.work.hearing {
		return
	}
	if c.work.full = false; c.kept.len() > 0 {
		c.feed()
	} else {
		c.takeFrames(nil) // a compressed message may have more to give
	}
	if c.phase != closed {
		c.read()
	}
}

// sayAll sends until there is nothing more, or the socket is full.
func (c *conn) sayAll() {
	w, k := c.work, c.work.socket
	for n := 0; !c.blocked; n++ {
		if (len(w.pending) > 0 || c.unsent() > 0) && !c.send(w.pending) {
			return
		}
		if k.said {
			c.closing()
			return
		}
		if n == turnsOfWrites {
			c.r.later(c)
			return
		}
		if !c.say() {
			return
		}
	}
}

// say makes and sends some frames. It reports whether there may be more to say now.
func (c *conn) say() bool {
	w, r := c.work, c.r
	out, a, b := c.appendFrames(r.out[:0])
	r.out = out[:0]
	if c.phase != talking {
		return false
	}
	if len(a)+len(b) == 0 {
		return len(out) > 0 && c.send(out)
	}
	n, size, ok := c.sendTogether(out, a, b)
	if !ok {
		return false
	}
	head := min(n, len(out))
	w.pending = append(w.pending, out[head:]...)
	w.advanceFrame(n - head)
	return c.sent(n, size)
}

// advanceFrame notes that n bytes of the frame under way were sent, or copied to be sent.
func (w *work) advanceFrame(n int) {
	w.x.Advance(n)
	w.sent += int64(n)
	w.socket.due -= n
}

// appendFrames adds what there is to say, as long as it is little. A long piece of a message is
// returned as it lies in shared memory, with its frame's header in out.
func (c *conn) appendFrames(out []byte) (all, a, b []byte) {
	w, total := c.work, copyTotal
	k := w.socket
	if c.watching {
		total = copyBehind
	}
	for {
		if k.due == 0 {
			out = append(out, k.control...)
			k.control = k.control[:0]
			if k.abrupt {
				return c.appendClose(out, k.code, k.reason), nil, nil
			}
		}
		m := w.x.Message()
		n := len(m.A) + len(m.B)
		switch {
		case k.due > 0 && m.Kind == bridge.NoMessage: // its worker is dead, and the rest of the frame with it
			c.resetOnClose()
			c.abandon()
			return out, nil, nil
		case k.due > 0:
			a, b, _ = clip(m.A, m.B, int64(k.due))
			return out, a, b
		case m.Kind == bridge.CloseMessage:
			return c.appendClose(out, m.Code, m.Reason), nil, nil
		case m.Kind == bridge.NoMessage:
			return c.appendEnding(out), nil, nil
		}
		c.spoke()
		if !k.amid {
			k.compressed = k.out.Worth(m.Size)
		}
		switch {
		case k.compressed:
			out = c.appendDeflated(out, &m)
		case n > copyPiece || len(out)+n > total:
			k.due = n
			return k.appendHeader(out, &m, n, m.Last), m.A, m.B
		default:
			k.due = n
			out = k.appendHeader(out, &m, n, m.Last)
			out = append(append(out, m.A...), m.B...)
			w.advanceFrame(n)
		}
		if len(out) >= total {
			return out, nil, nil
		}
	}
}

// appendHeader adds the header of the message's next frame.
func (k *socket) appendHeader(out []byte, m *bridge.Message, size int, last bool) []byte {
	f := websocket.Frame{Kind: websocket.Text, First: !k.amid, Last: last, Compressed: k.compressed, Size: size}
	if m.Kind == bridge.BinaryMessage {
		f.Kind = websocket.Binary
	}
	k.amid = !last
	return websocket.AppendFrame(out, &f)
}

// appendDeflated adds a frame with a piece of the message, compressed.
func (c *conn) appendDeflated(out []byte, m *bridge.Message) []byte {
	w, r := c.work, c.r
	piece := m.A[:min(len(m.A), websocket.DeflatePiece)]
	last := m.Last && len(piece) == len(m.A)+len(m.B)
	r.deflated = w.socket.out.Append(r.deflated[:0], piece, last)
	out = w.socket.appendHeader(out, m, len(r.deflated), last)
	w.socket.due = len(piece)
	w.advanceFrame(len(piece))
	return append(out, r.deflated...)
}

// appendEnding adds the close frame, if it is time for it: this side is to end it, or the
// application has returned without a word, or its worker is dead.
func (c *conn) appendEnding(out []byte) []byte {
	k := c.work.socket
	switch state := c.work.x.State(); {
	case k.ending:
		return c.appendClose(out, k.code, k.reason)
	case state == bridge.Waiting:
		return out
	case state == bridge.Finished:
		return c.appendClose(out, websocket.Normal, nil)
	default:
		return c.appendClose(out, websocket.Failed, nil)
	}
}

// appendClose adds the close frame, behind which nothing goes out.
func (c *conn) appendClose(out []byte, code int, reason []byte) []byte {
	k := c.work.socket
	out = websocket.AppendClose(out, code, reason)
	k.said, k.ending = true, false
	c.awaitClose()
	return out
}

// closing goes on when the close frame is out: the connection ends when the client has said the
// same.
func (c *conn) closing() {
	k := c.work.socket
	if !k.heard && !c.ended {
		return
	}
	c.leave()
	c.logRequest()
	c.unwatch()
	c.last()
}
