package websocket

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Codes with which a WebSocket ends (RFC 6455 section 7.4.1, and IANA's registry of them).
const (
	Normal      = 1000
	GoingAway   = 1001
	BadProtocol = 1002
	NoCode      = 1005 // a close frame without a code; never in a frame
	Lost        = 1006 // the connection ended without a close frame; never in a frame
	BadData     = 1007 // text that is no UTF-8, or what cannot be inflated
	TooBig      = 1009
	Failed      = 1011 // the server met something that it did not expect
	Restart     = 1012
	TryLater    = 1013
)

// MaxReason is the most bytes that the reason of a close frame has.
const MaxReason = MaxControl - 2

// An Error is why a client's connection cannot go on.
type Error struct {
	Code   int // for the close frame
	Reason string
}

func (e *Error) Error() string { return e.Reason }

func broken(format string, args ...any) *Error {
	return &Error{BadProtocol, fmt.Sprintf(format, args...)}
}

// ValidCode says whether a code may stand in a close frame: one that is registered, or that is
// left to libraries (3000 to 3999) and applications (4000 to 4999).
func ValidCode(code int) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	}
	return code >= 3000 && code <= 4999
}

// readClose takes the payload of a close frame apart.
func readClose(payload []byte) (code int, reason []byte, err error) {
	switch len(payload) {
	case 0:
		return NoCode, nil, nil
	case 1:
		return 0, nil, broken("a close frame has half a code")
	}
	code, reason = int(binary.BigEndian.Uint16(payload)), payload[2:]
	if !ValidCode(code) {
		return 0, nil, broken("a close frame has the code %d, which none may have", code)
	}
	if !utf8.Valid(reason) {
		return 0, nil, &Error{BadData, "the reason in a close frame is no UTF-8"}
	}
	return code, reason, nil
}

// clipReason shortens a reason to what fits, between two characters.
func clipReason[T ~string | ~[]byte](reason T) T {
	if len(reason) <= MaxReason {
		return reason
	}
	n := MaxReason
	for n > 0 && !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}
