package websocket

import "unicode/utf8"

// text checks that bytes are UTF-8 which may be cut anywhere. It fails with the first byte that
// makes it impossible that they are. The zero value is at the beginning.
type text struct {
	tail [utf8.UTFMax]byte // a character that has not come whole
	n    int
}

// add reports false when the bytes so far can begin no UTF-8.
func (t *text) add(b []byte) bool {
	for t.n > 0 && len(b) > 0 {
		t.tail[t.n] = b[0]
		t.n++
		b = b[1:]
		if utf8.FullRune(t.tail[:t.n]) {
			if _, size := utf8.DecodeRune(t.tail[:t.n]); size != t.n {
				return false
			}
			t.n = 0
		}
	}
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		at := len(b) - i
		if !utf8.RuneStart(b[at]) {
			continue
		}
		if !utf8.FullRune(b[at:]) {
			t.n = copy(t.tail[:], b[at:])
			b = b[:at]
		}
		break
	}
	return utf8.Valid(b)
}

// whole says whether no character is cut at the end.
func (t *text) whole() bool { return t.n == 0 }
