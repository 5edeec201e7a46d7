package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// opening is how many clients open at once: fewer than a server's backlog.
const opening = 64

// idle opens all clients, has each send its message once and receive it, and holds them, with
// pings answered, until standard input ends. It prints a line when they are there, and one of how
// many were left at the end.
func idle(s *settings) error {
	var left atomic.Int64
	if err := open(s, &left); err != nil {
		return err
	}
	if err := tell(map[string]int64{"open": left.Load()}); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return tell(map[string]int64{"left": left.Load()})
}

// open opens them, each of which is counted among those that are left until its end.
func open(s *settings, left *atomic.Int64) error {
	var next, running = atomic.Int64{}, sync.WaitGroup{}
	own := message(0, s.size)
	sent := frame(opBinary, own)
	failed := make(chan error, opening)
	for range opening {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(s.connections); i = next.Add(1) - 1 {
				c, err := openOne(s, sent, own)
				if err != nil {
					failed <- fmt.Errorf("client %d of %d: %w", i+1, s.connections, err)
					return
				}
				left.Add(1)
				go func() { // at once: the server may ping while others open
					_, _ = c.receive() // nothing is said any more, so whatever it returns is an end
					left.Add(-1)
				}()
			}
		})
	}
	running.Wait()
	close(failed)
	return <-failed // nil if there is none
}

func openOne(s *settings, sent, own []byte) (*client, error) {
	c, err := dial(s.address, s.path)
	if err != nil {
		return nil, err
	}
	if err := c.send(sent); err != nil {
		return nil, err
	}
	got, err := c.receive()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(got, own) {
		return nil, fmt.Errorf("%d bytes came that are not what was sent", len(got))
	}
	c.message = nil // ten thousand of them are much
	return c, c.conn.SetDeadline(time.Time{})
}
