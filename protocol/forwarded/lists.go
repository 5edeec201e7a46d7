package forwarded

import (
	"bytes"
	"net/netip"
)

// lists are the values of the X-Forwarded-* fields. Several fields of a name are one list
// (RFC 9110 section 5.3), and empty elements of it do not count (section 5.6.1).
type lists struct{ hops, protos, hosts, ports, prefixes [][]byte }

func (l *lists) add(kind Headers, value []byte) {
	to := &l.hops
	switch kind {
	case Proto:
		to = &l.protos
	case Host:
		to = &l.hosts
	case Port:
		to = &l.ports
	case Prefix:
		to = &l.prefixes
	}
	for more := true; more; {
		var e []byte
		e, value, more = bytes.Cut(value, []byte(","))
		if e = bytes.Trim(e, " \t"); len(e) > 0 {
			*to = append(*to, e)
		}
	}
}

// readLists finds the client, and what is said of its request.
func (r *Rules) readLists(l *lists) (o Origin, err error) {
	if o.Hops = len(l.hops); o.Hops > 0 {
		_, o.Client, err = r.client(o.Hops, func(i int) (netip.AddrPort, error) {
			a, ok := address(l.hops[i], false)
			if !ok {
				return a, bad("X-Forwarded-For has an element that is no address")
			}
			return a, nil
		})
		if err != nil {
			return Origin{}, err
		}
	}
	for _, v := range []struct {
		name string
		list [][]byte
		take func(*Origin, []byte) bool
	}{
		{"X-Forwarded-Proto", l.protos, (*Origin).takeScheme},
		{"X-Forwarded-Host", l.hosts, (*Origin).takeHost},
		{"X-Forwarded-Port", l.ports, (*Origin).takePort},
		{"X-Forwarded-Prefix", l.prefixes, (*Origin).takePrefix},
	} {
		if len(v.list) == 0 {
			continue
		}
		value, ok := agreed(v.list)
		if !ok {
			return Origin{}, bad("%s has %d values, and they differ", v.name, len(v.list))
		}
		if !v.take(&o, value) {
			return Origin{}, bad("%s has a value that is none", v.name)
		}
	}
	return o, nil
}

// agreed is the value of a list whose elements all say the same. A proxy that sets the field
// leaves one; where several have each added its own it cannot be known which one the client
// has written.
func agreed(list [][]byte) ([]byte, bool) {
	for _, v := range list[1:] {
		if !bytes.EqualFold(v, list[0]) {
			return nil, false
		}
	}
	return list[0], true
}
