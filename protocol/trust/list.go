package trust

import (
	"errors"
	"fmt"
	"net/netip"
)

// Words that a list may hold beside addresses and networks.
const (
	Anyone = "*"    // whoever connects
	Unix   = "unix" // whoever connects to a unix socket
	Nobody = "none" // alone in a list: it is empty
)

// List says who is believed. The zero value believes nobody.
type List struct {
	anyone, unix bool
	networks     []netip.Prefix
}

// Parse reads a list: addresses, networks in CIDR notation, and the words above.
func Parse(entries []string) (List, error) {
	var l List
	for _, e := range entries {
		switch e {
		case Anyone:
			l.anyone = true
		case Unix:
			l.unix = true
		case Nobody:
			if len(entries) > 1 {
				return List{}, errors.New("\"none\" stands alone")
			}
		default:
			n, err := network(e)
			if err != nil {
				return List{}, err
			}
			l.networks = append(l.networks, n)
		}
	}
	return l, nil
}

// network reads an address, or a network in CIDR notation. Bits behind the network's are
// refused: whoever writes 10.0.0.1/8 may mean either.
func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		if a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%s has a zone, and addresses are compared without", text)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	n, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network like 10.0.0.0/8", text)
	case n.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%s is IPv4 in the clothes of IPv6: write it as IPv4", text)
	case n.Masked() != n:
		return netip.Prefix{}, fmt.Errorf("%s has bits behind its network: %s or %s", text, n.Masked(), n.Addr())
	}
	return n, nil
}

// Peer says whether who has connected is believed; an invalid address is that of a peer on
// a unix socket.
func (l *List) Peer(a netip.Addr) bool {
	if l.anyone {
		return true
	}
	if !a.IsValid() {
		return l.unix
	}
	return l.Names(a)
}

// Names says whether the list names the address, by itself or in a network.
func (l *List) Names(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, n := range l.networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
