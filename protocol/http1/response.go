package http1

import (
	"bytes"
	"strconv"

	"gobridge/bridge"
)

// Framing is how a response's body is delimited (RFC 9112 section 6).
type Framing int

// The ways in which a client knows where a body ends.
const (
	Empty      Framing = iota // there is no body
	Counted                   // by its Content-Length
	Chunks                    // by the last chunk
	UntilClose                // by the end of the connection
	Carried                   // by the protocol that carries the answer (FastCGI)
)

// Continue asks for the body of a request with Expect: 100-continue.
const Continue = "HTTP/1.1 100 Continue\r\n\r\n"

// lastChunk stands behind the last byte of a chunked body, and before the trailers.
const lastChunk = "0\r\n"

// Response says what a response's head depends on besides the application's.
type Response struct {
	Minor     int    // of the request's version
	NoBody    bool   // the request's method was HEAD
	KeepAlive bool   // the connection may be used again, as far as the front is concerned
	Date      []byte // for the field Date, unless the application set it
	Server    string // likewise; empty: no such field
	Extra     []Extra
	Alone     bool // a web server gets it, which knows by itself where it ends (uwsgi, SCGI, FastCGI): neither chunks nor a field say so
	Carried   bool // and not by the end of the connection
	CGI       bool // it has a field Status in place of a line (RFC 3875 section 6.3.3)
}

// AppendHead adds the response's head to dst. It returns how the body is framed, and
// whether the connection must be closed behind it.
func AppendHead(dst []byte, h *bridge.ResponseHead, r *Response) (out []byte, f Framing, closes bool) {
	f = framing(h, r)
	closes = !r.KeepAlive || f == UntilClose || h.Close && !r.Alone // a web server's connection is not the client's
	if !r.CGI {
		dst = appendStatusLine(dst, h)
	}
	if counted := h.Status == 204 && h.BodyLength >= 0; counted || r.CGI {
		dst = appendSome(dst, h.Lines, counted, r.CGI)
	} else {
		dst = append(dst, h.Lines...)
	}
	dst = appendOwn(dst, h, r)
	if r.CGI { // behind Location, for which HAProxy would say 302 whatever stands before it
		dst = appendStatus(append(dst, "Status: "...), h)
	}
	if f == Chunks {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case r.Alone:
	case closes:
		dst = append(dst, "Connection: close\r\n"...)
	case r.Minor == 0:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, "\r\n"...), f, closes
}

// appendOwn adds what the server says of itself in every answer, where the application has not.
func appendOwn(dst []byte, h *bridge.ResponseHead, r *Response) []byte {
	if !h.HasDate && len(r.Date) > 0 {
		dst = append(append(append(dst, "Date: "...), r.Date...), "\r\n"...)
	}
	if !h.HasServer && r.Server != "" {
		dst = append(append(append(dst, "Server: "...), r.Server...), "\r\n"...)
	}
	if len(r.Extra) > 0 {
		dst = appendExtra(dst, h.Lines, r.Extra)
	}
	return dst
}

// AppendHints adds early hints to dst (RFC 8297).
func AppendHints(dst []byte, h *bridge.ResponseHead) []byte {
	return append(append(append(dst, "HTTP/1.1 103 Early Hints\r\n"...), h.Lines...), "\r\n"...)
}

func framing(h *bridge.ResponseHead, r *Response) Framing {
	switch {
	case r.NoBody || h.Status == 204 || h.Status == 304:
		return Empty
	case h.BodyLength >= 0:
		return Counted
	case r.Carried:
		return Carried
	case r.Minor == 1 && !r.Alone:
		return Chunks
	}
	return UntilClose
}

func appendStatusLine(dst []byte, h *bridge.ResponseHead) []byte {
	if h.Status == 200 && (len(h.Reason) == 0 || string(h.Reason) == "OK") {
		return append(dst, "HTTP/1.1 200 OK\r\n"...)
	}
	return appendStatus(append(dst, "HTTP/1.1 "...), h)
}

// appendStatus adds the status with its reason, and the line's end.
func appendStatus(dst []byte, h *bridge.ResponseHead) []byte {
	dst = strconv.AppendInt(dst, int64(h.Status), 10)
	dst = append(dst, ' ')
	if len(h.Reason) > 0 {
		dst = append(dst, h.Reason...)
	} else {
		dst = append(dst, Reason(h.Status)...)
	}
	return append(dst, "\r\n"...)
}

// appendSome leaves out Content-Length, which 204 must not have (RFC 9110 section 8.6), or a field
// Status, which would be taken for the answer's own, or both.
func appendSome(dst, lines []byte, noLength, noStatus bool) []byte {
	for line := range bytes.Lines(lines) {
		name, _, _ := bytes.Cut(line, colon)
		if !(noLength && bridge.EqualFold(name, "content-length") || noStatus && bridge.EqualFold(name, "status")) {
			dst = append(dst, line...)
		}
	}
	return dst
}

var colon = []byte(":")

// AppendLast adds the end of a chunked body, with the lines of its trailers, if it has any
// (RFC 9112 section 7.1.2).
func AppendLast(dst, trailers []byte) []byte {
	return append(append(append(dst, lastChunk...), trailers...), "\r\n"...)
}

// AppendChunkSize adds the line before a chunk of n bytes, which CR LF must follow.
func AppendChunkSize(dst []byte, n int) []byte {
	return append(strconv.AppendUint(dst, uint64(n), 16), "\r\n"...)
}
