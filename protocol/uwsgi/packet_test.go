package uwsgi

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"gobridge/protocol/cgi/cgitest"
)

// packet makes a packet of "NAME=value" texts.
func packet(modifier byte, variables ...string) string {
	var block []byte
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		block = append(sized(block, name), sized(nil, value)...)
	}
	return header(modifier, len(block)) + string(block)
}

func sized(dst []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint16(dst, uint16(len(text))), text...)
}

func header(modifier byte, size int) string {
	return string([]byte{modifier, byte(size), byte(size >> 8), 0})
}

func newParser() *Parser {
	p := NewParser()
	p.Local = &cgitest.Local
	return p
}

// parse parses a copy, for the parser changes what it is given.
func parse(text string) (*Parser, int, error) {
	p := newParser()
	n, err := p.Parse([]byte(text))
	return p, n, err
}

func TestPacket(t *testing.T) {
	text := packet(0, cgitest.Usual...)
	p, n, err := parse(text + "abc")
	if err != nil || n != len(text) || cgitest.Describe(&p.Head) != cgitest.UsualRequest {
		t.Fatalf("%d of %d bytes, %v:\n%s, want\n%s", n, len(text), err, cgitest.Describe(&p.Head), cgitest.UsualRequest)
	}
	if !p.Forwarded || p.HeadMethod || p.WantsJSON || p.Sparse || p.NamesCode || p.Reserved || p.ClientUnix || p.Client != netip.MustParseAddr("192.0.2.7") {
		t.Fatalf("what is said of the request: %+v", p)
	}
}

// The second modifier says nothing to who serves Python, and an empty value may be the last thing there is.
func TestSecondModifier(t *testing.T) {
	for _, modifier := range []string{"\x00", "\x1e"} {
		text := modifier + "\x09\x00\x07" + "\x05\x00EMPTY\x00\x00"
		p, n, err := parse(text)
		if err != nil || n != len(text) || len(p.Request.Gateway.Variables) != 1 || len(p.Request.Gateway.Variables[0].Value) != 0 {
			t.Errorf("%q: %d, %v, %s", text, n, err, cgitest.Describe(&p.Head))
		}
	}
}

// However it comes, a packet is taken when its last byte is there, and not before; so is what
// is wrong with it.
func TestPacketInPieces(t *testing.T) {
	for _, text := range []string{packet(0, cgitest.Usual...), packet(100), packet(0), packet(0, "REQUEST_METHOD=G T")} {
		cgitest.CheckPieces(t, text, "more", func() func([]byte) (int, error) { return newParser().Parse })
	}
}

// One parser is used for one request after the other, and of none anything stays.
func TestPacketsInTurn(t *testing.T) {
	used := newParser()
	for _, variables := range [][]string{cgitest.Usual, {}, {"HTTP_ACCEPT=application/json", "REMOTE_ADDR=unix:", "UWSGI_FILE=/x", "wsgi.x=1"}, cgitest.Usual, {"REMOTE_ADDR=192.0.2.7"}} {
		text := packet(0, variables...)
		fresh, _, _ := parse(text)
		if n, err := used.Parse([]byte(text)); n != len(text) || err != nil || cgitest.Describe(&used.Head) != cgitest.Describe(&fresh.Head) {
			t.Fatalf("%v: %v\n%s, want\n%s", variables, err, cgitest.Describe(&used.Head), cgitest.Describe(&fresh.Head))
		}
		if got, want := cgitest.Remarks(&used.Head), cgitest.Remarks(&fresh.Head); got != want {
			t.Fatalf("%v: %s, want %s", variables, got, want)
		}
	}
}

func TestPing(t *testing.T) {
	for _, text := range []string{packet(100), packet(100, "A=b"), header(100, 3) + "xyz"} {
		p, n, err := parse(text + "behind")
		if err != nil || n != len(text) || !p.Ping {
			t.Errorf("%q: %d, %v, %+v", text, n, err, p)
		}
	}
	if string(Pong) != "d\x00\x00\x01" {
		t.Errorf("the answer is %q", Pong)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name, text string
		status     int
		want       string
	}{
		{"GET", "GET / HTTP/1.1\r\n\r\n", 400, "this is HTTP"},
		{"POST", "POST /", 400, "this is HTTP"},
		{"HTTP/2", "PRI * HTTP/2.0", 400, "this is HTTP"},
		{"TLS", "\x16\x03\x01\x02\x00\x01", 400, "this is TLS"},
		{"PROXY v1", "PROXY TCP4 ", 400, "PROXY protocol"},
		{"PROXY v2", "\r\n\r\n\x00\r\nQUIT\n", 400, "PROXY protocol"},
		{"Perl", packet(5), 501, "modifier is 5 (Perl)"},
		{"a spooler", packet(17), 501, "modifier is 17 (a spooler's task)"},
		{"code", packet(22), 501, "modifier is 22 (code to run)"},
		{"the cache", packet(111), 501, "modifier is 111 (a cache)"},
		{"a remote call", packet(173), 501, "modifier is 173 (a remote call)"},
		{"nobody's", packet(255), 501, "modifier is 255 (an unknown purpose)"},
		{"an empty name", packet(0, "A=b", "=b"), 400, "variable 2 of the uwsgi packet has an empty name"},
		{"one byte", header(0, 1) + "x", 400, "the name of variable 1: its size is missing"},
		{"one byte behind", header(0, 7) + "\x01\x00A\x01\x00bx", 400, "the name of variable 2: its size is missing"},
		{"two bytes behind", header(0, 8) + "\x01\x00A\x01\x00bxx", 400, "the name of variable 2 is 30840 bytes long, and the uwsgi packet has only 0 left"},
		{"a name too long", header(0, 3) + "\x02\x00A", 400, "the name of variable 1 is 2 bytes long, and the uwsgi packet has only 1 left"},
		{"no value", header(0, 3) + "\x01\x00A", 400, "the value of variable 1: its size is missing"},
		{"half a size", header(0, 4) + "\x01\x00A\x01", 400, "the value of variable 1: its size is missing"},
		{"a value too long", header(0, 6) + "\x01\x00A\x02\x00b", 400, "the value of variable 1 is 2 bytes long, and the uwsgi packet has only 1 left"},
		{"a value beyond the packet", header(0, 5) + "\x01\x00A\x02\x00bb", 400, "has only 0 left"},
		{"a method", packet(0, "REQUEST_METHOD=G T"), 400, "REQUEST_METHOD in the uwsgi packet is no method"},
		{"a length", packet(0, "CONTENT_LENGTH=3abc"), 400, "CONTENT_LENGTH in the uwsgi packet is not a number"},
		{"a negative length", packet(0, "CONTENT_LENGTH=-1"), 400, "is not a number"},
		{"a signed length", packet(0, "CONTENT_LENGTH=+1"), 400, "is not a number"},
		{"a spaced length", packet(0, "CONTENT_LENGTH= 1"), 400, "is not a number"},
		{"a huge length", packet(0, "CONTENT_LENGTH=1000000000000000000"), 400, "has 19 digits or more"},
		{"two lengths", packet(0, "CONTENT_LENGTH=3", "CONTENT_LENGTH=4"), 400, "CONTENT_LENGTH is there twice"},
		{"a line end", packet(0, "REQUEST_URI=/a\nb"), 400, "REQUEST_URI in the uwsgi packet has the byte 0x0a at its place 3"},
		{"a space", packet(0, "REQUEST_URI=/a b"), 400, "has the byte 0x20"},
	} {
		_, n, err := parse(c.text)
		cgitest.CheckRefused(t, c.name, n, err, c.status, c.want)
	}
}

// A packet is taken whole up to the last size that its header can say.
func TestLargestPackets(t *testing.T) {
	one := packet(0, "X="+strings.Repeat("v", 65535-5))
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("SITE_%04d=%d", i, i))
	}
	many = append(many, many...) // of each name the last
	var fields []string
	for i := range 1000 {
		fields = append(fields, fmt.Sprintf("HTTP_X_%04d=%d", i, i))
	}
	for _, text := range []string{one, packet(0, many...), packet(0, fields...), packet(0, strings.Repeat("n", 65535-4)+"=")} {
		p, n, err := parse(text)
		if err != nil || n != len(text) {
			t.Fatalf("a packet of %d bytes: %d, %v", len(text), n, err)
		}
		if g := p.Request.Gateway; len(text) == MaxSize && len(g.Variables) != 1 || len(text) < MaxSize && len(g.Variables)+len(p.Request.Fields) != 1000 {
			t.Fatalf("%d variables and %d fields", len(g.Variables), len(p.Request.Fields))
		}
	}
}
