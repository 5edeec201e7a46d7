package serve

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// A channel is what a connection has when it is encrypted: crypto/tls, and the wire under it.
// After the handshake (secure.go) it stands where the socket's calls would: what it receives is
// plain, what it is given to send goes out sealed. All of that is the reactor's.
type channel struct {
	with *TLS
	tls  *tls.Conn // nil: nothing has come yet
	wire wire
	home *reactor
	conn *conn // nil: the connection is closed

	open    bool   // the handshake is over, and went well
	torn    bool   // the connection's end is to look like one: no close_notify
	charged int64  // what the handshake has taken of the memory budget
	server  string // the certificate that the client is shown, in PEM
	end     error  // what tls.Conn.Read has said behind the last bytes: io.EOF, or that all is broken
	ahead   []byte // was read by lookAhead: a record's bytes at most
}

// maxSealed is how many bytes are sealed at once: what fits into a record (RFC 8446 section 5.1).
const maxSealed = 16 << 10

// receive is as the socket's: it reads what there is, up to len(b) bytes; fewer mean that there
// is no more, or that k.end is set, or that it has had its share of the turn (sated). 0 without an error is the end of what the client sends.
func (k *channel) receive(b []byte) (n int, errno unix.Errno) {
	if len(k.ahead) > 0 {
		n = copy(b, k.ahead)
		k.dropAhead(n)
	}
	k.wire.dry, k.wire.share = false, shareOfTurn
	for n < len(b) && k.end == nil {
		m, err := k.tls.Read(b[n:])
		n += m
		if errors.Is(err, errAgain) {
			if n == 0 {
				return 0, unix.EAGAIN
			}
			return n, 0
		}
		k.end = err
		k.tellOfHarm()
	}
	if n > 0 || k.end == io.EOF {
		return n, 0
	}
	return 0, unix.ECONNRESET
}

// sated says whether the socket may have more than receive was allowed to read.
func (k *channel) sated() bool { return !k.wire.dry && k.wire.share <= 0 }

// tellOfHarm says in the log that a client is cut off.
func (k *channel) tellOfHarm() {
	if r := k.home; k.wire.fault != nil && r.maySay(&r.refused) {
		r.server.settings.Log.Info().Str("client", k.conn.peer.RemoteAddr).Str("reason", k.wire.fault.Error()).Msg("an encrypted connection was ended")
	}
}

// keepAhead keeps what receive is to give first. It reports false when there is no memory for it.
func (k *channel) keepAhead(b []byte) bool {
	if !k.home.server.budget.take(int64(len(b))) {
		return false
	}
	k.ahead = bytes.Clone(b)
	return true
}

// dropAhead drops the first n bytes of it.
func (k *channel) dropAhead(n int) {
	k.home.server.budget.give(int64(n))
	if k.ahead = k.ahead[n:]; len(k.ahead) == 0 {
		k.ahead = nil
	}
}

// lookAhead looks whether the client ends its sending while nothing is of use that it sends: a
// socket tells of a FIN by itself, but a close_notify has to be read. What is found before it
// stays for receive.
func (c *conn) lookAhead() {
	k := c.channel
	if k == nil || !k.open || c.phase != serving || c.gone() || len(k.ahead) > 0 || c.hungry() {
		return
	}
	n, errno := k.receive(c.r.scratch)
	c.readable = errno != unix.EAGAIN || k.sated()
	if n > 0 && !k.keepAhead(c.r.scratch[:n]) {
		c.overflow()
		return
	}
	if c.gone() {
		c.hangUp()
	}
}

// send seals as much of b as is taken by the socket, but for the last record: what that has taken
// of it is on its way too, and unsent tells of the rest.
func (k *channel) send(b []byte) (n int, errno unix.Errno) {
	for {
		if errno = k.wire.flush(); errno != 0 || n == len(b) {
			return n, errno
		}
		piece := b[n:min(len(b), n+maxSealed)]
		if _, err := k.tls.Write(piece); err != nil {
			return n, unix.ECONNRESET
		}
		n += len(piece)
	}
}

// sendTogether does that with several pieces, which share records. They are copied first, for
// they may lie in memory that a worker can write.
func (k *channel) sendTogether(pieces [][]byte) (n int, errno unix.Errno) {
	r := k.home
	if r.plain == nil {
		r.plain = make([]byte, maxSealed)
	}
	for len(pieces) > 0 {
		filled := 0
		for len(pieces) > 0 && filled < len(r.plain) {
			m := copy(r.plain[filled:], pieces[0])
			filled += m
			if pieces[0] = pieces[0][m:]; len(pieces[0]) == 0 {
				pieces = pieces[1:]
			}
		}
		m, errno := k.send(r.plain[:filled])
		if n += m; errno != 0 || m < filled {
			return n, errno
		}
	}
	return n, 0
}

// unsent is how many sealed bytes the socket has not taken.
func (k *channel) unsent() int { return len(k.wire.out) }

// sayEnd tells the client that nothing more comes (close_notify, RFC 8446 section 6.1).
func (k *channel) sayEnd() {
	if k.open && !k.torn {
		k.torn = true          // said once
		_ = k.tls.CloseWrite() // a client that is gone hears nothing
		_ = k.wire.flush()     // nor one that takes nothing
	}
}

// ---- What a connection does with its socket, encrypted or not.

func (c *conn) receive(b []byte) (int, unix.Errno) {
	if c.channel != nil && c.channel.open {
		return c.channel.receive(b)
	}
	return receive(c.fd, b)
}

// sated says whether the last receive could have had more in another turn.
func (c *conn) sated() bool { return c.channel != nil && c.channel.open && c.channel.sated() }

func (c *conn) put(b []byte) (int, unix.Errno) {
	if c.channel != nil && c.channel.open {
		return c.channel.send(b)
	}
	return send(c.fd, b)
}

// unsent is how many bytes are on their way although nothing else tells of them: they are to be
// sent before anything else is, with put.
func (c *conn) unsent() int {
	if c.channel == nil {
		return 0
	}
	return c.channel.unsent()
}

// unacked is how many bytes of what was sent the client's side has not taken yet.
func (c *conn) notTaken() int64 { return unacked(c.fd) + int64(c.unsent()) }

// shutdownWrite tells the client that nothing more comes.
func (c *conn) shutdownWrite() {
	if c.channel != nil {
		c.channel.sayEnd()
	}
	shutdownWrite(c.fd)
}

// resetOnClose has close cut the connection, with a reset where there is one.
func (c *conn) resetOnClose() {
	if c.channel != nil {
		c.channel.torn = true
	}
	resetOnClose(c.fd)
}
