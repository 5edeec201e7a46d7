package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"gobridge/tests/server"
)

// open asks for a stream and reads up to the end of its first event.
func (a *abandoner) open(path string) (*net.TCPConn, error) {
	conn, err := a.Dial()
	if err != nil {
		return nil, err
	}
	c, ok := conn.(*net.TCPConn)
	if !ok {
		conn.Close()
		return nil, errors.New("the server does not listen on TCP")
	}
	if err := firstEvent(c, path); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func firstEvent(c *net.TCPConn, path string) error {
	if err := c.SetDeadline(time.Now().Add(server.Patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		return err
	}
	var text []byte
	for !strings.Contains(string(text), "event\n\n") {
		var piece [512]byte
		n, err := c.Read(piece[:])
		if err != nil {
			return fmt.Errorf("instead of an event %q: %w", text, err)
		}
		text = append(text, piece[:n]...)
	}
	return nil
}

// ask returns a page.
func (a *abandoner) ask(path string) (string, error) {
	response, err := http.Get(a.URL(path))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}
