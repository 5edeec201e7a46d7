package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"gobridge/tests/sockets"
)

// socket is one client's WebSockets, one after the other. Each is a request of its own in the
// books: whole when every message came back and both ends have said goodbye, or the server has, as it stops.
type socket struct {
	server *server
	books  *books
	random *rand.Rand
	ending *atomic.Bool
}

func (k *socket) run(end time.Time) {
	for time.Now().Before(end) {
		conn, err := k.server.Dial()
		if k.ending.Load() && errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if k.books.connected(err, false); err != nil {
			return
		}
		r := &request{kind: "socket", nonce: fmt.Sprintf("%016x%016x", k.random.Uint64(), k.random.Uint64()), fresh: true}
		k.talk(conn, r, end)
		conn.Close()
		if r.outcome == wrong && r.unanswered && k.ending.Load() {
			r.judge(refused, "")
		}
		k.books.enter([]*request{r})
	}
}

// talk is one WebSocket's life.
func (k *socket) talk(conn net.Conn, r *request, end time.Time) bool {
	in := bufio.NewReader(conn)
	if err := conn.SetDeadline(end.Add(patience)); err != nil {
		return r.judge(wrong, "%v", err)
	}
	if _, err := fmt.Fprintf(conn, "GET /socket?nonce=%s HTTP/1.1\r\nHost: storm\r\n%s\r\n", r.nonce, sockets.Fields); err != nil {
		r.unanswered = true
		return r.judge(wrong, "sending: %v", err)
	}
	if !r.accepted(in) {
		return false
	}
	for n := k.random.IntN(60); n > 0 && time.Now().Before(end); n-- {
		if !k.echo(conn, in, r) {
			return false
		}
		time.Sleep(time.Duration(k.random.IntN(20)) * time.Millisecond)
	}
	return k.part(conn, in, r)
}

// accepted reads the answer to the handshake.
func (r *request) accepted(in *bufio.Reader) bool {
	if _, err := in.Peek(1); err != nil {
		r.unanswered = true
		return r.judge(wrong, "no answer to the handshake: %v", err)
	}
	response, err := http.ReadResponse(in, nil)
	switch {
	case err != nil:
		return r.judge(cut, "in the head: %v", err)
	case response.StatusCode == http.StatusBadGateway:
		return r.judge(badGate, "")
	case response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("X-Nonce") != r.nonce:
		return r.judge(wrong, "status %s, nonce %q", response.Status, response.Header.Get("X-Nonce"))
	}
	return true
}

// echo sends a message, sometimes in two frames, that must come back.
func (k *socket) echo(conn net.Conn, in *bufio.Reader, r *request) bool {
	size := k.random.IntN(200)
	if k.random.IntN(8) == 0 {
		size = k.random.IntN(300_000)
	}
	r.size += size
	message := pattern(r.nonce, size)
	cutAt := k.random.IntN(size + 1)
	frames := append(sockets.Frame(sockets.Binary, string(message[:cutAt])), sockets.Frame(sockets.Fin, string(message[cutAt:]))...)
	sent := make(chan error, 1)
	go func() { _, err := conn.Write(frames); sent <- err }()
	op, got, err := sockets.ReadMessage(in)
	if err != nil || op == sockets.Close {
		conn.Close()
	}
	<-sent
	switch {
	case err != nil:
		return r.judge(cut, "%v", err)
	case op == sockets.Close:
		return k.ended(conn, r, got)
	case op != sockets.Binary || !bytes.Equal(got, message):
		return r.judge(wrong, "a message of %d bytes came back as one of %d, kind %d", size, len(got), op)
	}
	return true
}

// What a client is told whose worker has died, and when the server stops (RFC 6455 section 7.4.1).
const (
	lostCode    = 1011
	restartCode = 1012
)

// ended judges a close that the client has not asked for.
func (k *socket) ended(conn net.Conn, r *request, payload []byte) bool {
	code := 0
	if len(payload) >= 2 {
		code = int(binary.BigEndian.Uint16(payload))
	}
	switch {
	case code == lostCode:
		return r.judge(cut, "closed with %d", code)
	case code == restartCode && k.ending.Load():
		conn.Write(sockets.Frame(sockets.Fin|sockets.Close, sockets.Closing(code, ""))) // the server may be gone
		r.judge(whole, "")
		return false
	}
	return r.judge(wrong, "closed with %q", payload)
}

// part says goodbye.
func (k *socket) part(conn net.Conn, in *bufio.Reader, r *request) bool {
	if _, err := conn.Write(sockets.Frame(sockets.Fin|sockets.Close, sockets.Closing(1000, r.nonce))); err != nil {
		return r.judge(cut, "%v", err)
	}
	op, got, err := sockets.ReadMessage(in)
	switch {
	case err != nil:
		return r.judge(cut, "%v", err)
	case op != sockets.Close || len(got) < 2:
		return r.judge(wrong, "kind %d %q as an answer to a close", op, got)
	case binary.BigEndian.Uint16(got) != 1000:
		return k.ended(conn, r, got)
	}
	r.judge(whole, "")
	return true
}
