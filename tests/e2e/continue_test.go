package e2e

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// TestContinue holds bodies back until the server asks for them: it does when the
// application reads, and not if it answers without.
func TestContinue(t *testing.T) {
	onEach(t, func(t *testing.T, p *python, host string) {
		_, variable := notes(t)
		s := start(t, server.Config{Application: "validated:application", Env: []string{variable},
			Args: []string{"--python", p.path, "--host", host, "--workers", "1", "--reactors", reactorsFor(host)}})
		body := strings.Repeat("a body that is wanted ", 10000)
		for _, coding := range []struct{ field, text string }{
			{fmt.Sprintf("Content-Length: %d", len(body)), body},
			{"Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)},
		} {
			c := connect(t, s)
			for range 2 { // the connection goes on
				c.send(t, "POST /upload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n%s\r\n\r\n", coding.field)
				line, err := c.in.ReadString('\n')
				if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
					t.Fatalf("before the body: %q, %v", line, err)
				}
				if line, err := c.in.ReadString('\n'); err != nil || line != "\r\n" {
					t.Fatalf("behind the 100: %q, %v", line, err)
				}
				c.send(t, "%s", coding.text)
				want := fmt.Sprintf("%d %x", len(body), sha256.Sum256([]byte(body)))
				if a := c.receive("POST"); a.err != nil || a.body != want {
					t.Errorf("%s: %+v, want %s", coding.field, a, want)
				}
			}
			c.send(t, "POST /hello HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n%s\r\n\r\n", coding.field)
			if a := c.receive("POST"); a.err != nil || a.status != http.StatusOK || a.body != "hello" {
				t.Errorf("an application that does not read its body: %+v", a)
			}
		}
	})
}
