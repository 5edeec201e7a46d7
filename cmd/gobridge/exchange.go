package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/bridge"
	"gobridge/protocol/http1"
)

// exchange is a request on its way, and its answer.
type exchange struct {
	to       *endpoint
	question *bridge.Request
	body     *contents
	asked    *asked
	out, log io.Writer

	answer http1.Answer
}

// run has the exchange. An error says what to exit with.
func (e *exchange) run() error {
	head, err := e.head()
	if err != nil {
		return err
	}
	conn, err := e.dial()
	if err != nil {
		return unreached(e.to, e.asked.limit, err)
	}
	defer conn.Close()
	sent := make(chan error, 1)
	go func() { sent <- e.send(conn, head) }()
	if e.asked.output != "" {
		file, err := os.Create(e.asked.output)
		if err != nil {
			return usage("--output: %w", err)
		}
		defer file.Close()
		e.out = file
	}
	e.answer = http1.Answer{NoBody: string(e.question.Method) == "HEAD", Gateway: e.to.speaks.variables}
	if err := e.receive(conn); err != nil {
		if errors.Is(err, net.ErrClosed) { // by send
			err = <-sent
		}
		return unanswered(e.to, e.asked.limit, err)
	}
	if e.asked.fail && e.answer.Status >= 400 {
		return &exitError{exitFailed, fmt.Errorf("%s answers %d %s", e.to, e.answer.Status, e.answer.Reason)}
	}
	return nil
}

// head is what goes before the body, told if that is wanted.
func (e *exchange) head() ([]byte, error) {
	var variables []bridge.Field
	if e.to.speaks.variables {
		var err error
		if variables, err = variablesOf(e.question, e.asked.variables); err != nil {
			return nil, err
		}
	}
	head, err := e.to.speaks.head(e.question, variables)
	if err != nil {
		return nil, usage("%w", err)
	}
	if e.asked.verbose {
		e.tellOfHead(head, variables)
	}
	return head, nil
}

func (e *exchange) tellOfHead(head []byte, variables []bridge.Field) {
	fmt.Fprintf(e.log, "* %s, %d bytes and a body of %d\n", e.to, len(head), e.body.size)
	if !e.to.speaks.variables {
		e.tellLines("> ", head)
		return
	}
	for _, v := range variables {
		fmt.Fprintf(e.log, "> %s=%s\n", v.Name, v.Value)
	}
}

func (e *exchange) tellLines(before string, text []byte) {
	for line := range bytes.Lines(text) {
		fmt.Fprintf(e.log, "%s%s\n", before, bytes.TrimRight(line, "\r\n"))
	}
}

func (e *exchange) dial() (net.Conn, error) {
	var by time.Time
	if limit := e.asked.limit; limit > 0 {
		by = time.Now().Add(limit)
	}
	conn, err := (&net.Dialer{Deadline: by}).Dial(e.to.network, e.to.address)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(by)
}

// send sends the request. A server that does not want its body may close before all is sent: what
// it has answered counts. If the body cannot be read the connection is closed.
func (e *exchange) send(conn net.Conn, head []byte) error {
	if _, err := conn.Write(head); err != nil {
		return nil // the answer, or that there is none, says more
	}
	buffer := make([]byte, 64<<10)
	for left := e.question.BodyLength; left > 0; {
		n, err := e.body.Read(buffer[:min(left, int64(len(buffer)))])
		if left -= int64(n); err != nil && (left > 0 || !errors.Is(err, io.EOF)) {
			conn.Close()
			return fmt.Errorf("the body could not be read, and %d bytes of it are missing: %w", left, err)
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return nil
		}
	}
	return nil
}

// receive takes the answer, and writes it.
func (e *exchange) receive(conn net.Conn) error {
	var have []byte
	buffer := make([]byte, 64<<10)
	for {
		taken, part, data, err := e.answer.Next(have)
		if err != nil {
			return err
		}
		switch part {
		case http1.PartHead:
			err = e.takeHead()
		case http1.PartBody:
			err = e.takeBody(data)
		case http1.PartEnd:
			return nil
		}
		if err != nil {
			return err
		}
		have = have[taken:]
		if part != http1.PartNone {
			continue
		}
		n, err := conn.Read(buffer)
		have = append(have, buffer[:n]...)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
			return e.ended(err)
		case err != nil:
			return err
		}
	}
}

// ended deals with the connection's end: what has come may be all of the answer.
func (e *exchange) ended(why error) error {
	err := e.answer.Ended()
	switch {
	case errors.Is(why, io.EOF):
		return err
	case err == nil:
		return fmt.Errorf("the answer may be cut: %w", why)
	}
	return fmt.Errorf("%w (%w)", err, why)
}

func (e *exchange) takeHead() error {
	if e.asked.verbose {
		e.tellLines("< ", e.answer.Text)
	}
	if e.asked.head {
		return e.write(e.answer.Text)
	}
	return nil
}

func (e *exchange) takeBody(data []byte) error {
	if e.asked.fail && e.answer.Status >= 400 {
		return nil
	}
	return e.write(data)
}

func (e *exchange) write(data []byte) error {
	if _, err := e.out.Write(data); err != nil {
		return &exitError{exitInternal, fmt.Errorf("the answer could not be written: %w", err)}
	}
	return nil
}
