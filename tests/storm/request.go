package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// request is one request, and what came of it.
type request struct {
	kind  string
	nonce string
	size  int
	slow  bool // the client takes its time, sending or reading
	fresh bool // nothing has been answered on its connection before

	outcome    outcome
	unanswered bool // the connection ended before the first byte of an answer
	detail     string
}

// outcome is what a client saw of its request.
type outcome int

const (
	unsent   outcome = iota // behind a cut answer on the same connection: the client would send it again
	whole                   // 200, and every byte right
	badGate                 // 502
	cut                     // the answer began, and its end was visibly missing
	refused                 // on a new connection, which the server closed as it stopped
	wrong                   // anything else
	outcomes                // how many there are
)

func (o outcome) String() string {
	return [outcomes]string{"unsent", "whole", "502", "cut", "refused", "wrong"}[o]
}

// wire is the request's head.
func (r *request) wire() string {
	method, more := "GET", ""
	if r.kind == "upload" {
		method, more = "POST", fmt.Sprintf("Content-Length: %d\r\n", r.size)
		if r.size%2 == 1 {
			more = "Transfer-Encoding: chunked\r\n"
		}
	}
	return fmt.Sprintf("%s /%s?nonce=%s&size=%d HTTP/1.1\r\nHost: storm\r\n%s\r\n", method, r.kind, r.nonce, r.size, more)
}

// lengthKnown says whether the application tells the answer's length beforehand. Else only
// the last chunk shows that it is whole.
func (r *request) lengthKnown() bool {
	return r.kind != "upload" && r.kind != "stream" && (r.kind != "file" || r.size >= shortestFile)
}

// shortestFile is what a file must have to be sent as one: a pipe's size. A shorter one is
// read, and nobody says its length.
const shortestFile = 64 << 10

// send writes the request, the body in pieces.
func (r *request) send(w io.Writer) error {
	if _, err := io.WriteString(w, r.wire()); err != nil || r.kind != "upload" {
		return err
	}
	chunked := r.size%2 == 1
	body := pattern(r.nonce, r.size)
	for len(body) > 0 {
		piece := body[:min(len(body), 30000)]
		body = body[len(piece):]
		if r.slow {
			time.Sleep(time.Millisecond)
		}
		if chunked {
			piece = fmt.Appendf(nil, "%x\r\n%s\r\n", len(piece), piece)
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	if chunked {
		_, err := io.WriteString(w, "0\r\n\r\n")
		return err
	}
	return nil
}

// pattern is app.py's.
func pattern(nonce string, size int) []byte {
	sum := sha256.Sum256([]byte(nonce))
	piece := []byte(hex.EncodeToString(sum[:]))
	return bytes.Repeat(piece, size/len(piece)+1)[:size]
}

func (r *request) want() []byte {
	switch r.kind {
	case "upload":
		sum := sha256.Sum256(pattern(r.nonce, r.size))
		return fmt.Appendf(nil, "%s %d %x", r.nonce, r.size, sum)
	case "download", "stream", "file":
		return pattern(r.nonce, r.size)
	}
	return []byte(r.nonce)
}

// receive reads the answer and judges it. It reports whether the connection can be used again.
func (r *request) receive(in *bufio.Reader) bool {
	first, err := in.Peek(1)
	if err != nil {
		r.unanswered = true
		return r.judge(wrong, "no answer after %q (on a new connection: %v): %v", first, r.fresh, err)
	}
	response, err := http.ReadResponse(in, nil)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return r.judge(cut, "in the head")
	}
	if err != nil {
		return r.judge(wrong, "the answer is malformed: %v", err)
	}
	defer response.Body.Close()
	body, err := r.read(response.Body)
	switch {
	case response.StatusCode == http.StatusBadGateway && err == nil:
		r.judge(badGate, "")
		return !response.Close
	case response.StatusCode != http.StatusOK:
		return r.judge(wrong, "status %s, %q, %v", response.Status, string(body[max(0, len(body)-200):]), err)
	case response.Header.Get("X-Nonce") != r.nonce:
		return r.judge(wrong, "an answer to another request: nonce %q", response.Header.Get("X-Nonce"))
	case err != nil && strings.Contains(err.Error(), "unexpected EOF"):
		if !bytes.HasPrefix(r.want(), body) {
			return r.judge(wrong, "a cut answer has other bytes")
		}
		return r.judge(cut, "after %d bytes", len(body))
	case err != nil:
		return r.judge(wrong, "after %d bytes: %v", len(body), err)
	case !bytes.Equal(body, r.want()):
		return r.judge(wrong, "other bytes: %d of them instead of %d", len(body), len(r.want()))
	}
	r.judge(whole, "")
	return !response.Close
}

func (r *request) read(body io.Reader) ([]byte, error) {
	if !r.slow {
		return io.ReadAll(body)
	}
	var all []byte
	piece := make([]byte, 20000)
	for {
		n, err := body.Read(piece)
		all = append(all, piece[:n]...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		time.Sleep(time.Millisecond)
	}
}

func (r *request) judge(o outcome, format string, a ...any) bool {
	r.outcome, r.detail = o, fmt.Sprintf(format, a...)
	return false
}
