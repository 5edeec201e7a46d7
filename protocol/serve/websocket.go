package serve

import (
	"errors"
	"time"

	"gobridge/bridge"
	"gobridge/protocol/http1"
	"gobridge/protocol/websocket"
)

// A WebSocket is a connection that its application has accepted as one. From then on it is in the
// phase talking until it ends: messages go from the socket into the exchange as far as there is
// room (takeFrames), and from the exchange to the socket (converse, in websocketout.go). Nothing of a
// message is kept here but what the socket has not taken. Pings and the closing handshake are the
// front's affair; the worker is told how it ended.

// socket is what a connection has for a WebSocket, from the handshake on.
type socket struct {
	handshake websocket.Handshake
	in        websocket.Receiver
	out       websocket.Deflater
	control   []byte // pings and pongs that are to go out
	unwhole   int64  // bytes of a message that is not whole, which count in Server.messages

	// The message that goes out.
	amid       bool // a frame of it has, and not the last one
	compressed bool // it is
	due        int  // bytes of the frame under way that still lie in the pipe

	// How it ends. Each end says so once.
	heard  bool   // the client has
	ending bool   // we are to, with code and reason, behind what the application has sent
	abrupt bool   // and at once
	said   bool   // we have, and what it said is out or stands in pending
	code   int    // to the client
	reason []byte //
	told   int    // what the worker is told; 0: that the connection was lost

	// Deadlines, by the reactor's clock; 0: none.
	pingAt  int64 // for the next ping
	pongBy  int64 // for something to come from the client
	calmAt  int64 // for looking whether anything is said
	closeBy int64 // for the other side's close frame
	active  int64 // when something was said last
}

const (
	switching   = 101         // the status of an acceptance
	calmTime    = time.Second // without a word, after which memory is given back
	mostControl = 4 << 10     // bytes of pongs that may wait for a slow client
)

// tooMany is the refusal of a request when there are as many as there may be.
func (w *work) tooMany() *refusal {
	if w.socket != nil {
		return socketsFull
	}
	return crowded
}

// shake holds a handshake against the rules. It reports false when the request was declined.
func (c *conn) shake(q *bridge.Request) bool {
	s := &c.r.server.settings
	if c.r.draining {
		c.decline(restarting)
		return false
	}
	h, err := websocket.Check(q, s.WebSocketDeflate)
	if err != nil {
		c.tellOfRefusal(err)
		c.decline(refusalOf(err))
		return false
	}
	q.WebSocket = true
	k := &socket{handshake: h, in: websocket.Receiver{Limit: s.WebSocketSize, Inflaters: &c.r.inflaters}}
	k.in.Settle(&h.Deflate)
	k.out.Settle(&h.Deflate)
	c.work.socket = k
	return true
}

// accept answers the handshake, and begins to talk.
func (c *conn) accept(h *bridge.ResponseHead) bool {
	w, r := c.work, c.r
	k, s := w.socket, &r.server.settings
	var out http1.Response
	c.sign(&out)
	var extensions [128]byte
	var settled []byte
	if k.handshake.Deflate.On {
		settled = k.handshake.Deflate.Append(extensions[:0])
	}
	w.pending = http1.AppendUpgrade(w.pending, h, &out, k.handshake.Accept[:], settled)
	w.headSent, w.status, w.close = true, switching, true
	w.releaseParsers()
	c.phase, w.full = talking, true // what came behind the handshake has not been looked at
	k.pingAt, k.active = r.after(s.PingTime), r.now
	c.spoke()
	return true // converse, which is next, looks whether it is to end at once
}

// turnAway answers a handshake that the application has neither accepted nor refused yet, because the
// server or its worker is about to end: what comes of it would end at once, and nobody knows when it comes.
func (c *conn) turnAway() {
	w := c.work
	if w.socket == nil || !w.begun || w.headSent || w.x.Head() != nil {
		return
	}
	c.tell(websocket.Restart, nil)
	c.refuse(restarting)
}

// releaseParsers gives back what only requests need: an open WebSocket is to cost little. Between
// whom it is stands in one of them.
func (w *work) releaseParsers() {
	w.parser.Release()
	if w.packets != nil || w.netstrings != nil || w.records != nil {
		w.origin = *w.peer
		w.peer, w.packets, w.netstrings, w.records = &w.origin, nil, nil, nil
	}
}

// spoke notes that something is said: memory is needed, and is looked after again.
func (c *conn) spoke() {
	k := c.work.socket
	k.active = c.r.now
	if k.calmAt == 0 {
		k.calmAt = c.r.after(calmTime)
		c.setRead(k.next())
	}
}

// ---- What the client sends.

// takeFrames takes frames from b, and returns how many bytes that were: fewer than all when the
// application has no room for a message.
func (c *conn) takeFrames(b []byte) (taken int) {
	w := c.work
	k := w.socket
	if k.heard { // what stands behind a close frame, or a breach, means nothing
		return len(b)
	}
	if c.spoke(); len(b) > 0 {
		k.pongBy = 0 // it is alive
	}
	w.full, w.hearing = false, true
	choked := false // by pongs that the client does not take
	for c.phase == talking && !k.heard {
		room := 1 << 20
		if !k.deaf() {
			room = w.x.MessageRoom()
		}
		if choked = len(k.control) > mostControl; choked {
			w.full = true
			break
		}
		n, e, err := k.in.Next(b[taken:], room, c.r.inflateInto())
		if taken += n; err != nil {
			c.failWith(err)
			w.hearing = false
			return len(b)
		}
		if e.Kind == websocket.None {
			w.full = room < 0
			break
		}
		c.heard(&e)
	}
	if c.phase == talking && (len(k.control) > 0 || k.ending || k.said) {
		c.converse()
	}
	w.hearing = false
	if choked && c.phase == talking && len(k.control) == 0 { // they are out, and nothing else will say so
		c.r.later(c)
	}
	if k.heard {
		return len(b)
	}
	return taken
}

// deaf says whether messages are of no use any more.
func (k *socket) deaf() bool { return k.heard || k.ending || k.said }

// heard deals with what a client has sent.
func (c *conn) heard(e *websocket.Event) {
	w := c.work
	k := w.socket
	switch e.Kind {
	case websocket.Text, websocket.Binary:
		if !k.deaf() && c.countMessage(e) {
			w.x.WriteMessage(messageKind[e.Kind], e.Data, e.Last)
		}
	case websocket.Ping:
		if !k.deaf() {
			k.control = websocket.AppendPong(k.control, e.Data)
		}
	case websocket.Close:
		k.heard = true
		c.tell(e.Code, e.Data)
		c.endWith(e.Code, nil)
	}
}

// countMessage counts what there is of a message as long as that is not whole: its worker has to
// keep it, without a limit in time, and there may be many. It reports false when there is no
// memory for it, and the WebSocket ends.
func (c *conn) countMessage(e *websocket.Event) bool {
	k, budget := c.work.socket, &c.r.server.messages
	if e.Last {
		if k.unwhole > 0 {
			c.uncountMessage()
		}
		return true
	}
	if n := int64(len(e.Data)); budget.take(n) {
		k.unwhole += n
		return true
	}
	c.failForMemory("the messages of clients that are not whole have half of --memory-budget")
	return false
}

// failForMemory ends it because so much memory as it would need is not allowed.
func (c *conn) failForMemory(why string) {
	if r := c.r; r.maySay(&r.overfull) {
		r.server.settings.Log.Warn().Str("request", c.Describe()).Msgf("a WebSocket was ended: %s", why)
	}
	c.failCode(websocket.TryLater, "there is no memory for the message at the moment")
}

func (c *conn) uncountMessage() {
	k := c.work.socket
	c.r.server.messages.give(k.unwhole)
	k.unwhole = 0
}

var messageKind = [...]bridge.MessageKind{websocket.Text: bridge.TextMessage, websocket.Binary: bridge.BinaryMessage}

// inflateInto is memory for a piece of a compressed message.
func (r *reactor) inflateInto() []byte {
	if r.inflated == nil {
		r.inflated = make([]byte, bufferSize)
	}
	return r.inflated
}

// ---- How it ends.

// tell tells the application, once.
func (c *conn) tell(code int, reason []byte) {
	if k := c.work.socket; k.told == 0 {
		k.told = code
		c.work.x.WriteClose(code, reason)
	}
}

// endWith has a close frame go out behind what the application has sent, unless one is on its way.
func (c *conn) endWith(code int, reason []byte) {
	k := c.work.socket
	if !k.ending && !k.said {
		k.ending, k.code, k.reason = true, code, reason
		c.awaitClose()
	}
}

// awaitClose sets the deadline for all of the closing handshake.
func (c *conn) awaitClose() {
	k := c.work.socket
	if k.closeBy == 0 {
		k.closeBy = c.r.now + int64(c.r.server.settings.closeTime())
		c.setRead(k.next())
	}
}

// closeTime is how long a closing handshake may take.
func (s *Settings) closeTime() time.Duration {
	if s.LingerTime > 0 {
		return s.LingerTime
	}
	return DefaultSettings().LingerTime
}

// hangUpWith ends the WebSocket from this side, and tells both others why.
func (c *conn) hangUpWith(code int, reason []byte) {
	c.tell(code, reason)
	c.endWith(code, reason)
	if !c.blocked {
		c.converse()
	}
}

// failWith ends it because of what the client has sent: nothing behind that can be understood.
func (c *conn) failWith(err error) {
	broken := &websocket.Error{Code: websocket.Failed, Reason: "the server failed"}
	errors.As(err, &broken)
	c.failCode(broken.Code, broken.Reason)
}

// failCode ends it at once: the client is not waited for.
func (c *conn) failCode(code int, reason string) {
	k := c.work.socket
	if k.ending || k.said { // it is ending: no need for another frame
		k.heard = true
	} else {
		c.tell(code, []byte(reason))
		c.endWith(code, []byte(reason))
		k.heard, k.abrupt = true, true
	}
	c.work.refused = true // it may be sending on
	if !c.blocked {
		c.converse()
	}
}

// leaveSocket parts from the exchange: the application learns how the connection has ended.
func (c *conn) leaveSocket() {
	k := c.work.socket
	if c.phase == talking {
		c.tell(websocket.Lost, nil)
	}
	c.uncountMessage()
	k.in.Close()
}

// ---- Time.

// next is the earliest of the deadlines.
func (k *socket) next() (due int64) {
	for _, at := range [...]int64{k.pingAt, k.pongBy, k.calmAt, k.closeBy} {
		if at != 0 && (due == 0 || at < due) {
			due = at
		}
	}
	return due
}

// tick does what its time has come for.
func (c *conn) tick() {
	w, now := c.work, c.r.now
	k, s := w.socket, &c.r.server.settings
	past := func(at int64) bool { return at != 0 && at <= now }
	if past(k.calmAt) {
		if k.calmAt = k.active + int64(calmTime); k.calmAt <= now {
			if k.calmAt = 0; !c.calm() {
				k.calmAt = now + int64(calmTime)
			}
		}
	}
	switch {
	case past(k.closeBy):
		c.abandon()
		return
	case k.ending || k.said:
		k.pingAt, k.pongBy = 0, 0
	case past(k.pongBy) && (w.full || c.readable): // what it has sent is not looked at
		k.pongBy = now + int64(s.PongTime)
	case past(k.pongBy):
		c.failCode(websocket.Failed, "no answer to a ping came in time")
		if c.phase != talking {
			return
		}
	case past(k.pingAt):
		k.pingAt = c.r.after(s.PingTime)
		k.control = websocket.AppendPing(k.control, nil)
		if k.pongBy == 0 {
			k.pongBy = c.r.after(s.PongTime)
		}
		if !c.blocked {
			c.converse()
		}
		if c.phase != talking {
			return
		}
	}
	c.setRead(k.next())
}

// calm gives back what is not needed while nothing is said. It reports false when something waits
// to be said.
func (c *conn) calm() bool {
	w := c.work
	if c.blocked || w.full {
		return false
	}
	w.x.Rest()
	w.pending, w.socket.control = nil, nil
	c.unwatch()
	return true
}

// endTalk deals with the end of what the client sends: without a close frame it is lost.
func (c *conn) endTalk() {
	switch {
	case !c.work.socket.said:
		c.abandon()
	case !c.blocked:
		c.converse()
	}
}
