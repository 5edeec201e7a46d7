package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// frame is a client's frame: first is its first byte. The mask differs from frame to frame.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, bitMask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, bitMask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, bitMask|127), uint64(n))
	}
	mask := [4]byte{first, byte(len(payload)), 0xa5, 0x0f}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

func join(all ...[]byte) []byte { return bytes.Join(all, nil) }

// heard writes down what a receiver comes to: messages joined, with their numbers of pieces left
// out, and the code of the error that ends it.
type heard struct {
	r       *Receiver
	said    []string
	message []byte
	pieces  int // of the last message
	err     error
}

func (h *heard) String() string { return strings.Join(h.said, " ") }

// take gives it b, with so much room for each piece.
func (h *heard) take(b []byte, room int) (left []byte) {
	out := make([]byte, 3000)
	for h.err == nil {
		n, e, err := h.r.Next(b, room, out)
		if n > len(b) || room >= 0 && len(e.Data) > max(room, MaxControl) || room < 0 && (e.Kind == Text || e.Kind == Binary) {
			panic("more than there is")
		}
		b = b[n:]
		h.event(e, err)
		if e.Kind == None {
			break
		}
	}
	return b
}

func (h *heard) event(e Event, err error) {
	if err != nil {
		h.err = err
		broken, ok := errors.AsType[*Error](err)
		if !ok {
			panic(err)
		}
		h.said = append(h.said, fmt.Sprint(broken.Code))
		return
	}
	switch e.Kind {
	case Text, Binary:
		if e.Fresh != (h.pieces == 0) {
			panic("a message begins amid another")
		}
		h.pieces++
		if h.message = append(h.message, e.Data...); e.Last {
			h.said = append(h.said, fmt.Sprintf("%s=%s", map[Kind]string{Text: "text", Binary: "binary"}[e.Kind], short(h.message)))
			h.message, h.pieces = nil, 0
		}
	case Ping:
		h.said = append(h.said, fmt.Sprintf("ping=%s", short(e.Data)))
	case Pong:
		h.said = append(h.said, fmt.Sprintf("pong=%s", short(e.Data)))
	case Close:
		h.said = append(h.said, fmt.Sprintf("close=%d,%s", e.Code, short(e.Data)))
	}
}

func short(b []byte) string {
	if len(b) > 40 {
		return fmt.Sprintf("%d:%x", len(b), b[:4])
	}
	return string(b)
}

// hear has a new receiver take everything, in pieces of a size.
func hear(in []byte, limit int64, settled Deflate, cut, room int) *heard {
	h := &heard{r: &Receiver{Limit: limit, Inflaters: new(Inflaters)}}
	h.r.Settle(&settled)
	defer h.r.Close()
	in = bytes.Clone(in) // it is unmasked in place
	for len(in) > 0 && h.err == nil {
		n := min(cut, len(in))
		if left := h.take(in[:n], room); h.err == nil && len(left) > 0 {
			panic("bytes are left although there is room")
		}
		in = in[n:]
	}
	return h
}

// received is what clients send, and what is heard of it. Its subjects are those of the
// Autobahn test suite: framing, pings, reserved bits, opcodes, fragmentation, UTF-8, close.
var received = []struct {
	name string
	in   []byte
	want string
}{
	{"a text", frame(0x81, "hello"), "text=hello"},
	{"an empty text", frame(0x81, ""), "text="},
	{"an empty binary message", frame(0x82, ""), "binary="},
	{"a length of 125", frame(0x81, strings.Repeat("*", 125)), "text=125:2a2a2a2a"},
	{"126", frame(0x82, strings.Repeat("\xfe", 126)), "binary=126:fefefefe"},
	{"65535", frame(0x82, strings.Repeat("\xfe", 65535)), "binary=65535:fefefefe"},
	{"65536", frame(0x82, strings.Repeat("\xfe", 65536)), "binary=65536:fefefefe"},
	{"two messages", join(frame(0x81, "a"), frame(0x82, "b")), "text=a binary=b"},

	{"a ping", frame(0x89, "what"), "ping=what"},
	{"an empty ping", frame(0x89, ""), "ping="},
	{"a ping of 125 bytes", frame(0x89, strings.Repeat("\xfe", 125)), "ping=125:fefefefe"},
	{"a ping of 126 bytes", frame(0x89, strings.Repeat("\xfe", 126)), "1002"},
	{"a pong that nobody asked for", frame(0x8a, "so"), "pong=so"},
	{"ten pings", bytes.Repeat(frame(0x89, "p"), 10), strings.TrimSpace(strings.Repeat("ping=p ", 10))},

	{"reserved bit 1", join(frame(0x81, "a"), frame(0xc1, "b"), frame(0x89, "")), "text=a 1002"},
	{"reserved bit 2", frame(0xa1, "a"), "1002"},
	{"reserved bit 3", frame(0x91, "a"), "1002"},
	{"reserved bits of a ping", frame(0xf9, "a"), "1002"},
	{"a reserved bit of a close", frame(0xc8, "a"), "1002"},
	{"opcode 3", frame(0x83, ""), "1002"},
	{"opcode 7", frame(0x87, "a"), "1002"},
	{"opcode 11", frame(0x8b, ""), "1002"},
	{"opcode 15", frame(0x8f, "a"), "1002"},
	{"no mask", []byte{0x81, 1, 'a'}, "1002"},

	{"two fragments", join(frame(0x01, "fra"), frame(0x80, "gment")), "text=fragment"},
	{"a ping amid fragments", join(frame(0x01, "fra"), frame(0x89, "p"), frame(0x80, "gment")), "ping=p text=fragment"},
	{"empty fragments", join(frame(0x01, ""), frame(0x00, ""), frame(0x80, "")), "text="},
	{"a fragmented ping", join(frame(0x09, "a"), frame(0x80, "b")), "1002"},
	{"nothing to continue", frame(0x80, "a"), "1002"},
	{"nothing to continue, not the last", frame(0x00, "a"), "1002"},
	{"a text amid a text", join(frame(0x01, "a"), frame(0x81, "b")), "1002"},
	{"continued behind the last", join(frame(0x01, "a"), frame(0x80, "b"), frame(0x80, "c")), "text=ab 1002"},
	{"a binary message continued as text", join(frame(0x02, "a"), frame(0x01, "b")), "1002"},

	{"a length of two bytes that fits into seven bits", []byte{0x82, 0x80 | 126, 0, 125, 0, 0, 0, 0}, "1002"},
	{"a length of eight bytes that fits into two", []byte{0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}, "1002"},
	{"a length of 64 bits", []byte{0x82, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "1002"},

	{"UTF-8", frame(0x81, "κόσμε €😀"), "text=κόσμε €😀"},
	{"UTF-8 cut by fragments", join(frame(0x01, "\xf0\x9f"), frame(0x00, "\x98"), frame(0x80, "\x80")), "text=😀"},
	{"no UTF-8", frame(0x81, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"), "1007"},
	{"no UTF-8 as soon as it is known", frame(0x01, "\xf4\x90"), "1007"},
	{"a character that is too long", frame(0x81, "\xf8\x88\x80\x80\x80"), "1007"},
	{"an overlong form", frame(0x81, "\xc0\xaf"), "1007"},
	{"a cut character at the end", join(frame(0x01, "a\xe2\x82"), frame(0x80, "")), "1007"},
	{"a continuation byte alone", frame(0x81, "\x80"), "1007"},
	{"no UTF-8 in a binary message", frame(0x82, "\xff"), "binary=\xff"},

	{"an empty close", frame(0x88, ""), "close=1005,"},
	{"a close", frame(0x88, "\x03\xe8bye"), "close=1000,bye"},
	{"a close with the longest reason", frame(0x88, "\x03\xe8"+strings.Repeat("*", 123)), "close=1000,123:2a2a2a2a"},
	{"half a code", frame(0x88, "\x03"), "1002"},
	{"a reason that is no UTF-8", frame(0x88, "\x03\xe8\xff"), "1007"},
	{"a close of 126 bytes", frame(0x88, "\x03\xe8"+strings.Repeat("*", 124)), "1002"},
}

func TestReceived(t *testing.T) {
	for _, c := range received {
		for _, cut := range []int{1, 3, 7, 1 << 20} {
			for _, room := range []int{1, 5, 1 << 20} {
				if len(c.in) > 1000 && cut*room < 21 {
					continue
				}
				if got := hear(c.in, 0, Deflate{}, cut, room).String(); got != c.want {
					t.Errorf("%s in pieces of %d, with room for %d: %s, want %s", c.name, cut, room, got, c.want)
				}
			}
		}
	}
}

// Behind a breach nothing has a meaning, whatever it is.
func TestABreachIsTheEnd(t *testing.T) {
	for _, c := range received {
		h := &heard{r: &Receiver{Inflaters: new(Inflaters)}}
		h.take(bytes.Clone(c.in), 100)
		if h.err == nil {
			continue
		}
		for range 300 {
			if n, e, err := h.r.Next([]byte{0x89}, 100, nil); n != 0 || e.Kind != None || err != h.err {
				t.Fatalf("%s: %d bytes, %v and %v behind it", c.name, n, e, err)
			}
		}
	}
}

func TestCloseCodes(t *testing.T) {
	for code := range 6000 {
		want := fmt.Sprintf("close=%d,", code)
		switch {
		case code < 1000, code > 1003 && code < 1007, code > 1014 && code < 3000, code > 4999:
			want = "1002"
		}
		if got := hear(frame(0x88, string([]byte{byte(code >> 8), byte(code)})), 0, Deflate{}, 100, 100).String(); got != want {
			t.Errorf("the code %d: %s, want %s", code, got, want)
		}
		if ValidCode(code) != (want != "1002") {
			t.Errorf("the code %d is valid: %v", code, ValidCode(code))
		}
	}
}

func TestMessageLimit(t *testing.T) {
	eight := join(frame(0x01, "1234"), frame(0x80, "5678"))
	for _, c := range []struct {
		in   []byte
		want string
	}{
		{join(eight, frame(0x82, "12345678")), "text=12345678 binary=12345678"},
		{frame(0x81, "123456789"), "1009"},
		{frame(0x81, "123456789")[:6], "1009"}, // as soon as it is announced
		{join(frame(0x01, "1234"), frame(0x00, "5678"), frame(0x80, "9")), "1009"},
		{join(frame(0x01, "1"), []byte{0x80, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}), "1009"},
	} {
		if got := hear(c.in, 8, Deflate{}, 100, 100).String(); got != c.want {
			t.Errorf("%x: %s, want %s", c.in, got, c.want)
		}
	}
}

// While there is no room for a message it waits, in a place of its own: control frames before it
// are heard.
func TestNoRoom(t *testing.T) {
	h := &heard{r: &Receiver{Inflaters: new(Inflaters)}}
	in := join(frame(0x89, "p"), frame(0x81, "hello"), frame(0x89, "q"))
	if in = h.take(in, -1); h.String() != "ping=p" {
		t.Fatalf("%s", h)
	}
	if in = h.take(in, 0); h.String() != "ping=p" || len(in) != 5+7 {
		t.Fatalf("%s, and %d bytes are left", h, len(in))
	}
	if in = h.take(in, 2); h.String() != "ping=p text=hello ping=q" || len(in) > 0 {
		t.Fatalf("%s, and %d bytes are left", h, len(in))
	}
}

func TestUnmask(t *testing.T) {
	for size := range 70 {
		for cut := range size + 1 {
			b := make([]byte, size)
			const mask = 0x04030201
			unmask(b[cut:], unmask(b[:cut], mask))
			for i, c := range b {
				if int(c) != i%4+1 {
					t.Fatalf("%d bytes, cut at %d: %x", size, cut, b)
				}
			}
		}
	}
}

func TestFramesThatGoOut(t *testing.T) {
	for _, c := range []struct {
		f    Frame
		want string
	}{
		{Frame{Text, true, true, false, 125}, "817d"},
		{Frame{Binary, true, false, false, 126}, "027e007e"},
		{Frame{Text, false, false, false, 65535}, "007effff"},
		{Frame{Text, false, true, true, 65536}, "807f0000000000010000"},
		{Frame{Binary, true, true, true, 0}, "c200"},
	} {
		if got := fmt.Sprintf("%x", AppendFrame(nil, &c.f)); got != c.want {
			t.Errorf("%+v: %s, want %s", c.f, got, c.want)
		}
	}
	long := strings.Repeat("*", 122) + "€"
	for want, got := range map[string][]byte{
		"8a0161":                              AppendPong(nil, []byte("a")),
		"8900":                                AppendPing(nil, nil),
		"880403e86869":                        AppendClose(nil, Normal, "hi"),
		"8800":                                AppendClose(nil, NoCode, "hi"),
		"8800 for 1006":                       AppendClose(nil, Lost, "hi"),
		"8800 for 65536":                      AppendClose(nil, 1<<16, "hi"),
		fmt.Sprintf("887c03f4%x", long[:122]): AppendClose(nil, Restart, []byte(long)),
	} {
		want, _, _ = strings.Cut(want, " ")
		if fmt.Sprintf("%x", got) != want {
			t.Errorf("%x, want %s", got, want)
		}
	}
}
