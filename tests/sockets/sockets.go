package sockets

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Opcodes, and the bit of a message's last frame.
const (
	Text   = 0x1
	Binary = 0x2
	Close  = 0x8
	Ping   = 0x9
	Pong   = 0xa
	Fin    = 0x80
)

// Fields are those of a handshake, with the key of RFC 6455 section 1.3; Accept is its answer.
const (
	Fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	Accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// largest is more than tests send in a frame.
const largest = 1 << 26

// Head is what stands before a payload; mask is 0x80 if a key and a masked payload follow.
func Head(first, mask byte, size int) []byte {
	b := []byte{first, mask}
	switch {
	case size < 126:
		b[1] |= byte(size)
	case size < 1<<16:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(size))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(size))
	}
	return b
}

// Frame is a whole frame, masked as a client's must be.
func Frame(first byte, payload string) []byte {
	key := [4]byte{0x5a, 0, 0xa5, 0x11}
	b := append(Head(first, 0x80, len(payload)), key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

// Closing is the payload of a close frame.
func Closing(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// ReadFrame reads a server's frame.
func ReadFrame(in *bufio.Reader) (first byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return 0, nil, err
	}
	size, more := uint64(head[1]), map[byte]int{126: 2, 127: 8}[head[1]]
	if _, err := io.ReadFull(in, head[2:2+more]); err != nil {
		return 0, nil, err
	}
	switch more {
	case 2:
		size = uint64(binary.BigEndian.Uint16(head[2:]))
	case 8:
		size = binary.BigEndian.Uint64(head[2:])
	}
	if size > largest || head[1] > 127 {
		return 0, nil, fmt.Errorf("a frame whose head is %x: it has a mask, or is larger than anything that is sent", head[:2+more])
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(in, payload)
	return head[0], payload, err
}

// ReadMessage reads a message, in frames as they may be. A control frame ends it, and is what is
// returned then: it may stand between a message's frames, as a close does that cuts one.
func ReadMessage(in *bufio.Reader) (op byte, message []byte, err error) {
	var whole bytes.Buffer
	for {
		first, payload, err := ReadFrame(in)
		if err != nil {
			return op, whole.Bytes(), err
		}
		if first&0x8 != 0 {
			return first & 0xf, payload, nil
		}
		if first&0xf != 0 {
			op = first & 0xf
		}
		whole.Write(payload)
		if first&Fin != 0 {
			return op, whole.Bytes(), nil
		}
	}
}
