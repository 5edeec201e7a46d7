package e2e

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// TestValidator has wsgiref.validate between the server and an application that uses all
// of PEP 3333.
func TestValidator(t *testing.T) {
	onEach(t, func(t *testing.T, p *python, host string) {
		noted, variable := notes(t)
		s := start(t, server.Config{
			Application: "validated:application", Env: []string{variable},
			Args: []string{"--python", p.path, "--host", host, "--workers", "1", "--reactors", reactorsFor(host)},
		})
		askValidated(t, s)
		text, err := os.ReadFile(noted)
		must(t, err)
		for name, want := range map[string]int{"late": 2, "changed": 2, "big": 2} { // once by GET, once by HEAD
			if n := strings.Count(string(text), "closed "+name+"\n"); n != want {
				t.Errorf("close was called %d times for %q, want %d", n, name, want)
			}
		}
		must(t, s.Stop())
		for _, want := range []string{"written to wsgi.errors: Grüße\n", "one line\nanother line\n"} {
			if !strings.Contains(s.Log(), want) {
				t.Errorf("standard error lacks %q", want)
			}
		}
		for _, complaint := range []string{"Traceback", "AssertionError", "without being closed"} {
			if strings.Contains(s.Log(), complaint) {
				t.Errorf("there is a complaint:\n%s", s.Log())
				break
			}
		}
	})
}

func askValidated(t *testing.T, s *server.Server) {
	t.Helper()
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
		{"POST", "/hello", large, 200, "hello"}, // and does not read it
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
			a := ask(t, s, method, c.path, c.body)
			want := c.want
			if method == "HEAD" {
				want = ""
			}
			if a.err != nil || a.status != c.status || a.body != want {
				t.Errorf("%s %s: %d %v with %d bytes %.300q, want %d %.300q", method, c.path, a.status, a.err, len(a.body), a.body, c.status, want)
			}
			if a.header.Get("X-First") != "" {
				t.Errorf("%s %s has a field that was replaced", method, c.path)
			}
		}
	}
}

// ask sends a request whose target is taken as it is written.
func ask(t *testing.T, s *server.Server, method, target, body string) answer {
	t.Helper()
	c := connect(t, s)
	defer c.Close()
	length := ""
	if body != "" {
		length = fmt.Sprintf("Content-Type: text/plain\r\nContent-Length: %d\r\n", len(body))
	}
	sent := make(chan error, 1)
	go func() {
		_, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n%s", method, target, length, body)
		sent <- err
	}()
	a := c.receive(method)
	if err := <-sent; err != nil && a.status == http.StatusOK && method == "POST" && target != "/hello" {
		t.Errorf("%s %s: sending: %v", method, target, err)
	}
	return a
}
