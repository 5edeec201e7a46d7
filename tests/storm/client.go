package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// client is one connection's load, kept alive as long as the server allows.
type client struct {
	server *server
	books  *books
	random *rand.Rand
	mixed  bool // slow, streaming and uploading; else quick echoes, some of them pipelined

	churn  bool         // a connection for each request
	ending *atomic.Bool // the server was told to stop

	conn net.Conn
	in   *bufio.Reader
	last *request // answered on this connection before
}

func (c *client) run(end time.Time) {
	for time.Now().Before(end) || c.ending.Load() {
		if c.conn == nil && !c.connect() {
			return
		}
		batch := []*request{c.next()}
		if !c.mixed && c.random.IntN(4) == 0 {
			batch = append(batch, c.next())
		}
		for _, r := range batch {
			r.fresh = c.last == nil
		}
		if usable := c.exchange(batch); !usable || c.churn {
			c.conn.Close()
			c.conn = nil
		}
		for _, r := range batch {
			if r.outcome == wrong && c.last != nil {
				r.detail += fmt.Sprintf(" (behind %s of %d bytes, slow %v: %v)", c.last.kind, c.last.size, c.last.slow, c.last.outcome)
			}
			c.last = r
		}
		c.books.enter(batch)
	}
	if c.conn != nil {
		c.conn.Close()
	}
}

func (c *client) connect() bool {
	conn, err := c.server.Dial()
	if c.ending.Load() && errors.Is(err, syscall.ECONNREFUSED) {
		return false
	}
	if c.books.connected(err, !c.churn); err != nil {
		return false
	}
	c.conn, c.in, c.last = conn, bufio.NewReader(conn), nil
	return true
}

// next makes up a request.
func (c *client) next() *request {
	r := &request{kind: "echo", nonce: fmt.Sprintf("%016x%016x", c.random.Uint64(), c.random.Uint64())}
	if !c.mixed {
		return r
	}
	switch c.random.IntN(7) {
	case 0:
		r.kind = "sleep"
	case 1, 2:
		r.kind, r.size = "upload", c.random.IntN(400_000)
	case 3:
		r.kind, r.size = "download", c.random.IntN(400_000)
	case 4:
		r.kind, r.size = "stream", c.random.IntN(100_000)
	case 5:
		r.kind, r.size = "file", 10_000+c.random.IntN(1_000_000)
	}
	r.slow = c.random.IntN(2) == 0
	return r
}

// exchange sends the requests at once and reads the answers. It reports whether the
// connection can be used again.
func (c *client) exchange(batch []*request) bool {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return batch[0].judge(wrong, "%v", err)
	}
	sent := make(chan error, 1)
	go func() {
		for _, r := range batch {
			if err := r.send(c.conn); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	usable := true
	for _, r := range batch {
		if usable {
			usable = r.receive(c.in)
		}
	}
	if r := batch[0]; r.outcome == wrong && r.fresh && r.unanswered && c.ending.Load() {
		r.judge(refused, "")
	}
	if !usable {
		c.conn.Close() // an answer can be out before all of the request was sent
	}
	if err := <-sent; err != nil && usable {
		return batch[0].judge(wrong, "sending: %v", err)
	}
	return usable
}
