package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answering serves WebSockets on a free port: each is given to f once its hands are shaken.
func answering(t *testing.T, f func(c *client)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				c := &client{conn: conn, in: bufio.NewReader(conn)}
				if _, err := http.ReadRequest(c.in); err != nil {
					return
				}
				fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept)
				f(c)
			}()
		}
	}()
	return listener.Addr().String()
}

// payload is what a client has sent in one frame, read with other code than the program's.
func payload(c *client) ([]byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(c.in, head); err != nil {
		return nil, err
	}
	size := int(head[1] &^ maskBit)
	if wide := map[int]int{126: 2, 127: 8}[size]; wide > 0 {
		long := make([]byte, 8)
		if _, err := io.ReadFull(c.in, long[8-wide:]); err != nil {
			return nil, err
		}
		size = int(binary.BigEndian.Uint64(long))
	}
	mask, body := make([]byte, 4), make([]byte, size)
	if _, err := io.ReadFull(c.in, mask); err != nil {
		return nil, err
	}
	_, err := io.ReadFull(c.in, body)
	for i := range body {
		body[i] ^= mask[i%4]
	}
	return body, err
}

func TestEchoCountsWhatComesBack(t *testing.T) {
	address := answering(t, func(c *client) {
		for {
			body, err := payload(c)
			if err != nil {
				return
			}
			// In two fragments with a ping between them, which must be answered.
			fmt.Fprintf(c.conn, "\x01\x04%s\x89\x02hi\x80%c%s", body[:4], len(body)-4, body[4:])
			if pong, err := payload(c); err == nil && string(pong) != "hi" {
				t.Errorf("the ping was answered with %q", pong)
				return
			}
		}
	})
	got, err := load(&settings{mode: "echo", address: address, path: "/", connections: 3, size: 64, duration: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got.Messages < 3 || got.Served != 3 || len(got.Errors) > 0 || got.P50 <= 0 || got.P99 < got.P50 {
		t.Errorf("%+v", got)
	}
}

func TestEchoNoticesOtherBytes(t *testing.T) {
	address := answering(t, func(c *client) {
		if _, err := payload(c); err == nil {
			fmt.Fprintf(c.conn, "\x81\x40%s", strings.Repeat("?", 64))
		}
	})
	got, err := load(&settings{mode: "echo", address: address, path: "/", connections: 1, size: 64, duration: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if got.Messages != 0 || got.Served != 0 || got.Errors["64 bytes came that are not what was sent"] != 1 {
		t.Errorf("%+v", got)
	}
}

func TestFramesOfEverySize(t *testing.T) {
	address := answering(t, func(c *client) {
		for {
			body, err := payload(c)
			if err != nil {
				return
			}
			head := []byte{finBit | opBinary}
			whole := frame(opBinary, body)
			head = append(head, whole[1]&^maskBit)
			head = append(head, whole[2:len(whole)-len(body)-len(maskKey)]...)
			if c.send(append(head, body...)) != nil {
				return
			}
		}
	})
	c, err := dial(address, "/")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	for _, size := range []int{8, 125, 126, 1<<16 - 1, 1 << 16} {
		want := message(7, size)
		if err := c.send(frame(opBinary, want)); err != nil {
			t.Fatal(err)
		}
		if got, err := c.receive(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("of %d bytes came %d: %v", size, len(got), err)
		}
	}
}

func TestCloseAndRefusalAreErrors(t *testing.T) {
	address := answering(t, func(c *client) { fmt.Fprint(c.conn, "\x88\x02\x03\xf4") })
	c, err := dial(address, "/")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	if _, err := c.receive(); err == nil || err.Error() != "the server closes: 03 f4" {
		t.Errorf("after a close there is %v", err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	go http.Serve(plain, http.NotFoundHandler()) // it ends with the listener
	if _, err := dial(plain.Addr().String(), "/"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a server that has no WebSockets: %v", err)
	}
}
