package serve

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"
)

// packet makes a uwsgi packet of "NAME=value" texts.
func packet(modifier byte, variables ...string) string {
	var block []byte
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		for _, text := range []string{name, value} {
			block = append(binary.LittleEndian.AppendUint16(block, uint16(len(text))), text...)
		}
	}
	return string(append([]byte{modifier, byte(len(block)), byte(len(block) >> 8), 0}, block...))
}

// What only uwsgi has.
func TestUwsgi(t *testing.T) {
	w := &ways[0]
	l, err := Listen("uwsgi:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := startOn(t, l, 1, demo, allow(t, "uwsgi", "127.0.0.1"))
	for _, each := range []struct {
		name, sends, method string
		status              int
		body                string
	}{
		{"nothing", packet(0), "GET", 404, ""},
		{"more behind it", w.asks("POST", "/hello", "") + strings.Repeat("more", 9999), "POST", 200, "hello"},
		{"two lengths", w.head("CONTENT_LENGTH=1", "CONTENT_LENGTH=2"), "GET", 400, "CONTENT_LENGTH is there twice, with different values\n"},
		{"Perl", packet(5), "GET", 501, "*"},
	} {
		c := s.dial(t)
		c.send(each.sends)
		w.last(c, each.method, each.status, each.body)
	}
	for _, sends := range []string{packet(100), packet(100) + "more"} {
		c := s.dial(t)
		c.send(sends)
		if got, err := io.ReadAll(c); err != nil || string(got) != "d\x00\x00\x01" {
			t.Errorf("got %q, %v", got, err)
		}
	}
}
