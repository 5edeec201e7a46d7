package websocket

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// deflate compresses a message as clients do, with the standard library; flush adds the boundaries
// of blocks where the message is cut.
func deflate(t testing.TB, w *stdflate.Writer, into *bytes.Buffer, parts ...string) string {
	t.Helper()
	from := into.Len()
	for _, p := range parts {
		if _, err := io.WriteString(w, p); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimSuffix(into.String()[from:], "\x00\x00\xff\xff")
}

var deflated = Deflate{On: true, ServerBits: mostBits}

func TestInflate(t *testing.T) {
	var b bytes.Buffer
	w, err := stdflate.NewWriter(&b, 9)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 9000)
	for i := range noise {
		noise[i] = byte(rand.Uint32()) | 1
	}
	long := strings.Repeat("a long text, ", 10000)
	first, second, third := deflate(t, w, &b, "Hello"), deflate(t, w, &b, "Hello"), deflate(t, w, &b, long[:5000], long[5000:])
	fourth := deflate(t, w, &b, string(noise))
	in := join(frame(0xc1, first), frame(0xc1, second), frame(0x81, "plain"), frame(0x41, third[:7]), frame(0x89, "p"), frame(0, third[7:9]),
		frame(0, ""), frame(0x80, third[9:]), frame(0xc2, fourth))
	want := fmt.Sprintf("text=Hello text=Hello text=plain ping=p text=130000:61206c6f binary=9000:%x", noise[:4])
	if len(second) >= len(first) {
		t.Error("the second message does not refer to the first one")
	}
	for _, cut := range []int{1, 13, 1 << 20} {
		for _, room := range []int{7, 999, 1 << 20} {
			if got := hear(in, 0, deflated, cut, room).String(); got != want {
				t.Errorf("in pieces of %d, with room for %d: %s, want %s", cut, room, got, want)
			}
		}
	}
	forgetful := deflated
	forgetful.ClientForget = true
	if got := hear(in, 0, forgetful, 100, 100).String(); got != "text=Hello 1007" {
		t.Errorf("a message that refers to one that is forgotten: %s", got)
	}
	if got := hear(in, 129999, deflated, 100, 100).String(); got != "text=Hello text=Hello text=plain ping=p 1009" {
		t.Errorf("a message that is too long once it is inflated: %s", got)
	}
}

func TestInflateOddities(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		// The examples of RFC 7692 section 7.2.3.
		{"one block", frame(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"), "text=Hello"},
		{"a block that is not compressed", frame(0xc1, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "text=Hello"},
		{"a block that says it is the last", frame(0xc1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "text=Hello"},
		{"two blocks", frame(0xc1, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "text=Hello"},
		{"an empty message", frame(0xc1, "\x00"), "text="},
		{"a text after one that is no UTF-8", frame(0xc1, "\x00\x01\x00\xfe\xff\xff\x00"), "1007"},
		{"what is no block", frame(0xc1, "\x07\x07"), "1007"},
		{"a block that is cut", frame(0xc1, "\x00\x05\x00\xfa\xff\x48"), "1007"},
		{"a compressed continuation", join(frame(0x41, ""), frame(0xc0, "\x00")), "1002"},
	} {
		for _, cut := range []int{1, 100} {
			if got := hear(c.in, 0, deflated, cut, 100).String(); got != c.want {
				t.Errorf("%s in pieces of %d: %s, want %s", c.name, cut, got, c.want)
			}
		}
	}
}

// A connection that ends amid a compressed message leaves nothing behind, and one for which there
// is no memory is told so.
func TestInflatersAreGivenBack(t *testing.T) {
	used, allowed := int64(0), true
	all := &Inflaters{Take: func(n int64) bool { used += n; return allowed }, Give: func(n int64) { used -= n }}
	for range 2 * keepFree {
		h := &heard{r: &Receiver{Inflaters: all}}
		h.r.Settle(&deflated)
		h.take(frame(0x41, "\xf2\x48"), 100)
		if used == 0 || !h.r.Amid() {
			t.Fatalf("no inflater is in use: %s", h)
		}
		h.r.Close()
	}
	if used != 0 || len(all.free) != 1 {
		t.Errorf("%d bytes are still in use, %d inflaters are free", used, len(all.free))
	}
	allowed = false
	h := &heard{r: &Receiver{Inflaters: all}}
	h.r.Settle(&deflated)
	if h.take(frame(0xc1, "\x00"), 100); h.String() != "1013" {
		t.Errorf("without memory: %s", h)
	}
}

// clientInflater reads a server's messages as a client does that has a window of so many bits.
type clientInflater struct {
	history []byte
	forget  bool
}

func (c *clientInflater) message(compressed []byte) (string, error) {
	r := stdflate.NewReaderDict(io.MultiReader(bytes.NewReader(compressed), strings.NewReader(messageTail)), c.history)
	b, err := io.ReadAll(r)
	if !c.forget {
		c.history = append(c.history, b...)
		c.history = c.history[max(len(c.history)-windowSize, 0):]
	}
	return string(b), err
}

func TestDeflate(t *testing.T) {
	text := strings.Repeat("all work and no play ", 3000)
	for _, settled := range []Deflate{deflated, {On: true, ServerBits: 9}, {On: true, ServerBits: 8, ServerForget: true}} {
		var d Deflater
		d.Settle(&settled)
		client := clientInflater{forget: settled.ServerForget}
		for _, parts := range [][]string{{text}, {"", ""}, {text[:100], text[100:40000], text[40000:]}, {"short"}, {text[:50000], ""}} {
			var out []byte
			for i, p := range parts {
				out = d.Append(out, []byte(p), i == len(parts)-1)
			}
			got, err := client.message(out)
			if want := strings.Join(parts, ""); got != want || err != nil {
				t.Fatalf("%+v: %d bytes and %v instead of %d bytes", settled, len(got), err, len(want))
			}
			if n := len(strings.Join(parts, "")); n > 10000 && settled.ServerBits == mostBits && len(out) > n/10 {
				t.Errorf("%d bytes became %d", n, len(out))
			}
		}
		if len(d.context) > contextSize || settled.ServerForget && d.context != nil {
			t.Errorf("%+v: %d bytes are kept", settled, len(d.context))
		}
	}
}

// farthest is how far back a deflate stream refers: found by leaving out what lies farther back.
func TestDeflateKeepsToTheWindow(t *testing.T) {
	var d Deflater
	d.Settle(&Deflate{On: true, ServerBits: 10})
	rng := rand.New(rand.NewPCG(1, 2))
	block := make([]byte, 1<<10+1)
	for i := range block {
		block[i] = byte(rng.Uint32())
	}
	first := d.Append(nil, block, true)
	again := d.Append(nil, block, true)
	if len(again) < len(first)-16 {
		t.Errorf("what lies %d bytes back was referred to", len(block))
	}
	near := d.Append(nil, block[len(block)-300:], true)
	if len(near) > 100 {
		t.Errorf("what lies 300 bytes back was not referred to: %d bytes", len(near))
	}
}

func TestWorth(t *testing.T) {
	var d Deflater
	if d.Worth(1 << 20) {
		t.Error("compression was not settled")
	}
	if d.Settle(&deflated); d.Worth(leastDeflate-1) || !d.Worth(leastDeflate) {
		t.Error("the least size is another")
	}
}

func BenchmarkReceive(b *testing.B) {
	for _, size := range []int{64, 4096, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r, in := &Receiver{Inflaters: new(Inflaters)}, frame(0x82, strings.Repeat("x", size))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for rest := in; len(rest) > 0; {
					n, _, err := r.Next(rest, 1<<20, nil)
					if err != nil {
						b.Fatal(err)
					}
					rest = rest[n:]
				}
			}
		})
	}
}

func BenchmarkDeflate(b *testing.B) {
	text := []byte(strings.Repeat(`{"user": "somebody", "text": "what is said here"}, `, 20))
	var d Deflater
	d.Settle(&deflated)
	out := make([]byte, 0, 4096)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		d.Append(out, text, true)
	}
}

func BenchmarkInflate(b *testing.B) {
	var z bytes.Buffer
	w, _ := stdflate.NewWriter(&z, 6)
	in := frame(0xc1, deflate(b, w, &z, strings.Repeat(`{"user": "somebody", "text": "what is said here"}, `, 20)))
	r, out := &Receiver{Inflaters: new(Inflaters)}, make([]byte, 16<<10)
	r.Settle(&Deflate{On: true, ClientForget: true})
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		again := bytes.Clone(in)
		b.StartTimer()
		if _, e, err := r.Next(again, 1<<20, out); err != nil || !e.Last {
			b.Fatal(e, err)
		}
	}
}
