package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Opcodes of RFC 6455, 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

const (
	finBit  = 0x80
	maskBit = 0x80
	// maxMessage is the most that any mode sends, and so the most that may come back.
	maxMessage = 16 << 20
)

// The key of RFC 6455, 1.3, and its answer; the same for every connection.
const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// maskKey is fixed, so that a frame can be made once. It is not zero: a server has to work for it.
var maskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// client is one WebSocket. It is used by one goroutine at a time.
type client struct {
	conn    net.Conn
	in      *bufio.Reader
	message []byte // the last one, until the next
}

// dial opens a WebSocket without extensions or subprotocols.
func dial(address, path string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, in: bufio.NewReader(conn)}
	if err = conn.SetDeadline(time.Now().Add(patience)); err == nil {
		err = c.shakeHands(address, path)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) shakeHands(address, path string) error {
	if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n", path, address, key); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	if got := response.Header.Get("Sec-WebSocket-Accept"); response.StatusCode != http.StatusSwitchingProtocols || got != accept {
		return fmt.Errorf("the server answers the handshake with %s and Sec-WebSocket-Accept: %s", response.Status, got)
	}
	return nil
}

// frame is a whole frame of a client (RFC 6455, 5.2).
func frame(opcode byte, payload []byte) []byte {
	f := []byte{finBit | opcode}
	switch n := len(payload); {
	case n < 126:
		f = append(f, maskBit|byte(n))
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, maskBit|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, maskBit|127), uint64(n))
	}
	f = append(f, maskKey[:]...)
	for i, b := range payload {
		f = append(f, b^maskKey[i%4])
	}
	return f
}

func (c *client) send(frame []byte) error {
	_, err := c.conn.Write(frame)
	return err
}

// receive waits for the next message, which is good until the next call. It answers pings.
func (c *client) receive() ([]byte, error) {
	c.message = c.message[:0]
	for {
		opcode, final, size, err := c.receiveHead()
		if err != nil {
			return nil, err
		}
		begin := len(c.message)
		if size > maxMessage-uint64(begin) {
			return nil, fmt.Errorf("a message is longer than %d bytes", maxMessage)
		}
		c.message = append(c.message, make([]byte, size)...)
		if _, err := io.ReadFull(c.in, c.message[begin:]); err != nil {
			return nil, err
		}
		switch opcode {
		case opText, opBinary, opContinuation:
			if final {
				return c.message, nil
			}
			continue
		case opPing:
			err = c.send(frame(opPong, c.message[begin:]))
		case opClose:
			err = fmt.Errorf("the server closes: % x", c.message[begin:])
		case opPong:
		default:
			err = fmt.Errorf("a frame has the opcode %d", opcode)
		}
		if err != nil {
			return nil, err
		}
		c.message = c.message[:begin] // a control frame may stand between those of a message
	}
}

func (c *client) receiveHead() (opcode byte, final bool, size uint64, err error) {
	var b [8]byte
	if _, err := io.ReadFull(c.in, b[:2]); err != nil {
		return 0, false, 0, err
	}
	if b[1]&maskBit != 0 {
		return 0, false, 0, errors.New("the server masks a frame")
	}
	opcode, final, size = b[0]&0x0f, b[0]&finBit != 0, uint64(b[1])
	switch size {
	case 126:
		_, err = io.ReadFull(c.in, b[:2])
		size = uint64(binary.BigEndian.Uint16(b[:2]))
	case 127:
		_, err = io.ReadFull(c.in, b[:8])
		size = binary.BigEndian.Uint64(b[:8])
	}
	return opcode, final, size, err
}
