package bridge

import (
	"errors"

	"gobridge/pyhost"
)

// tail is what an application sends behind a body: trailers, in a record like the head's.
type tail struct {
	need int // the record's size
	copy []byte
	head ResponseHead
}

// whole says whether all of the trailers are here, if there are any.
func (t *tail) whole() bool { return t == nil || len(t.copy) == t.need }

var errBehindTrailers = errors.New("the response goes on behind its trailers")

// readTail copies the record out of the pipe, in pieces if it is longer than the pipe.
func (x *Exchange) readTail(a, b []byte) error {
	t := x.in.tail
	if t.whole() {
		if len(a) > 0 {
			return errBehindTrailers
		}
		return nil
	}
	n := min(t.need-len(t.copy), len(a)+len(b))
	first := min(n, len(a))
	t.copy = append(append(t.copy, a[:first]...), b[:n-first]...)
	x.taken(n)
	if !t.whole() {
		return nil
	}
	return decodeHead(&t.head, pyhost.RecordHead, t.copy)
}

// Trailers returns the lines of the fields behind the body, each with its CRLF; nil if there
// are none. Body has come to them when the exchange is Finished.
func (x *Exchange) Trailers() []byte {
	if x.in.tail == nil {
		return nil
	}
	return x.in.tail.head.Lines
}
