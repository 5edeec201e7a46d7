package websocket

import "encoding/binary"

// A Kind is what an event tells, and of which kind a message is.
type Kind uint8

// The kinds of events.
const (
	None   Kind = iota // there must come more bytes, or there must be room
	Text               // a piece of a text
	Binary             // of a binary message
	Ping
	Pong
	Close
)

// MaxHeader is the most bytes that AppendFrame adds.
const MaxHeader = 10

// A Frame is a data frame's header, as it goes out: it is not masked.
type Frame struct {
	Kind       Kind // Text or Binary
	First      bool // the first frame of its message
	Last       bool // and the last one
	Compressed bool // the message is
	Size       int  // bytes of the payload
}

// AppendFrame adds a data frame's header.
func AppendFrame(dst []byte, f *Frame) []byte {
	first := byte(opContinuation)
	if f.First {
		first = opText
		if f.Kind == Binary {
			first = opBinary
		}
		if f.Compressed {
			first |= bitRSV1
		}
	}
	if f.Last {
		first |= bitFin
	}
	switch n := f.Size; {
	case n < 126:
		return append(dst, first, byte(n))
	case n < 1<<16:
		return append(dst, first, 126, byte(n>>8), byte(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(n))
	}
}

// AppendPing adds a ping with a payload of MaxControl bytes at most.
func AppendPing(dst, payload []byte) []byte { return appendControl(dst, opPing, payload) }

// AppendPong adds the answer to a ping.
func AppendPong(dst, payload []byte) []byte { return appendControl(dst, opPong, payload) }

func appendControl(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, bitFin|opcode, byte(len(payload)))
	return append(dst, payload...)
}

// AppendClose adds a close frame. One with NoCode is empty, and so is one with a code that none
// may have. A reason that is too long is cut.
func AppendClose[T ~string | ~[]byte](dst []byte, code int, reason T) []byte {
	if !ValidCode(code) {
		return append(dst, bitFin|opClose, 0)
	}
	reason = clipReason(reason)
	dst = append(dst, bitFin|opClose, byte(2+len(reason)), byte(code>>8), byte(code))
	return append(dst, reason...)
}
