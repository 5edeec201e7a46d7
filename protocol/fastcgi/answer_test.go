package fastcgi

import (
	"bytes"
	"testing"
)

// FuzzAnswers: records are taken as ReadAnswer takes them, and nothing beyond what there is.
func FuzzAnswers(f *testing.F) {
	whole := AppendEndRequest(appendStream(appendStream(nil, kindStdout, 1, []byte("Status: 200 OK\r\n\r\nhello")), kindStderr, 1, []byte("oops")), 1, Complete)
	f.Add(whole)
	f.Add(append(appendStream(nil, kindStdout, 2, []byte("another's")), whole...))
	f.Add(whole[:9])
	f.Add(appendHeader(nil, kindEnd, 1, 0))
	f.Add(append([]byte("\x01\x03\x00\x01\x00\x04\x0000000"), whole...)) // an end that is none
	f.Add([]byte("HTTP/1.1 400 Bad Request"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a := Answers{ID: 1}
		var stdout, stderr []byte
		rest, err := bytes.Clone(text), error(nil)
		for !a.Ended {
			var n int
			var out, log []byte
			if n, out, log, err = a.Next(rest); err != nil || n == 0 {
				break
			}
			stdout, stderr, rest = append(stdout, out...), append(stderr, log...), rest[n:]
		}
		want, wrong := ReadAnswer(bytes.NewReader(text), 1)
		if a.Ended != (wrong == nil) || a.Ended && (want.Status != a.Status || want.ApplicationStatus != a.ApplicationStatus) {
			t.Fatalf("ended %v with %d and %d, %v; ReadAnswer says %v, %+v", a.Ended, a.Status, a.ApplicationStatus, err, wrong, want)
		}
		if a.Ended && (!bytes.Equal(want.Stdout, stdout) || !bytes.Equal(want.Stderr, stderr)) {
			t.Fatalf("%q and %q, ReadAnswer has %q and %q", stdout, stderr, want.Stdout, want.Stderr)
		}
	})
}
