package websocket

import (
	"bytes"
	stdflate "compress/flate"
	"io"
	"strings"
	"testing"
)

// FuzzReceiver wants that it makes no difference in which pieces bytes come, and for how much
// there is room.
func FuzzReceiver(f *testing.F) {
	for _, c := range received {
		if len(c.in) < 300 {
			f.Add(c.in, uint8(3), uint8(5))
		}
	}
	f.Add(join(frame(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00"), frame(0xc1, "\xf2\x00\x11\x00\x00")), uint8(2), uint8(2))
	f.Add(join(frame(0x41, "\xf2\x48\x05\x00\x00\x00\xff\xff"), frame(0x89, ""), frame(0x80, "\xca\xc9\xc9\x07\x00")), uint8(1), uint8(9))
	f.Fuzz(func(t *testing.T, in []byte, cut, room uint8) {
		const limit = 4000
		whole := hear(in, limit, deflated, max(len(in), 1), 1<<20)
		pieces := hear(in, limit, deflated, int(cut)+1, int(room)+1)
		// A message that breaks a rule far behind its beginning may have given pieces before.
		if whole.String() != pieces.String() {
			t.Fatalf("at once: %s; in pieces: %s", whole, pieces)
		}
		if len(whole.message) > limit || len(pieces.message) > limit {
			t.Fatal("the limit was passed")
		}
	})
}

// FuzzInflate compares with the standard library, which inflates messages that are there whole.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), []byte("context"), uint8(1))
	f.Add([]byte("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), []byte{}, uint8(4))
	f.Add([]byte("\xf2\x00\x11\x00\x00"), []byte("Hello"), uint8(2))
	f.Fuzz(func(t *testing.T, message, context []byte, cut uint8) {
		want, err := io.ReadAll(io.LimitReader(stdflate.NewReaderDict(io.MultiReader(bytes.NewReader(message),
			bytes.NewReader([]byte(messageTail))), context[:min(len(context), windowSize)]), 1<<20))
		if len(want) == 1<<20 || bytes.Contains(message, []byte{1}) && err == nil && len(want) == 0 {
			return
		}
		all := new(Inflaters)
		inflater := all.take(context[:min(len(context), windowSize)])
		defer all.give(inflater)
		var got []byte
		out := make([]byte, int(cut)+1)
		for rest := message; ; {
			n := min(int(cut)+1, len(rest))
			inflater.feed(rest[:n], n == len(rest))
			rest = rest[n:]
			for !inflater.wants {
				m, done, failed := inflater.read(out)
				got = append(got, out[:m]...)
				if failed != nil {
					if err == nil && !finals(message) {
						t.Fatalf("failed with %v, and the standard library does not", failed)
					}
					return
				}
				if done {
					if (err != nil || !bytes.Equal(got, want)) && !finals(message) {
						t.Fatalf("%q, want %q and %v", got, want, err)
					}
					return
				}
				if len(got) > 1<<20 {
					return
				}
			}
		}
	})
}

// finals says whether the message may have a block that says it is the last one, behind which the
// standard library does not go on.
func finals(message []byte) bool {
	r := bytes.NewReader(append(bytes.Clone(message), messageTail...))
	z := stdflate.NewReader(r)
	_, err := io.Copy(io.Discard, io.LimitReader(z, 1<<20))
	return err != nil || r.Len() > 0
}

// FuzzDeflate wants that whatever goes out is read again by a client.
func FuzzDeflate(f *testing.F) {
	f.Add([]byte("hello hello hello hello"), []byte("hello"), uint8(15), false)
	f.Add(bytes.Repeat([]byte("abcdefg"), 700), []byte{}, uint8(8), true)
	f.Fuzz(func(t *testing.T, first, second []byte, bits uint8, forget bool) {
		settled := Deflate{On: true, ServerBits: leastBits + int(bits)%8, ServerForget: forget}
		var d Deflater
		d.Settle(&settled)
		client := clientInflater{forget: forget}
		for _, message := range [][]byte{first, second, first} {
			half := len(message) / 2
			out := d.Append(d.Append(nil, message[:half], false), message[half:], true)
			if got, err := client.message(out); err != nil || got != string(message) {
				t.Fatalf("%q came as %q, %v", message, got, err)
			}
		}
	})
}

// FuzzHandshake: whatever a client writes into the handshake's own fields, it is refused with a
// status that says so, or is answered with what it has offered.
func FuzzHandshake(f *testing.F) {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	for _, offers := range []string{"", "permessage-deflate", `x; a="b;,\"c", permessage-deflate; client_max_window_bits="9"; server_max_window_bits=8`,
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover, Permessage-Deflate;client_no_context_takeover"} {
		f.Add(key, "13", offers)
	}
	f.Add("dGhl", "13", "")
	f.Add(key, "8", "")
	f.Fuzz(func(t *testing.T, key, version, offers string) {
		q := ask("Sec-WebSocket-Key: "+key, "Sec-WebSocket-Version: "+version, "Sec-WebSocket-Extensions: "+offers)
		h, err := Check(q, true)
		if err != nil {
			if r, ok := err.(*Refusal); !ok || r.Status != 400 && r.Status != 426 || version == Version && r.Status == 426 {
				t.Fatalf("%#v", err)
			}
			return
		}
		if version != Version || len(key) != keySize {
			t.Fatalf("version %q, key %q", version, key)
		}
		if !h.Deflate.On {
			return
		}
		answer := h.Deflate.Append(nil)
		if _, ok := readOffer(answer); !ok || h.Deflate.ServerBits < leastBits || h.Deflate.ServerBits > mostBits {
			t.Fatalf("%q is answered %q", offers, answer)
		}
		lower := strings.ToLower(offers)
		for _, parameter := range []string{"server_max_window_bits", "client_max_window_bits", "server_no_context_takeover"} {
			if strings.Contains(string(answer), parameter) && !strings.Contains(lower, parameter) {
				t.Fatalf("%q is answered %q", offers, answer)
			}
		}
	})
}
