package http1

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// golden compares with a file in testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s says otherwise (-update writes it anew); got:\n%s", name, got)
	}
}

// connection reads requests as a server does, and writes down what it makes of them.
type connection struct {
	parser  Parser
	chunks  Chunked
	buffer  []byte
	left    int64 // of a counted body
	chunked bool  // within a chunked body
	body    []byte
	over    bool // refused
	log     strings.Builder
}

// took lets the connection read what has come, as far as it goes.
func (c *connection) took(b []byte) {
	c.buffer = append(bytes.Clone(c.buffer), b...) // other memory each time
	for !c.over && c.step() {
	}
}

// step reads one thing, and reports false when there must come more.
func (c *connection) step() bool {
	switch {
	case c.chunked:
		return c.chunk()
	case c.left > 0:
		n := min(c.left, int64(len(c.buffer)))
		c.body = append(c.body, c.buffer[:n]...)
		c.buffer, c.left = c.buffer[n:], c.left-n
		if c.left == 0 {
			c.end()
		}
		return n > 0
	}
	n, err := c.parser.Parse(c.buffer)
	if err != nil {
		c.refuse(err)
		return false
	}
	if n == 0 {
		return false
	}
	c.head()
	c.buffer = c.buffer[n:]
	return true
}

func (c *connection) chunk() bool {
	n, data, done, err := c.chunks.Next(c.buffer)
	if err != nil {
		c.refuse(err)
		return false
	}
	c.body = append(c.body, data...)
	c.buffer = c.buffer[n:]
	if done {
		c.chunked = false
		c.end()
	}
	return n > 0 || done
}

func (c *connection) head() {
	p, q := &c.parser, &c.parser.Request
	fmt.Fprintf(&c.log, "method %s\ntarget %s\npath %s\nquery %s\nversion 1.%d\nkeep-alive %v, head %v, expect %v, length %d\n",
		q.Method, q.Target, q.Path, q.Query, q.Minor, p.KeepAlive, p.HeadMethod, q.Expect, q.BodyLength)
	for _, f := range q.Fields {
		fmt.Fprintf(&c.log, "  %s: %s\n", f.Name, f.Value)
	}
	c.left, c.chunked = q.BodyLength, q.BodyLength < 0
	c.chunks.Reset()
	if q.BodyLength == 0 {
		c.end()
	}
}

func (c *connection) end() {
	fmt.Fprintf(&c.log, "body %q\n\n", c.body)
	c.body = c.body[:0]
}

func (c *connection) refuse(err error) {
	c.over = true
	var e *Error
	if !errors.As(err, &e) {
		panic("not an *Error")
	}
	fmt.Fprintf(&c.log, "%d %s\n", e.Status, e.Reason)
}

// transcript is what is made of wire when it comes piece bytes at a time.
func transcript(wire []byte, piece int) string {
	c := connection{parser: Parser{Limits: DefaultLimits()}}
	for at := 0; at < len(wire); at += piece {
		c.took(wire[at:min(at+piece, len(wire))])
	}
	if !c.over && (len(c.buffer) > 0 || c.chunked || c.left > 0) {
		fmt.Fprintf(&c.log, "%d bytes of %q and %d more\n", len(c.body), c.body, len(c.buffer))
	}
	return c.log.String()
}

// What well-known clients and proxies send, and some that are made up, is read as
// testdata says, in whatever pieces it comes.
func TestRequests(t *testing.T) {
	names, err := filepath.Glob("testdata/requests/*.http")
	if err != nil || len(names) == 0 {
		t.Fatal(err, "no requests")
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			wire, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			whole := transcript(wire, len(wire))
			golden(t, strings.TrimSuffix(name, ".http")+".want", whole)
			for piece := 1; piece < min(len(wire), 70); piece++ {
				if cut := transcript(wire, piece); cut != whole {
					t.Fatalf("%d bytes at a time it is\n%sbut whole\n%s", piece, cut, whole)
				}
			}
		})
	}
}

// Each refused thing has its status and a message, which testdata has in one table.
func TestRefused(t *testing.T) {
	var table strings.Builder
	add := func(name string, err error) {
		var e *Error
		if errors.As(err, &e) {
			fmt.Fprintf(&table, "%d  %s: %s\n", e.Status, name, e.Reason)
		}
	}
	for _, c := range headCases {
		p := Parser{Limits: DefaultLimits()}
		_, err := p.Parse([]byte(c.wire))
		add(c.name, err)
	}
	for _, c := range chunkedCases {
		var d Chunked
		_, _, _, err := decode(&d, []byte(c.wire), len(c.wire))
		add("chunked body, "+c.name, err)
	}
	golden(t, "testdata/refused.txt", table.String())
}

// What one unusual request needed does not stay with its parser, nor does what it points into.
func TestForgetKeepsLittle(t *testing.T) {
	for name, drop := range map[string]func(*Parser){"Forget": (*Parser).Forget, "Reset": (*Parser).Reset} {
		p := Parser{}
		head := "GET http://x/ HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 9000) + "\r\n"
		if n, err := p.Parse([]byte(head)); n != len(head) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		drop(&p)
		if f, e := cap(p.Request.Fields), cap(p.ends); f > keepFields || e > keepFields {
			t.Errorf("%s: room for %d fields and %d lines is kept", name, f, e)
		}
		if !reflect.DeepEqual(p.seen, fieldsSeen{}) || p.Request.Method != nil || p.Request.Target != nil {
			t.Errorf("%s: %+v, %+v are kept", name, p.seen, p.Request)
		}
	}
}
