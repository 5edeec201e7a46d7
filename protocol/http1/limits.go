package http1

import "fmt"

// Limits are how large a request's head may be. A line or head that is too large is
// refused as soon as that is known.
type Limits struct {
	RequestLine int // bytes of the request line: 414
	Head        int // bytes of the whole head: 431
	Fields      int // number of header fields: 431
	FieldSize   int // bytes of one field line: 431
}

// DefaultLimits are good ones: those of nginx and Apache, for a head that is at most 64 KiB.
func DefaultLimits() Limits {
	return Limits{RequestLine: 8 << 10, Head: 64 << 10, Fields: 100, FieldSize: 16 << 10}
}

// Error says why a request is refused.
type Error struct {
	Status int    // to answer with
	Reason string // what is wrong, and where
}

func (e *Error) Error() string { return e.Reason }

func bad(format string, a ...any) *Error { return &Error{400, fmt.Sprintf(format, a...)} }

func tooLarge(format string, a ...any) *Error { return &Error{431, fmt.Sprintf(format, a...)} }
