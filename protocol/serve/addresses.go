package serve

import (
	"net/netip"
	"sync"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// addresses counts the connections of each client's address, when there is a limit. Who
// comes by a unix socket has none, and proxies that are trusted bring many clients: both
// are not counted.
type addresses struct {
	limit  int // 0: none, and nothing is counted
	exempt func(netip.Addr) bool

	mu     sync.Mutex
	counts map[netip.Addr]*addressCount
}

// addressCount is one address's, while it has connections.
type addressCount struct {
	address netip.Addr
	n       int
}

// countedBits are of an IPv6 address those that say who it is: a client has a network of
// this size to itself (RFC 6177), and could come from a new address each time.
const countedBits = 64

// enter counts a connection. It reports false when the address has as many as it may have;
// nil is the count of who is not counted.
func (a *addresses) enter(from netip.Addr) (*addressCount, bool) {
	if a.limit == 0 || !from.IsValid() || a.exempt(from) {
		return nil, true
	}
	if key := from.WithZone(""); key.Is6() {
		network, _ := key.Prefix(countedBits) // which an IPv6 address has
		from = network.Addr()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.counts[from]
	switch {
	case c == nil:
		c = &addressCount{address: from}
		a.counts[from] = c
	case c.n >= a.limit:
		return nil, false
	}
	c.n++
	return c, true
}

// tell says that a client has too many.
func (a *addresses) tell(log *zerolog.Logger, client netip.Addr) {
	log.Warn().Str("client", client.String()).
		Msgf("a client has %d connections, as many as --limit-connections-per-address allows: more of them are closed", a.limit)
}

// leave is told when a connection that was counted is closed.
func (a *addresses) leave(c *addressCount) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.n--; c.n == 0 {
		delete(a.counts, c.address)
	}
}

// tooMany is what a client is told that has too many connections, if it still reads: the
// connection is closed at once, whatever it has sent.
const tooMany = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 57\r\n" +
	"Retry-After: 1\r\nConnection: close\r\n\r\n" + tooManyText

const tooManyText = "Your address has as many connections as it may have here\n"

// turnDown closes a connection of an address that has too many.
func turnDown(fd int, encrypted bool) {
	if encrypted { // a handshake for that would be a present to who wants to do harm
		closeSocket(fd)
		return
	}
	// Whether this is read is the client's affair.
	_ = unix.Send(fd, []byte(tooMany), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	closeSocket(fd)
}
