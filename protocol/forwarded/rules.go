package forwarded

import (
	"fmt"
	"net/netip"
	"strings"

	"gobridge/bridge"
	"gobridge/protocol/http1"
	"gobridge/protocol/trust"
)

// Rules say whom to believe what.
type Rules struct {
	Trusted  trust.List
	Believed Headers
}

// Origin is what trusted proxies say of a request. The zero value of a field: nothing.
type Origin struct {
	Hops   int            // addresses were named; 0: nobody spoke of the client
	Client netip.AddrPort // invalid: a proxy says that it does not know; port 0: it does not say
	Scheme string         // http or https
	Host   []byte         // with or without a port
	Port   string
	Prefix []byte // without a slash at its end; percent-encoded like a path
}

// Read reads the fields of a request that a trusted peer has sent. An error is an
// *http1.Error, and quotes nothing that was sent.
func (r *Rules) Read(fields []bridge.Field) (o Origin, err error) {
	var l lists
	var standard []element
	for i := range fields {
		switch kind := which(fields[i].Name) & r.Believed; kind {
		case 0:
		case Standard:
			if standard, err = appendElements(standard, fields[i].Value); err != nil {
				return Origin{}, err
			}
		default:
			l.add(kind, fields[i].Value)
		}
	}
	if o, err = r.readLists(&l); err != nil || standard == nil {
		return o, err
	}
	s, err := r.readStandard(standard)
	if err == nil {
		err = o.join(&s)
	}
	if err != nil {
		return Origin{}, err
	}
	return o, nil
}

// join takes over what Forwarded says; where X-Forwarded-* says something too, it must be
// the same.
func (o *Origin) join(s *Origin) error {
	for _, c := range []struct {
		both, same bool
		what       string
	}{
		{o.Hops > 0 && s.Hops > 0, o.Client.Addr() == s.Client.Addr(), "client"},
		{o.Scheme != "" && s.Scheme != "", o.Scheme == s.Scheme, "scheme"},
		{o.Host != nil && s.Host != nil, strings.EqualFold(string(o.Host), string(s.Host)), "host"},
	} {
		if c.both && !c.same {
			return bad("Forwarded and X-Forwarded-* name different values for the %s", c.what)
		}
	}
	if s.Hops > 0 {
		o.Hops, o.Client = s.Hops, s.Client
	}
	if s.Scheme != "" {
		o.Scheme = s.Scheme
	}
	if s.Host != nil {
		o.Host = s.Host
	}
	return nil
}

func bad(format string, a ...any) error {
	return &http1.Error{Status: 400, Reason: fmt.Sprintf(format, a...)}
}
