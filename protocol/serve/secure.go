package serve

import (
	"crypto/tls"
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"gobridge/protocol/http1"
)

// The handshake of an encrypted connection, which is in the phase securing meanwhile. It has
// Settings.HeadTime in all. A client that has sent nothing costs no more than its connection;
// from its first byte on the handshake runs on a goroutine, and counts in the memory budget.

// handshakeMemory is about what a handshake takes: a goroutine's stack, messages, keys.
const handshakeMemory = 48 << 10

// start has a connection begin with what comes first: TLS, or a request.
func (c *conn) start() {
	if c.channel != nil {
		c.phase = securing
		c.setRead(c.r.after(c.r.server.settings.HeadTime))
		return
	}
	c.awaitFirst()
}

// awaitFirst waits for the first request.
func (c *conn) awaitFirst() {
	c.phase = idle
	if c.speaks.single {
		c.setRead(c.r.after(c.r.server.settings.HeadTime))
	} else {
		c.setRead(c.idleDeadline())
	}
}

// shakeHands gives bytes to the handshake, and begins it with the first ones.
func (c *conn) shakeHands(b []byte) int {
	k := c.channel
	if k.tls == nil {
		if err := stranger(b, c.speaks.secure); err != nil {
			c.takeWork()
			c.refuseError(err)
			return len(b)
		}
		if !c.r.server.budget.take(handshakeMemory) {
			c.unsecured("there is no memory for it at the moment: see --memory-budget")
			c.abandon()
			return len(b)
		}
		k.wire.feed(b)
		k.begin(c)
		return len(b)
	}
	k.wire.feed(b)
	return len(b)
}

// begin starts the handshake.
func (k *channel) begin(c *conn) {
	now := k.with.now.Load()
	k.conn, k.home, k.charged, k.server = c, c.r, handshakeMemory, now.pem
	k.wire.fd, k.wire.more.L, k.wire.call = -1, &k.wire.mu, func() { k.home.handBack(k) }
	k.wire.turns = c.r.server.computing
	k.tls = tls.Server(&k.wire, now.entry)
	go func() {
		err := k.wire.shakeHands(k.tls)
		k.wire.mu.Lock()
		k.wire.over, k.wire.err = true, err
		k.wire.mu.Unlock()
		k.home.handBack(k)
	}()
}

// release implements mailed: the connection is closed, and the reactor with it.
func (k *channel) release() {}

// returned goes on in the reactor when the handshake has something to be sent, waits for the
// client, or is over.
func (k *channel) returned() {
	c := k.conn
	if c == nil || c.phase != securing {
		return
	}
	k.wire.mu.Lock()
	over, err := k.wire.over, k.wire.err
	k.wire.mu.Unlock()
	if c.sendHandshake(); c.phase != securing {
		return
	}
	switch {
	case !over:
		c.read()
	case err != nil:
		c.tellOfHandshake(err)
		c.linger()
	default:
		c.secured()
	}
}

// sendHandshake sends what the handshake has written, as far as the socket takes it.
func (c *conn) sendHandshake() {
	w := &c.channel.wire
	w.mu.Lock()
	errno := w.flushTo(c.fd)
	w.mu.Unlock()
	switch errno {
	case 0:
		c.unwatch()
	case unix.EAGAIN:
		c.blocked = true
		if !c.watching {
			c.watching = true
			c.rewatch(interestOut)
		}
	default:
		c.insecure("its sender has closed the connection")
		c.abandon()
	}
}

// secured goes on when the handshake is over: what comes now is a request.
func (c *conn) secured() {
	k := c.channel
	k.open, k.wire.fd = true, c.fd
	state := k.tls.ConnectionState()
	c.peer.TLS = describe(&state, k.server)
	c.r.server.settings.Log.Debug().Str("client", c.peer.RemoteAddr).Str("version", c.peer.TLS.VersionName).Str("cipher", c.peer.TLS.CipherName).
		Str("subject", c.peer.TLS.ClientName).Bool("resumed", state.DidResume).Msg("a TLS handshake is done")
	c.uncharge()
	acknowledge(c.fd)
	c.blocked = false // what is left is sent before the first answer
	c.awaitFirst()
	c.readable = true // behind the handshake something may have come already
	c.read()
}

// uncharge gives back what the handshake has taken of the memory budget.
func (c *conn) uncharge() {
	if k := c.channel; k.charged > 0 {
		c.r.server.budget.give(k.charged)
		k.charged = 0
	}
}

// dropChannel ends what a connection that is closed has of TLS.
func (c *conn) dropChannel() {
	k := c.channel
	if k == nil {
		return
	}
	k.sayEnd()
	k.conn = nil
	if k.ahead != nil {
		k.dropAhead(len(k.ahead))
	}
	if k.tls != nil && !k.open {
		k.wire.finish(true)
	}
	c.uncharge()
}

// insecure says in the log that there was no handshake. Who connects and sends nothing may be
// looking whether somebody listens.
func (c *conn) insecure(why string) {
	if c.channel.tls != nil {
		c.unsecured(why)
	}
}

// unsecured does so whatever has come.
func (c *conn) unsecured(why string) {
	if r := c.r; r.maySay(&r.refused) {
		r.server.settings.Log.Info().Str("client", c.peer.RemoteAddr).Str("reason", why).Msg("a TLS handshake has failed")
	}
}

// tellOfHandshake does that with what crypto/tls says.
func (c *conn) tellOfHandshake(err error) {
	why := err.Error()
	if errors.Is(err, io.EOF) {
		why = "its sender has closed the connection"
	}
	c.insecure(why)
}

// stranger tells what other protocols begin with from TLS, of which each connection's first byte
// is that of a handshake record (RFC 8446 section 5.1).
func stranger(b []byte, here string) error {
	const handshakeRecord = 0x16
	port := "and the port speaks TLS (" + here + ")"
	switch {
	case b[0] == handshakeRecord:
		return nil
	case b[0] >= 'A' && b[0] <= 'Z' && len(b) > 3 && string(b[:4]) != "PROX":
		return notTLS("this is HTTP without TLS, " + port + ": in nginx that is for proxy_pass https://, or uwsgi_pass suwsgi://")
	case b[0] == 'P' || b[0] == '\r':
		return notTLS("this is a PROXY protocol header, " + port)
	case here == "suwsgi" && len(b) > 3 && b[3] == 0:
		return notTLS("this is the uwsgi protocol without TLS, " + port + ": in nginx that is for uwsgi_pass suwsgi://")
	}
	return notTLS("this is no TLS, " + port)
}

func notTLS(reason string) error { return &http1.Error{Status: 400, Reason: reason} }
