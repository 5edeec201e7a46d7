package conformance

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// pepChecks are what PEP 3333 says, and what applications rely on, that the table of WSGI
// does not name. They ask the same servers.
var pepChecks = []check[*wsgi]{
	{"wsgiref.validate is content around an application that uses all of it", validatorIsContent},
}

func validatorIsContent(t *testing.T, w *wsgi) {
	const size = 1 << 20
	body := "abcdefg\nhi\njklmnop\nqrs\ntuv\nwxyz"
	large := strings.Repeat("0123456789abcdef", size/16)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/hello", "", 200, "hello"},
		{"GET", "/nothing", "", 204, ""},
		{"POST", "/readers", body, 200, `[b'abcde', b'fg\n', b'hi\n', b'jklmnop\n', b'qrs\n', b'tuv\nwxyz', b'']`},
		{"POST", "/upload", large, 200, fmt.Sprintf("%d %x", size, sha256.Sum256([]byte(large)))},
		{"GET", "/writes", "", 200, "one two three"},
		{"GET", "/late", "", 200, "late"},
		{"GET", "/changed", "", 500, "changed"},
		{"GET", fmt.Sprintf("/big?size=%d", size), "", 200, large},
		{"GET", "/errors", "", 200, "told"},
		{"GET", "/caf%C3%A9/a%2Fb?x=%20%zz", "", 200, "/café/a/b x=%20%zz"},
		{"PURGE", "/hello", "", 200, "hello"},
	} {
		for _, method := range []string{c.method, "HEAD"} {
			if method == "HEAD" && c.method != "GET" {
				continue
			}
			want := c.want
			if method == "HEAD" {
				want = ""
			}
			a := w.ask(t, method, "/validated"+c.path, c.body)
			if a.status != c.status || a.body != want || a.cut != nil || a.get("X-First") != "" {
				t.Errorf("%s %s: %v, want %d %.300q", method, c.path, a, c.status, want)
			}
		}
	}
	closed := w.notes(t, "validated")
	for _, name := range []string{"late", "changed", "big"} { // once by GET, once by HEAD
		if n := strings.Count(closed, name+"\n"); n != 2 {
			t.Errorf("close was called %d times for %q, want 2", n, name)
		}
	}
	w.logged(t, "written to wsgi.errors: Grüße\none line\nanother line\n")
	for _, complaint := range []string{`validate.py", line`, "without being closed"} {
		if log := w.threads.Log(); strings.Contains(log, complaint) {
			t.Errorf("the validator complains: %q", complaint)
		}
	}
}
