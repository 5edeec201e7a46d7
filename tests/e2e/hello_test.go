package e2e

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gobridge/tests/server"
)

const greeting = "Hello from gobridge!\n"

func startHello(t *testing.T, c server.Config) *server.Server {
	t.Helper()
	c.Application, c.Dir = "app:application", root(t, "examples", "hello")
	return start(t, c)
}

func TestHello(t *testing.T) {
	onEach(t, func(t *testing.T, p *python, host string) {
		s := startHello(t, server.Config{Args: []string{"--python", p.path, "--host", host, "--workers", "1"}})
		want := fmt.Sprintf(" serves app:application on http://%s with Python %s (%s, %s host), 1 worker of 1 thread", s.Address(), p.about.Version, p.path, host)
		if !strings.HasPrefix(s.Ready, "gobridge ") || !strings.HasSuffix(s.Ready, want) {
			t.Errorf("the server says %q, want %q", s.Ready, want)
		}
		if a := mustGet(t, s, "/"); a.body != greeting {
			t.Errorf("the greeting is %q", a.body)
		}
		if n := strings.Count(s.Output(), "\n"); n != 1 {
			t.Errorf("standard output has %d lines instead of one:\n%s", n, s.Output())
		}
	})
}

// TestEnviron compares the variables that PEP 3333 asks for with what the client did.
func TestEnviron(t *testing.T) {
	s := startHello(t, server.Config{Args: []string{"--workers", "2", "--threads", "3"}})
	c := connect(t, s)
	c.send(t, "POST /environ?q=a%%20b&x HTTP/1.1\r\nHost: example.org:81\r\nContent-Type: text/x\r\nContent-Length: 2\r\nX-Two: a\r\nX-Two: b\r\nCookie: a=1\r\nCookie: b=2\r\n\r\nhi")
	a := c.receive("POST")
	host, port, err := net.SplitHostPort(c.RemoteAddr().String())
	must(t, err)
	_, ours, err := net.SplitHostPort(c.LocalAddr().String())
	must(t, err)
	for name, want := range map[string]string{
		"REQUEST_METHOD": "'POST'", "SCRIPT_NAME": "''", "PATH_INFO": "'/environ'", "QUERY_STRING": "'q=a%20b&x'",
		"CONTENT_TYPE": "'text/x'", "CONTENT_LENGTH": "'2'", "SERVER_NAME": "'" + host + "'", "SERVER_PORT": "'" + port + "'",
		"SERVER_PROTOCOL": "'HTTP/1.1'", "REMOTE_ADDR": "'127.0.0.1'", "REMOTE_PORT": "'" + ours + "'",
		"HTTP_HOST": "'example.org:81'", "HTTP_X_TWO": "'a,b'", "HTTP_COOKIE": "'a=1; b=2'",
		"wsgi.version": "(1, 0)", "wsgi.url_scheme": "'http'", "wsgi.multithread": "True", "wsgi.multiprocess": "True", "wsgi.run_once": "False",
	} {
		m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` = (.*)$`).FindStringSubmatch(a.body)
		switch {
		case m == nil:
			t.Errorf("environ has no %s:\n%s", name, a.body)
		case strings.ReplaceAll(m[1], "a, b", "a,b") != want: // a space is as good (RFC 9110, 5.2)
			t.Errorf("%s is %s, want %s", name, m[1], want)
		}
	}
	for _, name := range []string{"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "GOBRIDGE_HOST_FD"} {
		if strings.Contains(a.body, name) {
			t.Errorf("environ has %s", name)
		}
	}
}

func TestConnections(t *testing.T) {
	withReactors(t, func(t *testing.T, args []string) {
		s := startHello(t, server.Config{Args: append(args, "--workers", "2")})
		c := connect(t, s)
		t.Run("keep-alive", func(t *testing.T) {
			for range 100 {
				c.send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				if a := c.receive("GET"); a.status != 200 || a.body != greeting {
					t.Fatalf("%+v", a)
				}
			}
		})
		t.Run("pipelined", func(t *testing.T) {
			c.send(t, "%s", strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 50))
			for range 50 {
				if a := c.receive("GET"); a.status != 200 || a.body != greeting {
					t.Fatalf("GET: %+v", a)
				}
				if a := c.receive("HEAD"); a.status != 200 || a.body != "" || a.header.Get("Content-Length") != "21" {
					t.Fatalf("HEAD: %+v", a)
				}
			}
		})
		t.Run("one byte at a time", func(t *testing.T) {
			for _, b := range []byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") {
				c.send(t, "%c", b)
			}
			if a := c.receive("GET"); a.body != greeting || a.header.Get("Date") == "" || a.header.Get("Server") == "" {
				t.Errorf("%+v", a)
			}
			if n, err := c.in.ReadByte(); err == nil {
				t.Errorf("after Connection: close there is %q", n)
			}
		})
		t.Run("HTTP/1.0", func(t *testing.T) {
			c := connect(t, s)
			c.send(t, "GET / HTTP/1.0\r\n\r\n")
			if a := c.receive("GET"); a.body != greeting || a.header.Get("Transfer-Encoding") != "" {
				t.Errorf("%+v", a)
			}
		})
		t.Run("malformed", func(t *testing.T) {
			c := connect(t, s)
			c.send(t, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
			if a := c.receive("GET"); a.status != http.StatusBadRequest {
				t.Errorf("%+v", a)
			}
		})
	})
}

func TestSeveralBinds(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	s := startHello(t, server.Config{Bind: "unix:" + socket, Args: []string{"--bind", "127.0.0.1:0", "--bind", "[::1]:0", "--workers", "1"}})
	if a := mustGet(t, s, "/"); a.body != greeting {
		t.Errorf("on the unix socket: %q", a.body)
	}
	found := regexp.MustCompile(`http://[^ ,]+`).FindAllString(s.Ready, -1)
	if len(found) != 2 {
		t.Fatalf("the server names %v in %q", found, s.Ready)
	}
	for _, url := range found {
		if a := read(http.Get(url)); a.body != greeting {
			t.Errorf("%s: %+v", url, a)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
