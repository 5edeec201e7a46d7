package http1

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

var chunkedCases = []struct {
	name, wire, body string // body: what is decoded, when the coding is accepted
	status           int
}{
	{"empty", "0\r\n\r\n", "", 0},
	{"two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 0},
	{"upper and lower digits, zeros", "000A\r\n0123456789\r\n0a\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789", 0},
	{"extension", "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "hello", 0},
	{"trailer", "0\r\nX-Sum: 1\r\n\r\n", "", 0},
	{"no digits", "\r\nhello", "", 400},
	{"plus", "+5\r\nhello\r\n0\r\n\r\n", "", 400},
	{"minus", "-5\r\nhello\r\n0\r\n\r\n", "", 400},
	{"0x", "0x5\r\nhello\r\n0\r\n\r\n", "", 400},
	{"space before", " 5\r\nhello\r\n0\r\n\r\n", "", 400},
	{"space behind", "5 \r\nhello\r\n0\r\n\r\n", "", 400},
	{"space before an extension", "5 ;a\r\nhello\r\n0\r\n\r\n", "", 400},
	{"underscore", "1_0\r\nhello", "", 400},
	{"17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", "", 400},
	{"out of range", "ffffffffffffffff\r\n", "", 400},
	{"bare LF behind the size", "5\nhello\r\n0\r\n\r\n", "", 400},
	{"bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n", "", 400},
	{"CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", "", 400},
	{"NUL in an extension", "5;a\x00\r\nhello\r\n0\r\n\r\n", "", 400},
	{"endless extension", "5;" + strings.Repeat("a", 5000), "", 400},
	{"many extensions", strings.Repeat("1;"+strings.Repeat("a", 4000)+"\r\nx\r\n", 5), "", 400},
	{"quoted CR LF in an extension", "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n", "", 400},
	{"letter that is no digit", "5g\r\nhello\r\n0\r\n\r\n", "", 400},
	{"more than 62 bits", "4000000000000001\r\n", "", 400},
	{"no CR LF behind a chunk", "5\r\nhelloX\r\n0\r\n\r\n", "", 400},
	{"bare LF behind a chunk", "5\r\nhello\n0\r\n\r\n", "", 400},
	{"CR and something behind a chunk", "5\r\nhello\rX0\r\n\r\n", "", 400},
	{"trailer with framing", "0\r\nContent-Length: 5\r\n\r\n", "", 400},
	{"trailer with routing", "0\r\nhost: a\r\n\r\n", "", 400},
	{"trailer with Transfer-Encoding", "0\r\ntransfer-encoding: chunked\r\n\r\n", "", 400},
	{"trailer without a name", "0\r\n: a\r\n\r\n", "", 400},
	{"trailer with a control character", "0\r\nX: a\x00\r\n\r\n", "", 400},
	{"trailer without colon", "0\r\nX\r\n\r\n", "", 400},
	{"trailer with a space before the colon", "0\r\nX : a\r\n\r\n", "", 400},
	{"folded trailer", "0\r\nX: a\r\n b\r\n\r\n", "", 400},
	{"bare LF behind a trailer", "0\r\nX: a\n\r\n", "", 400},
	{"bare LF at the end", "0\r\n\n", "", 400},
	{"endless trailers", "0\r\n" + strings.Repeat("X: "+strings.Repeat("a", 1000)+"\r\n", 20), "", 400},
}

// decode gives wire to a decoder, piece bytes more at a time, as a connection does.
func decode(c *Chunked, wire []byte, piece int) (body []byte, taken int, done bool, err error) {
	for end := min(piece, len(wire)); ; end = min(end+piece, len(wire)) {
		for {
			n, data, over, err := c.Next(wire[taken:end])
			if len(data) > n || !bytes.Equal(data, wire[taken+n-len(data):taken+n]) {
				return nil, 0, false, errors.New("the data are not the last of what was taken")
			}
			body = append(body, data...)
			taken += n
			if err != nil || over {
				return body, taken, over, err
			}
			if n == 0 {
				break
			}
		}
		if end == len(wire) {
			return body, taken, false, nil
		}
	}
}

func TestChunked(t *testing.T) {
	for _, c := range chunkedCases {
		for _, piece := range []int{1 << 20, 1, 3} {
			t.Run(fmt.Sprintf("%s by %d", c.name, piece), func(t *testing.T) {
				var d Chunked
				body, taken, done, err := decode(&d, []byte(c.wire), piece)
				if c.status == 0 {
					if err != nil || !done || taken != len(c.wire) || string(body) != c.body {
						t.Fatalf("%q, %d of %d bytes, done %v, %v", body, taken, len(c.wire), done, err)
					}
					return
				}
				var refused *Error
				if !errors.As(err, &refused) || refused.Status != c.status {
					t.Fatalf("%q, %v; want status %d", body, err, c.status)
				}
			})
		}
	}
}

func TestChunkedStopsAtTheEnd(t *testing.T) {
	var d Chunked
	wire := "1\r\na\r\n0\r\n\r\n"
	_, taken, done, err := decode(&d, []byte(wire+"GET / HTTP/1.1\r\n"), 1<<20)
	if taken != len(wire) || !done || err != nil {
		t.Fatal(taken, done, err)
	}
}
