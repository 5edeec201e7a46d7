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
	"gobridge/protocol/fastcgi"
	"gobridge/protocol/http1"
)

// exchange is a request on its way, and its answer.
type exchange struct {
	to       *endpoint
	shake    *handshake // nil: it goes without TLS
	question *bridge.Request
	body     *contents
	asked    *asked
	out, log io.Writer

	records *fastcgi.Answers // nil: the answer comes without
	packed  []byte           // of records, as far as they have come
	have    []byte           // of the answer
	closed  error            // how the connection has ended; nil: it has not
	answer  http1.Answer
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
	if e.shake != nil {
		if conn, err = e.encrypt(conn); err != nil {
			return err
		}
		defer conn.Close()
	}
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
	if e.to.speaks.records {
		e.records = &fastcgi.Answers{ID: requestID}
	}
	e.answer = http1.Answer{NoBody: string(e.question.Method) == "HEAD", Gateway: e.to.speaks.variables}
	if err := e.receive(conn); err != nil {
		if errors.Is(err, net.ErrClosed) { // by send
			err = <-sent
		}
		return e.unanswered(err)
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
		if n > 0 && !e.sendPart(conn, buffer[:n]) {
			return nil
		}
	}
	if e.to.speaks.frame != nil {
		e.sendPart(conn, nil)
	}
	return nil
}

// sendPart sends a part of the body, or its end. It reports whether the server takes more.
func (e *exchange) sendPart(conn net.Conn, part []byte) bool {
	if frame := e.to.speaks.frame; frame != nil {
		part = frame(part)
	}
	_, err := conn.Write(part)
	return err == nil
}

// receive takes the answer, and writes it.
func (e *exchange) receive(conn net.Conn) error {
	buffer := make([]byte, 64<<10)
	for {
		if whole, err := e.take(); whole || err != nil {
			return err
		}
		if e.closed != nil {
			return e.ended(e.closed)
		}
		n, err := conn.Read(buffer)
		if err := e.unpack(buffer[:n]); err != nil {
			return err
		}
		switch {
		case e.shake != nil && e.shake.cut:
			e.closed = errNoNotify
		case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
			e.closed = err
		case err != nil:
			return err
		}
	}
}

// take takes what has come of the answer. It reports whether that is all of it.
func (e *exchange) take() (whole bool, err error) {
	for {
		taken, part, data, err := e.answer.Next(e.have)
		if err != nil {
			return false, err
		}
		switch part {
		case http1.PartNone:
			e.have = e.have[taken:]
			return false, nil
		case http1.PartEnd:
			return true, nil
		case http1.PartHead:
			err = e.takeHead()
		case http1.PartBody:
			err = e.takeBody(data)
		}
		if err != nil {
			return false, err
		}
		e.have = e.have[taken:]
	}
}

// unpack takes bytes from the connection: out of FastCGI's records, if the answer comes in those.
func (e *exchange) unpack(b []byte) error {
	if e.records == nil {
		e.have = append(e.have, b...)
		return nil
	}
	if e.packed = append(e.packed, b...); bytes.HasPrefix(e.packed, []byte("HTTP/")) { // so who speaks HTTP answers
		e.have, e.records = append(e.have, e.packed...), nil
		return nil
	}
	for {
		n, out, log, err := e.records.Next(e.packed)
		if err != nil || n == 0 {
			return err
		}
		e.have = append(e.have, out...)
		if _, err := e.log.Write(log); err != nil {
			return err
		}
		e.packed = e.packed[n:]
		if e.records.Ended {
			if e.closed = io.EOF; e.records.Status != fastcgi.Complete {
				return fmt.Errorf("the server refuses the request, with FastCGI's protocol status %d", e.records.Status)
			}
			return nil
		}
	}
}

// ended deals with the connection's end: what has come may be all of the answer.
func (e *exchange) ended(why error) error {
	err := e.answer.Ended()
	switch {
	case err == nil && e.records != nil && !e.records.Ended:
		return errors.New("the answer is cut: its last record is missing")
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
