package proxyproto

import (
	"errors"
	"fmt"
	"testing"
)

// FuzzParse: a header means the same in whatever pieces it comes, and nothing that stands
// behind it counts; a version that is not taken is never read.
func FuzzParse(f *testing.F) {
	for _, c := range good {
		f.Add([]byte(long(c.header)), uint8(c.versions))
	}
	for _, c := range wrong {
		f.Add([]byte(c.header), uint8(c.versions))
	}
	f.Fuzz(func(t *testing.T, b []byte, versions uint8) {
		v := Versions(versions) & Auto
		h, size, err := Parse(b, v)
		if e := (*Error)(nil); err != nil && (!errors.As(err, &e) || size != 0 || h != Header{}) {
			t.Fatalf("%v with %d bytes, %v", err, size, h)
		}
		if size < 0 || size > len(b) || size > head2+maxBody || size == 0 && err == nil && len(b) >= head2+maxBody {
			t.Fatalf("%d of %d bytes", size, len(b))
		}
		checkPieces(t, b, v)
		if size == 0 {
			return
		}
		if more, n, err := Parse(append(b[:size:size], "PROXY \r\n\r\n\x00"...), v); more != h || n != size || err != nil {
			t.Fatalf("with something else behind: %v %d %v, not %v %d", more, n, err, h, size)
		}
		if h.Local && (h.Source.IsValid() || h.TLS) || h.Source.IsValid() != h.Destination.IsValid() {
			t.Fatalf("%+v", h)
		}
		if v == V1 != (b[0] == 'P') && v != Auto {
			t.Fatalf("version %d read %q", v, b)
		}
	})
}

// checkPieces wants what is known early to stay.
func checkPieces(t *testing.T, b []byte, v Versions) {
	want, size, wantErr := Parse(b, v)
	for n := range min(len(b), 300) {
		h, s, err := Parse(b[:n], v)
		if s == 0 && err == nil {
			continue
		}
		if h != want || s != size || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("after %d of %d bytes: %v %d %v, in the end %v %d %v", n, len(b), h, s, err, want, size, wantErr)
		}
	}
}
