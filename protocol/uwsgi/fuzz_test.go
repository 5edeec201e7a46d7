package uwsgi

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/cgi/cgitest"
)

// FuzzPacket: what comes out is what was sent, whatever it was, in whatever pieces.
func FuzzPacket(f *testing.F) {
	f.Add([]byte(packet(0, cgitest.Usual...)), 5)
	f.Add([]byte(packet(30, "SCRIPT_NAME=/a", "PATH_INFO=/a/b", "HTTP_X_FORWARDED_FOR=1", "CONTENT_LENGTH=")), 0)
	f.Add([]byte(packet(100)), 1)
	f.Add([]byte(packet(0, "REQUEST_URI=/%4a%zz%Fe", "A=1", "A=2", "HTTP_x=1", "=", "CONTENT_LENGTH=12345678901234567890")), 4)
	f.Add([]byte(packet(22)), 2)
	f.Add([]byte("\x16\x03\x01\x02"), 2)
	f.Add([]byte("PROXY TCP4"), 2)
	f.Add([]byte(header(0, 1)+"x"), 3)
	f.Add([]byte("GET / HTTP/1.1"), 3)
	f.Add([]byte(header(0, 9)+"\x01\x00A\xff\xffbcde"), 3)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		whole := newParser()
		size, err := whole.Parse(bytes.Clone(text))
		if size > len(text) || size > MaxSize || err != nil && size != 0 {
			t.Fatalf("%d bytes of %d, %v", size, len(text), err)
		}
		pieces := newParser()
		n, early := pieces.Parse(bytes.Clone(text[:min(max(cut, 0), len(text))]))
		if n == 0 && early == nil {
			n, early = pieces.Parse(bytes.Clone(text))
		}
		if n != size || fmt.Sprint(early) != fmt.Sprint(err) || size > 0 && !whole.Ping && cgitest.Describe(&pieces.Head) != cgitest.Describe(&whole.Head) {
			t.Fatalf("in pieces: %d, %v instead of %d, %v", n, early, size, err)
		}
		if err != nil {
			cgitest.CheckError(t, err, 400, 501)
		}
		if size > 0 && !whole.Ping {
			cgitest.Compare(t, &whole.Head, text[0] == modifierMounted, sentIn(t, text[HeaderSize:size]))
		}
	})
}

// sentIn is what a packet says, taken apart in another way.
func sentIn(t *testing.T, b []byte) (all []bridge.Field) {
	take := func() []byte {
		n := int(binary.LittleEndian.Uint16(b))
		text := b[2 : 2+n]
		b = b[2+n:]
		return text
	}
	for len(b) > 0 {
		name := take()
		if len(name) == 0 {
			t.Fatal("a name is empty")
		}
		all = append(all, bridge.Field{Name: name, Value: take()})
	}
	return all
}
