package websocket

import (
	"encoding/binary"
	"math/bits"
)

// unmask takes the mask off b, in place (RFC 6455 section 5.3), 32 bytes at a time. The mask is
// its four bytes as a little-endian number. It returns the mask for the byte behind b.
func unmask(b []byte, mask uint32) uint32 {
	next := bits.RotateLeft32(mask, -8*(len(b)%4))
	wide := uint64(mask)<<32 | uint64(mask)
	for len(b) >= 32 {
		p := (*[32]byte)(b)
		binary.LittleEndian.PutUint64(p[0:], binary.LittleEndian.Uint64(p[0:])^wide)
		binary.LittleEndian.PutUint64(p[8:], binary.LittleEndian.Uint64(p[8:])^wide)
		binary.LittleEndian.PutUint64(p[16:], binary.LittleEndian.Uint64(p[16:])^wide)
		binary.LittleEndian.PutUint64(p[24:], binary.LittleEndian.Uint64(p[24:])^wide)
		b = b[32:]
	}
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(wide >> (8 * i))
	}
	return next
}
