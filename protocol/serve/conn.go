package serve

import (
	"strconv"

	"golang.org/x/sys/unix"

	"gobridge/bridge"
	"gobridge/protocol/http1"
	"gobridge/protocol/websocket"
)

// phase is what a connection is doing. These are the steps from one to the next:
//
//	announcing ──PROXY protocol header──▶ idle, if one is awaited
//	securing ──TLS handshake──▶ idle, if the connection is encrypted; after an announcement
//	idle ──bytes──▶ reading ──whole head──▶ serving ──answer out──▶ idle
//	                   │ │                    ▲ │ │
//	                   │ └─body to come──▶ taking │ └─body not all come──▶ skipping ──▶ idle
//	                   └─refused, too slow──▶ serving ──last answer out──▶ lingering
//
//	serving ──a WebSocket is accepted──▶ talking ──its last frame out──▶ lingering
//
// and from each of them to closed, when the client is gone or too slow. A head that
// comes whole in one piece passes reading over, and taking is only for bodies that are
// taken in before a worker is given the request, and have not come with the head.
type phase uint8

const (
	closed     phase = iota
	announcing       // nothing but a part of a PROXY protocol header has come
	securing         // a TLS handshake is not over
	idle             // nothing of a next request has come
	reading          // part of a head has come
	taking           // the body is taken in; no worker knows of the request
	serving          // a request is answered, by the application or by the front itself
	skipping         // answered; the rest of the request's body is thrown away
	talking          // it is a WebSocket
	lingering        // the last answer is out: what comes is thrown away, until the client closes
)

// A conn is one connection. What it needs only while it has a request is its work, and
// bytes that could not be used at once stand in a buffer: both are borrowed from the
// reactor, so that an idle connection is this struct and a socket.
type conn struct {
	r      *reactor
	speaks *dialect
	fd     int
	index  int32  // in the reactor's table, for epoll
	uses   uint32 // of this struct, by one connection after the other
	phase  phase

	readable bool // the socket may have something to read, or its end
	half     bool // the client has sent its FIN, which is not read yet
	ended    bool // it is read: nothing more comes
	blocked  bool // the socket took less than there was: wait until it can be written
	watched  bool // epoll knows it
	watching bool // EPOLLOUT is registered
	trusted  bool // its peer is believed what it says as a proxy
	queued   bool // it stands in reactor.again

	timer   timer
	readBy  int64 // when the client must have sent what it is asked for; 0: no deadline
	writeBy int64 // when it must have taken some of what is sent to it
	unacked int64 // bytes that the kernel had for it when that was set

	channel *channel // nil: the connection is not encrypted

	skip int64 // bytes that may still be thrown away, while it skips a body or lingers
	kept buffer
	work *work
	peer bridge.Peer

	counted *addressCount // nil: its address is not counted
}

// A buffer is memory with bytes between from and to. The zero value holds none.
type buffer struct {
	memory   []byte
	from, to int
}

func (b *buffer) bytes() []byte { return b.memory[b.from:b.to] }
func (b *buffer) len() int      { return b.to - b.from }

// open begins a connection's life.
func (c *conn) open(n *newcomer) {
	l := n.listener
	c.fd, c.speaks, c.phase, c.counted = n.fd, l.dialect, idle, n.counted
	c.peer = bridge.Peer{ServerName: l.serverName, ServerPort: l.serverPort, Scheme: "http", Socket: l.path}
	if n.remote.IsValid() {
		c.peer.RemoteAddr = n.remote.Addr().String()
		c.peer.RemotePort = strconv.Itoa(int(n.remote.Port()))
	}
	if l.tls != nil {
		c.channel = &channel{with: l.tls}
		if c.speaks.gateway == nil { // by which scheme its client came a web server says
			c.peer.Scheme = "https"
		}
	}
	if l.wildcard {
		if at, err := localAddress(c.fd); err == nil { // else the client is gone, as the next read will tell
			c.peer.ServerName = at.Addr().String()
		}
	}
	s := &c.r.server.settings
	if c.speaks.gateway != nil {
		c.trusted = l.gateways.Peer(n.remote.Addr())
		c.start()
		return
	}
	c.trusted = s.Forwarded.Trusted.Peer(n.remote.Addr())
	if s.announced(n.remote.Addr()) {
		c.phase = announcing
		c.setRead(c.r.after(s.HeadTime))
		return
	}
	c.start()
}

// close ends it, and gives back what was borrowed.
func (c *conn) close() {
	c.dropChannel()
	if !c.dropTransfer() {
		closeSocket(c.fd)
	}
	c.timer.unlink()
	c.releaseWork()
	c.releaseKept()
	r, counted := c.r, c.counted
	*c = conn{r: r, index: c.index, uses: c.uses + 1, queued: c.queued, timer: timer{conn: c}}
	r.free = append(r.free, c)
	r.load.Add(-1)
	r.server.acceptor.gone(counted)
}

// event takes what epoll says.
func (c *conn) event(events uint32) {
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		c.unfinished("its sender has closed the connection")
		c.abandon() // reset, or closed in both directions: nobody can take an answer
		return
	}
	if events&unix.EPOLLRDHUP != 0 {
		told := c.gone()
		c.half = true
		if !told {
			c.hangUp()
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 {
		c.readable = true
		c.lookAhead()
	}
	if events&unix.EPOLLOUT != 0 && c.blocked {
		c.blocked = false
		if c.phase == securing {
			c.sendHandshake()
		} else {
			c.write()
		}
	}
	c.read()
}

// gone says whether it is known that the client sends nothing more, although its end is not
// read yet.
func (c *conn) gone() bool { return c.half || c.channel != nil && c.channel.end != nil }

// hangUp tells the application of a FIN behind its request: the client has probably left,
// though it gets its answer if it has not.
func (c *conn) hangUp() {
	if w := c.work; c.phase == serving && w.begun && w.body == bodyWhole {
		w.x.HangUp()
	}
}

// resume goes on after the connection has used up its share of a turn.
func (c *conn) resume() {
	switch {
	case c.phase == serving && !c.blocked:
		c.write()
	case c.phase == talking:
		c.converse()
	case c.phase == lingering:
		c.feed()
	}
	c.read()
}

// Progress implements bridge.Client: the exchange may have moved.
func (c *conn) Progress() {
	if c.phase != serving {
		if c.phase == talking {
			c.converse()
		}
		return
	}
	if !c.blocked {
		c.write()
	}
	if c.phase != serving {
		return
	}
	w := c.work
	if w.intake != nil {
		if c.pour(); w.intake != nil {
			return
		}
		c.awaitBody()
	}
	if w.body != bodyWhole {
		w.full = false
		c.feed()
		c.read()
	} else if c.speaks.heeds {
		c.read()
	}
}

// Describe implements bridge.Client: it names the request for the log.
func (c *conn) Describe() string {
	if c.work == nil {
		return ""
	}
	return c.work.note.describe()
}

// abandon ends a connection whose client is gone, or is not worth waiting for.
func (c *conn) abandon() {
	if w := c.work; w != nil && c.phase != talking && !w.answered() {
		w.status = statusGone
	}
	c.drop()
}

// drop closes the connection, and leaves the request that it has.
func (c *conn) drop() {
	if w := c.work; w != nil && (w.begun || w.held) {
		if c.channel != nil && !w.answered() {
			c.channel.torn = true
		}
		c.leave()
		c.logRequest()
	}
	c.close()
}

// answered says whether the client has all of its answer, although the worker has not said
// yet that it is through.
func (w *work) answered() bool {
	return w.headSent && len(w.pending) == 0 && w.transfer == nil &&
		(w.framing == http1.Empty || w.framing == http1.Counted && w.due == 0)
}

// statusGone stands in the access log for a client that did not wait, as in nginx's.
const statusGone = 499

// expire is called when the earlier of the two deadlines may be over.
func (t *timer) expire() { t.conn.expire() }

func (c *conn) expire() {
	switch now := c.r.now; {
	case c.writeBy != 0 && c.writeBy <= now && !c.takes():
		c.resetOnClose() // else the kernel would go on sending what nobody takes
		c.abandon()
	case c.readBy != 0 && c.readBy <= now:
		c.readBy = 0
		c.late()
	default:
		c.arm()
	}
}

// late deals with a client that has not sent in time what it should have.
func (c *conn) late() {
	switch c.phase {
	case reading, taking, serving:
		c.unfinished("it has not come in time")
		c.refuse(requestTimeout)
	case talking:
		c.tick()
	case announcing:
		c.unannounced()
	case securing:
		c.insecure("it was not over in time")
		c.abandon()
	case idle:
		// A request may have come since the reactor last looked.
		c.readable = true
		if c.read(); c.phase == idle && c.readBy == 0 {
			c.unfinished("nothing has come in time")
			c.close()
		}
	default:
		c.close()
	}
}

func (c *conn) setRead(by int64) {
	c.readBy = by
	c.arm()
}

func (c *conn) setWrite(by int64) {
	c.writeBy = by
	c.arm()
}

func (c *conn) arm() {
	due := c.readBy
	if c.writeBy != 0 && (due == 0 || c.writeBy < due) {
		due = c.writeBy
	}
	c.r.wheel.set(&c.timer, due)
}

func (c *conn) idleDeadline() int64 {
	s := &c.r.server.settings
	if c.r.draining {
		return c.r.now + int64(s.DrainTime)
	}
	return c.r.after(s.IdleTime)
}

// part has a WebSocket end because the server does.
func (c *conn) part() {
	if c.phase == talking {
		c.hangUpWith(websocket.Restart, nil)
	}
}

// drain is told when the server will answer what was begun, and nothing more. A WebSocket is no
// request that will be answered, accepted or not: its client had better connect elsewhere now.
func (c *conn) drain() {
	switch c.phase {
	case idle, announcing, securing:
		c.setRead(c.idleDeadline())
	case talking:
		c.part()
	case serving:
		c.turnAway()
	}
}

// EndStream implements bridge.Client. What a response's length says will come is no stream, nor
// is what has not begun.
func (c *conn) EndStream() (cut string) {
	w := c.work
	switch {
	case c.phase == talking:
		c.converse() // it is recalled, or the server drains
	case c.phase == serving && w.socket != nil && !w.headSent:
		c.turnAway()
	case c.phase == serving && w.begun && w.headSent && !w.over && w.framing > http1.Counted && w.x.Running():
		if cut = c.Describe(); c.r.draining {
			c.r.server.cut.Add(1) // before the connection is gone, for which Drain waits
		}
		c.breakOff()
	}
	return cut
}

// cut ends the connection when there is no more time for it.
func (c *conn) cut() {
	if c.phase == talking {
		c.part() // as far as the socket takes it
	}
	if c.phase != closed {
		c.breakOff()
	}
}

// awaitsAnswer says whether its client has asked for something, or has begun to, and is not
// through with the answer.
func (c *conn) awaitsAnswer() bool {
	return c.phase == reading || c.phase == taking || c.phase == serving
}

// breakOff ends the connection from this side, so that its client sees that the answer is not whole.
func (c *conn) breakOff() {
	w := c.work
	if w == nil || !w.headSent {
		c.abandon()
		return
	}
	if w.framing == http1.UntilClose {
		c.resetOnClose() // an orderly end would look like the end of the body
	}
	c.drop() // the status is that of the answer: its client was there
}

// parts says whether the next answer is the connection's last one because the server stops.
// While it drains, requests that the client has sent behind this one are answered too; but a
// client that never stops to send ahead is told so after a while.
func (c *conn) parts() bool {
	ahead := c.work.body == bodyWhole && (c.kept.len() > 0 || c.readable)
	return c.r.parting && !(ahead && (!c.r.draining || c.r.now < c.r.patience))
}
