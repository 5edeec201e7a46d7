package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gobridge/tests/server"
)

// crowd is the slow clients.
type crowd struct {
	server *server.Server
	over   context.Context
	end    context.CancelFunc
	all    sync.WaitGroup
	gone   atomic.Int64 // that the server has left
	count  int
}

func newCrowd(s *server.Server) *crowd {
	c := &crowd{server: s}
	c.over, c.end = context.WithCancel(context.Background())
	return c
}

// pause is between two bytes of a slow client.
const pause = time.Second

// gather brings n slow clients and returns when each has begun.
func (c *crowd) gather(n int) error {
	for i := range n {
		conn, err := dialSmall(c.server.Address())
		if err != nil {
			return fmt.Errorf("slow client %d: %w", i, err)
		}
		c.count++
		live := []func(net.Conn){c.sendHead, c.sendBody, c.takeAnswer}[i%3]
		c.all.Go(func() {
			defer conn.Close()
			live(conn)
		})
	}
	time.Sleep(2 * pause) // all have begun
	return nil
}

func (c *crowd) waiting() int { return c.count - int(c.gone.Load()) }

func (c *crowd) scatter() {
	c.end()
	c.all.Wait()
}

// dialSmall connects with a small buffer for what comes, so that an answer waits with the
// server.
func dialSmall(address string) (net.Conn, error) {
	d := net.Dialer{Timeout: time.Minute, Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if e := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) }); e != nil {
			return e
		}
		return err
	}}
	return d.Dial("tcp", address)
}

// byByte does something each pause until the crowd goes. Whoever cannot is left by the
// server.
func (c *crowd) byByte(step func(i int) error) {
	t := time.NewTicker(pause)
	defer t.Stop()
	for i := 0; ; i++ {
		if err := step(i); err != nil {
			c.gone.Add(1)
			return
		}
		select {
		case <-c.over.Done():
			return
		case <-t.C:
		}
	}
}

func (c *crowd) sendHead(conn net.Conn) {
	head := "GET / HTTP/1.1\r\nHost: slow.example.org\r\nUser-Agent: a slow one that will not come to its end in the time that this measurement takes\r\n"
	c.send(conn, head[:20], head[20:])
}

func (c *crowd) sendBody(conn net.Conn) {
	body := make([]byte, 1000)
	c.send(conn, "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", string(body))
}

// send sends the beginning at once and the rest by bytes.
func (c *crowd) send(conn net.Conn, begin, rest string) {
	c.byByte(func(i int) error {
		text := begin
		if i > 0 {
			text = rest[i : i+1]
		}
		_, err := io.WriteString(conn, text)
		return errors.Join(err, unanswered(conn))
	})
}

// unanswered returns an error when the server has said something, or nothing for ever.
func unanswered(conn net.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(time.Microsecond)); err != nil {
		return err
	}
	n, err := conn.Read(make([]byte, 1))
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return fmt.Errorf("%d bytes, %v", n, err)
}

func (c *crowd) takeAnswer(conn net.Conn) {
	c.byByte(func(i int) error {
		if i == 0 {
			_, err := io.WriteString(conn, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		_, err := conn.Read(make([]byte, 1))
		return err
	})
}
