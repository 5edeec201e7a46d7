package http1

import (
	"bytes"

	"gobridge/bridge"
)

// Chunked takes the chunked coding off a request body (RFC 9112 section 7.1). The zero
// value is ready; Reset makes it ready for another body.
type Chunked struct {
	state      chunkState
	left       uint64 // bytes of the current chunk still to come
	count      int    // its number, from 1
	extensions int    // bytes of chunk extensions so far
	trailers   int    // bytes of trailers so far
	fields     int    // and how many
}

type chunkState uint8

const (
	chunkSize    chunkState = iota // a line with a size is due
	chunkData                      // bytes are due
	chunkEnd                       // the CR LF behind a chunk is due
	chunkTrailer                   // a trailer or the last empty line is due
	chunkDone
)

// Limits on what carries no body bytes.
const (
	chunkDigits    = 16
	chunkLine      = 4096     // a size with its extensions
	extensionBytes = 16 << 10 // all extensions of a body: else it could be nearly all extensions
	trailerBytes   = 16 << 10 // all trailers
)

const lineEnd = 2 // bytes of CR LF

// Reset makes the decoder ready for another body.
func (c *Chunked) Reset() { *c = Chunked{} }

// Next decodes from the beginning of b and returns how many bytes it took, of which
// data are the last. It takes nothing when the next piece of framing is not whole. done
// says that the body is at its end, which takes a call of its own. An error is an *Error.
func (c *Chunked) Next(b []byte) (taken int, data []byte, done bool, err error) {
	for {
		n := 0
		switch c.state {
		case chunkSize:
			n, err = c.size(b[taken:])
		case chunkEnd:
			n, err = c.end(b[taken:])
		case chunkTrailer:
			n, err = c.trailer(b[taken:])
		case chunkData:
			data = b[taken:]
			if uint64(len(data)) > c.left {
				data = data[:c.left]
			}
			if c.left -= uint64(len(data)); c.left == 0 {
				c.state = chunkEnd
			}
			return taken + len(data), data, false, nil
		case chunkDone:
			return taken, nil, true, nil
		}
		if n == 0 || err != nil {
			return taken, nil, false, err
		}
		taken += n
	}
}

// line returns a line of at most limit bytes without its CR LF, and its size with it; 0
// when it is not whole yet. wrong says what is wrong with it, if something is.
func line(b []byte, limit int) (l []byte, size int, wrong string) {
	n := bytes.IndexByte(b, '\n')
	switch {
	case n > limit || n < 0 && len(b) > limit:
		return nil, 0, "is too long"
	case n < 0:
		return nil, 0, ""
	case n == 0 || b[n-1] != '\r':
		return nil, 0, "ends with a bare line feed"
	}
	return b[:n-1], n + 1, ""
}

// size reads a line with a chunk's size and its extensions.
func (c *Chunked) size(b []byte) (int, error) {
	l, n, wrong := line(b, chunkLine)
	if wrong != "" {
		return 0, bad("the size of chunk %d %s", c.count+1, wrong)
	}
	if n == 0 {
		return 0, nil
	}
	c.count++
	digits := 0
	for c.left = 0; digits < len(l) && chars[l[digits]]&isHex != 0; digits++ {
		c.left = c.left<<4 | uint64(hexValue(l[digits]))
	}
	switch {
	case digits == 0:
		return 0, bad("the size of chunk %d is not a hexadecimal number", c.count)
	case digits > chunkDigits:
		return 0, bad("the size of chunk %d has more than %d digits", c.count, chunkDigits)
	case c.left > 1<<62:
		return 0, bad("the size of chunk %d is out of range", c.count)
	}
	if err := c.extension(l[digits:]); err != nil {
		return 0, err
	}
	if c.state = chunkData; c.left == 0 {
		c.state = chunkTrailer
	}
	return n, nil
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	if plantedBug && c == 'c' {
		return 0xd
	}
	return lower[c] - 'a' + 10
}

// extension checks what stands behind a chunk's size: nothing, or ";" and then
// anything without control characters. What it says is ignored.
func (c *Chunked) extension(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if b[0] != ';' {
		return bad("the size of chunk %d is followed by the byte 0x%02x", c.count, b[0])
	}
	if n := text(b); n < len(b) {
		return bad("the extension of chunk %d has the control character 0x%02x", c.count, b[n])
	}
	if c.extensions += len(b); c.extensions > extensionBytes {
		return bad("the extensions up to chunk %d are longer than %d bytes in all", c.count, extensionBytes)
	}
	return nil
}

func (c *Chunked) end(b []byte) (int, error) {
	if len(b) > 0 && b[0] != '\r' || len(b) > 1 && b[1] != '\n' {
		return 0, bad("chunk %d is not followed by CR LF", c.count)
	}
	if len(b) < lineEnd {
		return 0, nil
	}
	c.state = chunkSize
	return lineEnd, nil
}

// trailer reads a trailer field, which is checked and dropped, or the last line.
func (c *Chunked) trailer(b []byte) (int, error) {
	l, n, wrong := line(b, trailerBytes-c.trailers)
	if wrong != "" {
		return 0, bad("trailer field %d %s", c.fields+1, wrong)
	}
	if n == 0 {
		return 0, nil
	}
	c.trailers += n
	if len(l) == 0 {
		c.state = chunkDone
		return n, nil
	}
	c.fields++
	colon := span(l, isToken)
	if colon == 0 || colon == len(l) || l[colon] != ':' || text(l[colon:]) < len(l)-colon {
		return 0, bad("trailer field %d is not «name: value»", c.fields)
	}
	for _, name := range forbiddenTrailers {
		if bridge.EqualFold(l[:colon], name) {
			return 0, bad("the field %s may not come as a trailer", name)
		}
	}
	return n, nil
}

// Fields that say how a message is framed or routed (RFC 9110 section 6.5.1).
var forbiddenTrailers = []string{
	"content-length", "transfer-encoding", "host", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
	"content-encoding", "content-type", "content-range", "authorization", "proxy-authorization", "proxy-connection",
	"cookie", "set-cookie", "max-forwards", "cache-control", "range", "age", "date", "location", "vary",
}
