package websocket

import "encoding/binary"

// Opcodes (RFC 6455 section 5.2).
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// Bits of a frame's first two bytes.
const (
	bitFin  = 0x80
	bitRSV1 = 0x40 // the message is compressed (RFC 7692 section 6)
	bitsRSV = 0x70
	bitMask = 0x80
)

// MaxControl is the most bytes that a control frame's payload has (RFC 6455 section 5.5).
const MaxControl = 125

// frames takes frames apart. What has come of a header, or of a control frame, it keeps itself.
type frames struct {
	header  [14]byte
	have    int // bytes of the header that have come
	control [MaxControl]byte

	// The frame that is under way.
	open   bool // its header has come whole
	opcode byte
	fin    bool
	rsv1   bool
	left   int64 // bytes of its payload still to come
	size   int64 // of its payload
	mask   uint32
}

// begin takes header bytes from b and returns how many. With the last of them the frame is open.
func (f *frames) begin(b []byte) (n int, err error) {
	for !f.open && n < len(b) {
		need := f.needs()
		m := copy(f.header[f.have:need], b[n:])
		n += m
		if f.have += m; f.have < need {
			break
		}
		if f.have == 2 {
			if err := f.check(); err != nil {
				return n, err
			}
		}
		if f.have == f.needs() {
			return n, f.measure()
		}
	}
	return n, nil
}

// needs is the size of the header as far as it is known: the second byte tells.
func (f *frames) needs() int {
	if f.have < 2 {
		return 2
	}
	switch f.header[1] &^ bitMask {
	case 126:
		return 2 + 2 + 4
	case 127:
		return 2 + 8 + 4
	}
	return 2 + 4
}

// check holds the first two bytes of a header against what they may say.
func (f *frames) check() error {
	first, second := f.header[0], f.header[1]
	f.opcode, f.fin, f.rsv1 = first&15, first&bitFin != 0, first&bitRSV1 != 0
	switch {
	case first&bitsRSV&^bitRSV1 != 0:
		return broken("a frame has a reserved bit set")
	case f.opcode > opPong || f.opcode > opBinary && f.opcode < opClose:
		return broken("a frame has the reserved opcode %d", f.opcode)
	case second&bitMask == 0:
		return broken("a frame is not masked")
	case f.opcode < opClose:
		return nil
	case !f.fin:
		return broken("a control frame is fragmented")
	case f.rsv1:
		return broken("a control frame has a reserved bit set")
	case second&^bitMask > MaxControl:
		return broken("a control frame is longer than 125 bytes")
	}
	return nil
}

// measure reads length and mask of a header that is whole.
func (f *frames) measure() error {
	h := f.header[:f.have]
	size := uint64(h[1] &^ bitMask)
	switch {
	case size == 126:
		if size = uint64(binary.BigEndian.Uint16(h[2:])); size < 126 {
			return broken("a frame's length is not said in its shortest form")
		}
	case size == 127:
		size = binary.BigEndian.Uint64(h[2:])
		if size>>63 != 0 {
			return broken("a frame's length has more than 63 bits")
		}
		if size < 1<<16 {
			return broken("a frame's length is not said in its shortest form")
		}
	}
	f.mask = binary.LittleEndian.Uint32(h[len(h)-4:])
	f.size, f.left = int64(size), int64(size)
	f.open, f.have = true, 0
	return nil
}

// take unmasks up to limit bytes of the payload in b, in place, and returns them.
func (f *frames) take(b []byte, limit int) []byte {
	b = b[:min(int64(len(b)), f.left, int64(limit))]
	f.mask = unmask(b, f.mask)
	f.left -= int64(len(b))
	return b
}

// takeControl takes what b has of a control frame's payload. It reports whether that is whole,
// and then the frame is closed.
func (f *frames) takeControl(b []byte) (n int, payload []byte, whole bool) {
	b = f.take(b, MaxControl)
	copy(f.control[f.size-f.left-int64(len(b)):], b)
	if f.left > 0 {
		return len(b), nil, false
	}
	f.open = false
	return len(b), f.control[:f.size], true
}
