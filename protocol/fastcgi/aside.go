package fastcgi

import (
	"strconv"

	"gobridge/protocol/cgi"
)

// aside deals with a record that is none of the request's.
func (p *Parser) aside(r *record) error {
	switch {
	case r.id == 0 && r.kind == kindGetValues:
		return p.values(r)
	case r.id == 0, r.kind == 0, int(r.kind) >= len(kinds):
		p.Reply = append(appendHeader(p.Reply, kindUnknownType, 0, 8), r.kind, 0, 0, 0, 0, 0, 0, 0)
	case r.kind == kindBegin:
		p.Reply = AppendEndRequest(p.Reply, r.id, CannotMultiplex)
	case r.kind == kindAbort, r.kind == kindParams, r.kind == kindStdin, r.kind == kindData:
		// Of a request that was refused, or is over.
	default:
		return r.misplaced()
	}
	return nil
}

// values answers who asks for values (section 4.1 of the specification). Each is said once,
// however often it is asked for, and those that are not known are left out.
func (p *Parser) values(r *record) error {
	var connections, requests, multiplexes bool
	for b := r.content; len(b) > 0; {
		name, _, rest, ok := pair(b)
		if !ok {
			return cgi.Malformed("the content of GET_VALUES ends within a name or a value")
		}
		b = rest
		connections = connections || string(name) == "FCGI_MAX_CONNS"
		requests = requests || string(name) == "FCGI_MAX_REQS"
		multiplexes = multiplexes || string(name) == "FCGI_MPXS_CONNS"
	}
	most := []byte(strconv.Itoa(p.MaxConnections))
	var content []byte
	if connections && p.MaxConnections > 0 {
		content = appendPair(content, []byte("FCGI_MAX_CONNS"), most)
	}
	if requests && p.MaxConnections > 0 {
		content = appendPair(content, []byte("FCGI_MAX_REQS"), most)
	}
	if multiplexes {
		content = appendPair(content, []byte("FCGI_MPXS_CONNS"), []byte("0"))
	}
	p.Reply = append(appendHeader(p.Reply, kindValuesResult, 0, len(content)), content...)
	return nil
}
