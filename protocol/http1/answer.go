package http1

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"gobridge/bridge"
)

// Answer takes apart what a server answers to a request: for clients. It takes what servers
// send, and so is less strict than Parser: a line may end without CR, as in CGI's answers. The
// zero value is ready; NoBody and Gateway are set before the first byte.
type Answer struct {
	NoBody  bool // the request's method was HEAD
	Gateway bool // it comes by the protocol of a web server, and may begin without a status line (RFC 3875 section 6.2)

	// What Next found, when it returned a head.
	Status int
	Reason string
	Fields []bridge.Field
	Text   []byte // the head as it came; it points into the bytes given

	state   answerState
	seen    int   // bytes of the head that have come
	scanned int   // those in whole lines
	left    int64 // of a counted body
	length  int64 // of it
	came    int64 // bytes of the body
	chunks  Chunked
}

// Part is what a piece of an answer is.
type Part int

// The parts of an answer.
const (
	PartNone Part = iota // there must come more
	PartHead             // a head: also of interim answers (1xx), which another one follows
	PartBody             // a piece of the body, or, behind 101, of what comes by another protocol
	PartEnd              // the answer is whole
)

type answerState uint8

const (
	inHead answerState = iota
	inCounted
	inChunks
	untilClose
	atEnd
)

// MaxAnswerHead is the longest head that Answer takes.
const MaxAnswerHead = 1 << 20

// Next takes the next part of the answer from the beginning of b. It returns how many bytes that
// took, and those of the body among them.
func (a *Answer) Next(b []byte) (taken int, part Part, data []byte, err error) {
	switch a.state {
	case inHead:
		taken, err = a.head(b)
		if taken > 0 {
			part = PartHead
		}
		return taken, part, nil, err
	case inChunks:
		taken, data, done, err := a.chunks.Next(b)
		if err != nil {
			return taken, PartNone, nil, fmt.Errorf("the answer's body makes no sense: %w", err)
		}
		a.came += int64(len(data))
		switch {
		case done:
			a.state, part = atEnd, PartEnd
		case len(data) > 0:
			part = PartBody
		}
		return taken, part, data, nil
	case inCounted:
		if a.left == 0 {
			a.state = atEnd
			return 0, PartEnd, nil, nil
		}
		b = b[:min(int64(len(b)), a.left)]
		a.left -= int64(len(b))
	case atEnd:
		return 0, PartEnd, nil, nil
	}
	if a.came += int64(len(b)); len(b) > 0 {
		part = PartBody
	}
	return len(b), part, b, nil
}

// Ended is told that nothing more comes. An error says what is missing.
func (a *Answer) Ended() error {
	switch a.state {
	case inHead:
		if a.seen == 0 {
			return ErrNoAnswer
		}
		return fmt.Errorf("the answer ends amid its head, after %d bytes", a.seen)
	case inCounted:
		if a.left > 0 {
			return fmt.Errorf("the answer is cut: its body has %d of %d bytes", a.came, a.length)
		}
	case inChunks:
		return fmt.Errorf("the answer is cut: its body, of which %d bytes have come, has no last chunk", a.came)
	}
	return nil
}

// ErrNoAnswer says that not one byte came.
var ErrNoAnswer = errors.New("the connection was closed without an answer")

// head looks for a whole head, and takes it apart. It returns its size; 0: there must come more.
func (a *Answer) head(b []byte) (size int, err error) {
	if a.seen = len(b); !a.begins(b) {
		return 0, fmt.Errorf("the answer is no HTTP/1: it begins with %q", b[:min(len(b), 16)])
	}
	for {
		n := bytes.IndexByte(b[a.scanned:], '\n')
		if n < 0 || a.scanned+n >= MaxAnswerHead {
			break
		}
		line := bytes.TrimSuffix(b[a.scanned:a.scanned+n], []byte("\r"))
		a.scanned += n + 1
		if len(line) == 0 {
			size, a.scanned, a.seen = a.scanned, 0, 0
			a.Text = b[:size]
			return size, a.take(a.Text)
		}
	}
	if len(b) > MaxAnswerHead {
		return 0, fmt.Errorf("the answer's head is longer than %d bytes", MaxAnswerHead)
	}
	return 0, nil
}

// begins says whether an answer may begin so.
func (a *Answer) begins(b []byte) bool {
	const version = "HTTP/1."
	n := min(len(b), len(version))
	return string(b[:n]) == version[:n] || a.Gateway && chars[b[0]]&isToken != 0
}

// take takes a whole head apart.
func (a *Answer) take(text []byte) error {
	a.Status, a.Reason, a.Fields = 0, "", nil
	for i := 0; len(text) > 0; i++ {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		switch {
		case len(line) == 0:
		case i == 0 && bytes.HasPrefix(line, []byte("HTTP/1.")):
			if err := a.statusLine(line); err != nil {
				return err
			}
		default:
			name, value, ok := bytes.Cut(line, colon)
			if !ok || !IsToken(name) {
				return fmt.Errorf("line %d of the answer's head is no header field: %.60q", i+1, line)
			}
			a.Fields = append(a.Fields, bridge.Field{Name: name, Value: trim(value)})
		}
	}
	if a.Status == 0 {
		if err := a.gatewayStatus(); err != nil {
			return err
		}
	}
	return a.frame()
}

// statusLine reads "HTTP/1.1 200 OK" (RFC 9112 section 4).
func (a *Answer) statusLine(line []byte) error {
	_, rest, _ := bytes.Cut(line, []byte(" "))
	return a.status(rest)
}

// gatewayStatus reads the field Status, which is 200 if it is missing, or 302 with a Location
// (RFC 3875 section 6.3).
func (a *Answer) gatewayStatus() error {
	switch status, ok := a.field("status"); {
	case ok:
		return a.status(status)
	case len(a.Fields) == 0:
		return fmt.Errorf("the answer has neither a status nor a header field")
	}
	if a.Status, a.Reason = 200, "OK"; a.has("location") {
		a.Status, a.Reason = 302, "Found"
	}
	return nil
}

func (a *Answer) status(text []byte) error {
	code, reason, _ := bytes.Cut(text, []byte(" "))
	n, err := strconv.Atoi(string(code))
	if len(code) != 3 || err != nil || n < 100 {
		return fmt.Errorf("the answer's status is no number of three digits: %.60q", text)
	}
	a.Status, a.Reason = n, string(reason)
	return nil
}

func (a *Answer) has(name string) bool {
	_, ok := a.field(name)
	return ok
}

// field is the value of the first field of that name, which is in lower case.
func (a *Answer) field(name string) (value []byte, ok bool) {
	for _, f := range a.Fields {
		if bridge.EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return nil, false
}

// frame says how the body is delimited (RFC 9112 section 6.3).
func (a *Answer) frame() error {
	coding, coded := a.field("transfer-encoding")
	length, counted := a.field("content-length")
	switch {
	case a.Status == 101:
		a.state = untilClose
	case a.Status < 200: // another one follows
	case a.NoBody || a.Status == 204 || a.Status == 304:
		a.state = inCounted
	case coded && !a.Gateway:
		if !bridge.EqualFold(coding, "chunked") {
			return fmt.Errorf("the answer's transfer coding is not known here: %.60q", coding)
		}
		a.state = inChunks
		a.chunks.Reset()
	case counted:
		return a.count(length)
	default:
		a.state = untilClose
	}
	return nil
}

func (a *Answer) count(length []byte) error {
	n, err := strconv.ParseUint(string(length), 10, 63)
	if err != nil {
		return fmt.Errorf("the answer's Content-Length is no number: %.60q", length)
	}
	for _, f := range a.Fields {
		if bridge.EqualFold(f.Name, "content-length") && !bytes.Equal(f.Value, length) {
			return fmt.Errorf("the answer has two Content-Length fields, with different values")
		}
	}
	a.state, a.left, a.length = inCounted, int64(n), int64(n)
	return nil
}
