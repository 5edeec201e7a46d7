package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/protocol/trust"
)

// A Listener is a socket that clients connect to.
type Listener struct {
	fd       int
	dialect  *dialect
	tls      *TLS   // nil: what is spoken is not encrypted
	bind     string // as the user wrote it
	url      string // for people
	path     string // of a unix socket
	file     unix.Stat_t
	backlog  int        // connections that wait to be accepted
	wildcard bool       // any address of the machine: which one, its connections say
	here     bool       // only this machine can reach it
	gateways trust.List // which peers are web servers that may speak its protocol

	serverName, serverPort string // for connections, unless wildcard
}

// DefaultBacklog is how many connections the kernel keeps until they are accepted.
const DefaultBacklog = 2048

// resolveTime is how long a host name in a bind may take.
const resolveTime = 5 * time.Second

// Listening is what listeners have besides their addresses.
type Listening struct {
	File SocketFile // of unix sockets
	TLS  *TLS       // for binds that want it; nil: none may
}

// DefaultListening is what Listen uses.
func DefaultListening() *Listening { return &Listening{File: DefaultSocketFile()} }

// Listen opens a socket with DefaultListening.
func Listen(bind string) (*Listener, error) { return DefaultListening().Listen(bind) }

// Listen opens the socket that bind names: HOST:PORT, [IPv6]:PORT, :PORT (all addresses)
// or unix:PATH. Port 0 is any free port. HTTP/1.1 is spoken there, or what is named before it: a
// web server's protocol, or https or suwsgi. Errors say what to do.
func (o *Listening) Listen(bind string) (*Listener, error) {
	in, secure, address := dialectOf(bind)
	if secure && o.TLS == nil {
		return nil, fmt.Errorf("bind %q: it needs a certificate", bind)
	}
	l, err := listen(address, &o.File)
	if err != nil {
		return nil, fmt.Errorf("bind %q: %w", bind, err)
	}
	l.bind, l.backlog, l.dialect = bind, DefaultBacklog, in
	name := in.name
	if secure {
		l.tls, name = o.TLS, in.secure
	}
	switch {
	case l.path == "":
		l.url = name + "://" + l.url
	case in.gateway != nil || secure:
		l.url = name + ":" + l.url
	}
	return l, nil
}

// SetBacklog says how many connections the kernel is to keep until they are accepted. It
// cuts that to net.core.somaxconn.
func (l *Listener) SetBacklog(n int) error {
	if err := unix.Listen(l.fd, n); err != nil { // which may be said again
		return fmt.Errorf("bind %q: keep up to %d connections waiting: %w", l.bind, n, err)
	}
	l.backlog = n
	return nil
}

// ListenAll opens all binds or none.
func (o *Listening) ListenAll(binds []string) ([]*Listener, error) {
	var all []*Listener
	for _, bind := range binds {
		l, err := o.Listen(bind)
		if err != nil {
			for _, open := range all {
				err = errors.Join(err, open.Close())
			}
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// URL is where the listener can be reached, for people: http://127.0.0.1:8000,
// unix:/run/app.sock, uwsgi://127.0.0.1:3031, suwsgi:unix:/run/app.sock.
func (l *Listener) URL() string { return l.url }

// Close closes the socket. A unix socket's file is removed, if it is still ours.
func (l *Listener) Close() error {
	if l.fd < 0 {
		return nil
	}
	err := unix.Close(l.fd)
	l.fd = -1
	if l.path != "" {
		err = errors.Join(err, l.removeFile())
	}
	return err
}

func listen(bind string, file *SocketFile) (*Listener, error) {
	if path, ok := strings.CutPrefix(bind, "unix:"); ok {
		return listenUnix(path, file)
	}
	host, portText, err := net.SplitHostPort(bind)
	if err != nil {
		return nil, fmt.Errorf("this is neither HOST:PORT, [IPv6]:PORT, :PORT nor unix:PATH%s", hint(bind))
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("the port %q is not a number from 0 to 65535", portText)
	}
	if host == "" {
		return listenAny(uint16(port))
	}
	address, err := resolve(host)
	if err != nil {
		return nil, err
	}
	return listenTCP(netip.AddrPortFrom(address, uint16(port)), false)
}

// hint guesses what was meant.
func hint(bind string) string {
	if _, err := strconv.ParseUint(bind, 10, 16); err == nil {
		return fmt.Sprintf("; for that port write 127.0.0.1:%s, or :%s for all addresses", bind, bind)
	}
	if addr, err := netip.ParseAddr(bind); err == nil {
		return "; write " + netip.AddrPortFrom(addr, 8000).String()
	}
	if strings.HasPrefix(bind, "/") {
		return "; for a unix socket write unix:" + bind
	}
	return ""
}

func resolve(host string) (netip.Addr, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return address, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTime)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("the host name %q is not known here; use an address of this machine, or no host for all of them: %w", host, err)
	}
	for _, address := range found {
		if address = address.Unmap(); address.Is4() {
			return address, nil
		}
	}
	return found[0], nil
}

// listenAny listens on all addresses: of IPv6 and IPv4 with one socket, or of IPv4 alone
// where the machine has no IPv6.
func listenAny(port uint16) (*Listener, error) {
	l, err := listenTCP(netip.AddrPortFrom(netip.IPv6Unspecified(), port), true)
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
		return listenTCP(netip.AddrPortFrom(netip.IPv4Unspecified(), port), true)
	}
	return l, err
}

func listenTCP(at netip.AddrPort, both bool) (*Listener, error) {
	sa, family, err := sockaddr(at)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("create a socket: %w", err)
	}
	l := &Listener{fd: fd, wildcard: at.Addr().IsUnspecified(), here: at.Addr().IsLoopback()}
	if err := l.open(sa, family, both); err != nil {
		return nil, errors.Join(explain(err, at), unix.Close(fd))
	}
	if at, err = localAddress(fd); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	l.serverName, l.serverPort = at.Addr().String(), strconv.Itoa(int(at.Port()))
	l.url = at.String()
	return l, nil
}

// open sets what the listener's connections inherit, and binds.
func (l *Listener) open(sa unix.Sockaddr, family int, both bool) error {
	// A port whose old connections are still closing can be used again at once.
	err := unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if family == unix.AF_INET6 && err == nil {
		only := 1
		if both {
			only = 0
		}
		err = unix.SetsockoptInt(l.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
	}
	if err == nil { // answers go out at once; accepted sockets inherit it
		err = unix.SetsockoptInt(l.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil {
		err = unix.Bind(l.fd, sa)
	}
	if err == nil {
		err = unix.Listen(l.fd, DefaultBacklog)
	}
	return err
}

func sockaddr(at netip.AddrPort) (unix.Sockaddr, int, error) {
	address := at.Addr().Unmap()
	if address.Is4() {
		return &unix.SockaddrInet4{Port: int(at.Port()), Addr: address.As4()}, unix.AF_INET, nil
	}
	sa := &unix.SockaddrInet6{Port: int(at.Port()), Addr: address.As16()}
	if zone := address.Zone(); zone != "" {
		device, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, 0, fmt.Errorf("the zone %q of the address is not a network interface of this machine: %w", zone, err)
		}
		sa.ZoneId = uint32(device.Index)
	}
	return sa, unix.AF_INET6, nil
}

// explain says what a failed bind means.
func explain(err error, at netip.AddrPort) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("port %d is in use by another program: stop it (`ss -ltnp sport = :%d` shows it), or choose another port: %w",
			at.Port(), at.Port(), err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("port %d needs a privilege: choose a port from 1024 on, or give the program CAP_NET_BIND_SERVICE: %w", at.Port(), err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%s is no address of this machine (`ip address` lists them): %w", at.Addr(), err)
	}
	return err
}

// localAddress is the address that a TCP socket is bound to.
func localAddress(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask a socket for its address: %w", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port)), nil
	}
	return netip.AddrPort{}, fmt.Errorf("a socket has an address of an unknown kind: %w", os.ErrInvalid)
}
