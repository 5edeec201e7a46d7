package serve

import (
	"golang.org/x/sys/unix"

	"gobridge/bridge"
	"gobridge/protocol/http1"
)

// A transfer is a piece of a file on its way to a client, sent by sendfile. That waits for
// the disk, which a reactor must not: the senders do it, one part at a time. While a
// sender has the transfer it alone writes to the socket, and neither descriptor is closed
// under it. A socket that is full comes back to the reactor, which waits as it does with
// any other answer; so a slow client holds no sender.
type transfer struct {
	reactor *reactor
	conn    *conn // nil: the connection is closed
	away    bool  // it is with the senders
	by      int64 // the deadline for the client, kept while it is away

	socket, file int
	owned        bool // the socket is the transfer's, to be closed with it

	// A sender's while it is away.
	offset, left int64
	record       record
	copies       bool // the file's system has no sendfile
	seals        bool // the connection is encrypted: parts are read into piece, and the reactor sends them
	piece        []byte
	sent         int64
	result       transferResult
	errno        unix.Errno
}

// transferResult is what came of one part.
type transferResult uint8

const (
	partSent    transferResult = iota // whole
	socketFull                        // the client takes no more at the moment
	clientGone                        // the socket is broken
	fileShorter                       // the file ended before the piece did
	fileBroken                        // the file cannot be read
)

// transferPart is how much is sent at once: after that it is another's turn. What is to be
// encrypted must be in memory: sealedPart of it, for each of perhaps thousands of slow clients.
const (
	transferPart = 1 << 20
	sealedPart   = 32 << 10
)

// appendFile begins to send a file as a part of the body. What must go out before it is
// added to out.
func (c *conn) appendFile(out []byte, f bridge.File) []byte {
	w := c.work
	switch w.framing {
	case http1.Empty:
		f.Length = 0
	case http1.Counted:
		if f.Length > w.due {
			f.Length = w.due
			c.complainOfLength()
		}
	case http1.Chunks:
		if f.Length > 0 {
			out = http1.AppendChunkSize(out, int(f.Length))
			w.chunk = int(f.Length)
		}
	}
	if f.Length == 0 {
		closeFile(f.FD)
		return out
	}
	w.transfer = &transfer{reactor: c.r, conn: c, socket: c.fd, file: f.FD, offset: f.Offset, left: f.Length, record: record{id: w.id}, seals: c.channel != nil}
	return out
}

// transferOn has the senders send the next part, or ends the transfer when its worker is
// dead. It reports whether the connection may go on writing.
func (c *conn) transferOn() bool {
	t := c.work.transfer
	if c.work.x.State() == bridge.Lost {
		c.endTransfer()
		return true
	}
	if t.seals {
		t.borrow(c.work)
	}
	t.away, t.by = true, c.writeBy
	if t.by != 0 {
		c.setWrite(0) // the disk may be slow now, which is not the client's fault
	}
	c.r.server.senders.give(t)
	return false
}

// borrow has the next part read into the memory of what was pending, all of which is sent.
func (t *transfer) borrow(w *work) {
	n := int(min(t.left, sealedPart))
	if t.piece, w.pending = w.pending, nil; cap(t.piece) < n || cap(t.piece) > sealedPart {
		t.piece = make([]byte, n)
	}
	t.piece = t.piece[:n]
}

// transferred goes on after a part was sent, or not.
func (c *conn) transferred(t *transfer) {
	w := c.work
	w.sent += t.sent
	if t.seals {
		w.pending, t.piece = t.piece[:t.sent], nil
	}
	switch w.framing {
	case http1.Counted:
		w.due -= t.sent
	case http1.Chunks:
		w.chunk -= int(t.sent)
	}
	switch {
	case t.result == clientGone:
		c.abandon()
		return
	case w.over: // it was refused meanwhile, and is cut
		c.endTransfer()
	case t.result == socketFull:
		c.awaitRoom(t)
		return
	case t.result == fileShorter:
		c.cutTransfer("a file that is being sent has become shorter: the answer is cut", 0)
	case t.result == fileBroken:
		c.cutTransfer("a file cannot be sent: the answer is cut", t.errno)
	case t.left == 0:
		c.endTransfer()
		if w.framing == http1.Chunks {
			w.pending = append(w.pending, crlf...)
		}
	}
	c.write()
}

// awaitRoom waits until the client takes more. The socket may have room again since the
// sender found it full, and what epoll said of that was not heeded: it is asked anew.
func (c *conn) awaitRoom(t *transfer) {
	c.blocked, c.watching = true, true
	if t.sent > 0 || t.by == 0 {
		t.by = c.takeBy(t.by, t.sent)
	}
	c.setWrite(t.by)
	c.rewatch(interestOut)
}

func (c *conn) cutTransfer(text string, errno unix.Errno) {
	w := c.work
	w.over, w.cut = true, true
	c.endTransfer()
	event := c.r.server.settings.Log.Warn().Str("request", c.Describe())
	if errno != 0 {
		event = event.Err(errno)
	}
	event.Msg(text)
}

// endTransfer gives up the transfer, if there is one, which is not away.
func (c *conn) endTransfer() {
	if t := c.work.transfer; t != nil {
		c.work.transfer = nil
		t.release()
	}
}

// dropTransfer parts a connection that is closed from its transfer. It reports whether
// the socket has gone with that, because a sender is using it.
func (c *conn) dropTransfer() bool {
	if c.work == nil || c.work.transfer == nil {
		return false
	}
	t := c.work.transfer
	if !t.away || c.r.server.senders.withdraw(t) {
		c.endTransfer()
		return false
	}
	c.work.transfer, t.conn, t.owned = nil, nil, true
	shutdown(t.socket) // the sender finds out soon, and the client now
	return true
}

func (t *transfer) home() *reactor { return t.reactor }

// returned goes on when a sender is through with it.
func (t *transfer) returned() {
	t.away = false
	if t.conn == nil {
		t.release()
		return
	}
	t.conn.transferred(t)
}

// release closes what is the transfer's. No sender has it.
func (t *transfer) release() {
	if t.file >= 0 {
		closeFile(t.file)
		t.file = -1
	}
	if t.owned {
		closeSocket(t.socket)
	}
}

// closeFile does not wait: the last close of an unlinked file deletes it, which can take
// long.
func closeFile(fd int) { go unix.Close(fd) }
