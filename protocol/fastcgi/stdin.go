package fastcgi

import "gobridge/protocol/cgi"

// stdin is how far a request's body is. The zero value is its beginning.
type stdin struct {
	length  int64 // of the body; -1: it ends where it ends
	came    int64 // bytes of it, with those that the present record has still to bring
	left    int   // bytes of the present record still to come
	padding int   // and of what stands behind them
	ending  bool  // the present record is the last one
	ended   bool  // the body is whole
	dropped bool  // nobody wants the rest of it
}

var (
	errSurplus = cgi.Malformed("the body (STDIN) has more bytes than CONTENT_LENGTH says")
	errShort   = cgi.Malformed("the body (STDIN) ends before it has as many bytes as CONTENT_LENGTH says")
)

// Next takes records from the beginning of b, behind a whole head, and returns how many bytes it
// took, of which data, the body's, are the last. It takes nothing when the next record is not
// whole that must be. done says that the body has come to its end, or that the record has that
// was there at Drop; it takes a call of its own. Behind the end come only records that
// concern the connection, and Aborted.
func (p *Parser) Next(b []byte) (taken int, data []byte, done bool, err error) {
	for !p.Aborted {
		if n := min(p.left, len(b)-taken); n > 0 {
			p.left -= n
			taken += n
			if !p.dropped {
				return taken, b[taken-n : taken], false, nil
			}
		}
		if p.left > 0 {
			break
		}
		n := min(p.padding, len(b)-taken)
		p.padding -= n
		taken += n
		if p.padding > 0 {
			break
		}
		if p.ending || p.dropped {
			p.ended, p.ending = p.ended || p.ending, false
			return taken, nil, true, nil
		}
		if n, err = p.record(b[taken:]); n == 0 || err != nil {
			break
		}
		taken += n
	}
	return taken, nil, false, err
}

// record takes the header of one of the body's records, or another one whole; 0: it is not there.
func (p *Parser) record(b []byte) (int, error) {
	r, err := first(b)
	if err != nil {
		return 0, err
	}
	if r.is(kindStdin, p.ID) && !p.ended {
		p.left, p.padding = r.length, r.padding
		p.came += int64(r.length)
		p.ending = r.length == 0
		switch {
		case p.length >= 0 && p.came > p.length:
			return 0, errSurplus
		case p.ending && p.came < p.length:
			return 0, errShort
		}
		return HeaderSize, nil
	}
	if !r.whole {
		return 0, nil
	}
	switch {
	case r.is(kindAbort, p.ID):
		p.Aborted, p.Closes = true, !p.Keep
	case r.is(kindStdin, p.ID) && r.length == 0: // it was ended before
	case r.id == p.ID && r.kind > 0 && int(r.kind) < len(kinds):
		return 0, r.misplaced()
	default:
		err = p.aside(&r)
	}
	return r.size, err
}

// Drop says that the request is over for us. It reports whether the next byte begins a record;
// else Next is done where it does.
func (p *Parser) Drop() bool {
	p.dropped = true
	return p.left == 0 && p.padding == 0
}
