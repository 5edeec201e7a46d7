package e2e

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// requested is a run of gobridge request.
type requested struct {
	args  []string
	stdin string
	code  int
	out   string   // all of it, or with a * before it a part
	log   []string // parts of it; none: it says nothing
}

func (r *requested) check(t *testing.T) {
	t.Helper()
	command := exec.Command(root(t, "bin", "gobridge"), append([]string{"request"}, r.args...)...)
	command.Stdin = strings.NewReader(r.stdin)
	var out, log bytes.Buffer
	command.Stdout, command.Stderr = &out, &log
	if _, failed := errors.AsType[*exec.ExitError](command.Run()); failed != (r.code != 0) || command.ProcessState.ExitCode() != r.code {
		t.Errorf("%q: exit code %d, want %d: %.300s", r.args, command.ProcessState.ExitCode(), r.code, &log)
	}
	if part, ok := strings.CutPrefix(r.out, "*"); ok && !strings.Contains(out.String(), part) || !ok && out.String() != r.out {
		t.Errorf("%q: it prints %.300q, want %q", r.args, &out, r.out)
	}
	for _, part := range r.log {
		if !strings.Contains(log.String(), part) {
			t.Errorf("%q: it says %.1000q, want %q", r.args, &log, part)
		}
	}
	if len(r.log) == 0 && log.Len() > 0 {
		t.Errorf("%q: it says %.300q", r.args, &log)
	}
}

// answerOnce is the address of a server that answers one connection, whatever it is asked, in what
// inside makes of it.
func answerOnce(t *testing.T, answer string, inside func(net.Conn) net.Conn, orderly bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		plain, err := l.Accept()
		if err != nil {
			return
		}
		defer plain.Close()
		conn := inside(plain)
		if _, err := conn.Read(make([]byte, 64<<10)); err == nil {
			_, _ = io.WriteString(conn, answer)
		}
		if orderly {
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// once does so without TLS.
func once(t *testing.T, answer string) string {
	t.Helper()
	return answerOnce(t, answer, func(c net.Conn) net.Conn { return c }, true)
}

// onceInTLS does so inside TLS, and then closes the connection as a server does, or as one that dies.
func onceInTLS(t *testing.T, p *pki, answer string, orderly bool) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(p.path("server.pem"), p.path("server.key"))
	must(t, err)
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	return answerOnce(t, answer, func(c net.Conn) net.Conn { return tls.Server(c, config) }, orderly)
}

const sumOfABC = "3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

// TestRequest asks by each protocol, by ports and sockets, and those who cannot answer.
func TestRequest(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	p := newPKI(t, dir)
	fastcgi, scgi := "fastcgi:unix:"+filepath.Join(dir, "fastcgi"), "scgi:unix:"+filepath.Join(dir, "scgi")
	g := startGateway(t, append(p.args("optional"), "--bind", fastcgi, "--bind", scgi, "--bind", "https:127.0.0.1:0", "--bind", "suwsgi:127.0.0.1:0", "--bind", "https:unix:"+filepath.Join(dir, "https"))...)
	abc, large, to := filepath.Join(dir, "abc"), filepath.Join(dir, "large"), filepath.Join(dir, "to")
	must(t, os.WriteFile(abc, []byte("abc"), 0o600))
	must(t, os.WriteFile(large, bytes.Repeat([]byte("x"), 900000), 0o600))
	port, socket := "uwsgi:"+g.Address(), "uwsgi:unix:"+g.socket
	args := func(args ...string) []string { return args }
	for _, r := range []requested{
		{args: args(port, "/unread"), out: "not read"},
		{args: args(socket, "/unread"), out: "not read"},
		{args: args("uwsgi://" + g.Address() + "/unread?x"), out: "not read"},
		{args: args(g.http, "/unread"), out: "not read"},
		{args: args("http:"+g.http, "/unread"), out: "not read"},
		{args: args("http://" + g.http + "/unread"), out: "not read"},
		{args: args("http://"+g.http, "/unread", "-X", "HEAD", "-i"), out: "*HTTP/1.1 200 OK\r\n"},
		{args: args(port, "/body", "-d", "@"+abc), out: sumOfABC},
		{args: args("http:"+g.http, "/body", "-d", "@"+abc, "-XPUT"), out: sumOfABC},
		{args: args(socket, "/body", "-d@-"), stdin: "abc", out: sumOfABC},
		{args: args(socket, "/body", "-d", "a=1", "-d", "b=2"), out: "7 8e85be58c1c372ac29fe7bfa80d8ddcbd04a4032c7b51c1c026d67c55b1ab23f"},
		{args: args(port, "/unread", "-d", "@"+large), out: "not read"},
		{args: args("http:"+g.http, "/unread", "-d", "@"+large), out: "not read"},
		{args: args(port, "/x", "-d", ""), out: `*"REQUEST_METHOD": "POST"`},
		{args: args(port, "/caf%C3%A9?a=%20b"), out: `*"PATH_INFO": "/caf\u00c3\u00a9"`},
		{args: args(port, "/caf%C3%A9?a=%20b"), out: `*"REQUEST_URI": "/caf%C3%A9?a=%20b"`},
		{args: args(port, "/", "-H", "X-A: b c", "-H", "Accept:"), out: `*"HTTP_X_A": "b c"`},
		{args: args(port, "/", "--var", "REMOTE_USER=ada", "--var=SITE="), out: `*"REMOTE_USER": "ada"`},
		{args: args(port, "/", "--var", "REMOTE_ADDR=192.0.2.7"), out: `*"REMOTE_ADDR": "192.0.2.7"`},
		{args: args(port, "/", "--var", "HTTPS=on"), out: `*"wsgi.url_scheme": "https"`},
		{args: args(port, "/", "-H", "Host: example.org"), out: `*"HTTP_HOST": "example.org"`},
		{args: args(port, "/unread", "-iv"), out: "*\r\n\r\nnot read", log: args("> PATH_INFO=/unread\n", "> HTTP_ACCEPT=*/*\n", "< HTTP/1.1 200 OK\n", "* uwsgi:"+g.Address())},
		{args: args(g.http, "/unread", "-v"), out: "not read", log: args("> GET /unread HTTP/1.1\n> Host: "+g.http+"\n", "< HTTP/1.1 200 OK\n")},
		{args: args(port, "/unread", "-o", to)},
		{args: args(port, "/", "--var", "CONTENT_LENGTH=3abc"), out: "CONTENT_LENGTH in the uwsgi packet is not a number\n"},
		{args: args(port, "/", "--var", "CONTENT_LENGTH=3abc", "-f"), code: 10, log: args("uwsgi:" + g.Address() + " answers 400 Bad Request")},
		{args: args(port, "/endless", "-m", "0.5"), code: 9, out: "*xxx", log: args("uwsgi:" + g.Address() + " has not answered within --timeout 500ms")},
		{args: args(port, "/x", "--var", "X="+strings.Repeat("x", 66000)), code: 2, log: args("a uwsgi packet holds 65535")},
		{args: args("http:"+g.Address(), "/"), out: "*this is HTTP, and the port speaks the uwsgi protocol"},
		{args: args("uwsgi:"+g.http, "/"), out: "*as the uwsgi protocol does, and the port speaks HTTP"},
		{args: args(fastcgi, "/unread", "-iv"), out: "*Status: 200 OK\r\n", log: args("> PATH_INFO=/unread\n", "< Status: 200 OK\n")},
		{args: args(scgi, "/unread"), out: "not read"},
		{args: args(fastcgi, "/body", "-d", "@"+abc), out: sumOfABC},
		{args: args(scgi, "/body", "-d", "@"+abc), out: sumOfABC},
		{args: args(fastcgi, "/unread", "-d", "@"+large), out: "not read"},
		{args: args(scgi, "/unread", "-d", "@"+large), out: "not read"},
		{args: args(fastcgi, "/counted", "-X", "HEAD")},
		{args: args(fastcgi, "/moved", "-f"), out: "moved"},
		{args: args(fastcgi, "/caf%C3%A9", "--var", "HTTPS=on"), out: `*"wsgi.url_scheme": "https"`},
		{args: args(scgi, "/caf%C3%A9", "--var", "HTTPS=on"), out: `*"PATH_INFO": "/caf\u00c3\u00a9"`},
		{args: args("fastcgi:"+g.http, "/"), out: "*and the port speaks HTTP"},
		{args: args("scgi:"+g.Address(), "/"), out: "*and the port speaks the uwsgi protocol"},
		{args: args("unix:"+dir+"/none", "/"), code: 7, log: args("there is no socket "+dir+"/none", "--bind unix:"+dir+"/none")},
		{args: args("127.0.0.1:1", "/"), code: 7, log: args("nobody listens on 127.0.0.1:1")},
		{args: args("uwsgi:"+once(t, ""), "/"), code: 7, log: args("closed without an answer: does the port speak the uwsgi protocol?")},
		{args: args(once(t, ""), "/"), code: 7, log: args("closed without an answer: does the port speak HTTP?")},
		{args: args(once(t, "\x00\x01\x02"), "/"), code: 7, log: args(`is no HTTP/1: it begins with "\x00\x01\x02"`)},
		{args: args(once(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), "/"), code: 7, out: "abc", log: args("is cut: its body has 3 of 10 bytes")},
		{args: args(once(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "/"), out: "abc"},
		{args: args(once(t, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not Found\r\n\r\nabc"), "/"), out: "abc"},
	} {
		r.check(t)
	}
	if text, err := os.ReadFile(to); err != nil || string(text) != "not read" {
		t.Errorf("the file has %q, %v", text, err)
	}
	checkRequestTLS(t, g, p, large)
}

// checkRequestTLS asks inside TLS.
func checkRequestTLS(t *testing.T, g *gateway, p *pki, large string) {
	https, suwsgi := boundTo(t, g.Server, "https"), boundTo(t, g.Server, "suwsgi")
	args := func(address, path string, args ...string) []string { return append([]string{address, path}, args...) }
	known := func(address, path string, more ...string) []string {
		return args(address, path, append(more, "--cacert", p.path("ca.pem"))...)
	}
	own := []string{"--cert", p.path("client.pem"), "--key", p.path("client.key")}
	both := p.path("both.pem")
	var text []byte
	for _, name := range []string{"client.pem", "client.key"} {
		part, err := os.ReadFile(p.path(name))
		must(t, err)
		text = append(text, part...)
	}
	must(t, os.WriteFile(both, text, 0o600))
	silent, err := net.Listen("tcp", "127.0.0.1:0") // and nobody accepts
	must(t, err)
	defer silent.Close()
	for _, r := range []requested{
		{args: known("https:"+https, "/unread"), out: "not read"},
		{args: known("https://"+https, "/body", "-d", "abc"), out: sumOfABC},
		{args: known("suwsgi:"+suwsgi, "/unread"), out: "not read"},
		{args: known("https:unix:"+p.path("https"), "/unread"), out: "not read"},
		{args: known("suwsgi:"+suwsgi, "/unread", "-d", "@"+large), out: "not read"},
		{args: known("https:"+https, "/unread", "-d", "@"+large), out: "not read"},
		{args: args("https:"+https, "/unread", "-k"), out: "not read"},
		{args: known("https:"+https, "/"), out: `*"wsgi.url_scheme": "https"`},
		{args: known("suwsgi:"+suwsgi, "/"), out: `*"wsgi.url_scheme": "http"`},
		{args: known("suwsgi:"+suwsgi, "/", "--var", "HTTPS=on"), out: `*"wsgi.url_scheme": "https"`},
		{args: known("suwsgi:"+suwsgi, "/", own...), out: `*"HTTPS_DN": "/O=Gr`},
		{args: known("suwsgi:"+suwsgi, "/", "-E", both), out: `*"HTTPS_DN": "/O=Gr`},
		{args: known("https:"+https, "/unread", append(own, "-v")...), out: "not read",
			log: []string{"* TLS 1.3, TLS_", `verified, is of "CN=localhost", signed by "CN=a test"`, "asks for a certificate, and gets that of --cert", "> GET /unread HTTP/1.1\n"}},
		{args: args("suwsgi:"+suwsgi, "/unread", "-kiv"), out: "*\r\n\r\nnot read", log: []string{"not verified", "asks for a certificate, and gets none", "* suwsgi:" + suwsgi, "> PATH_INFO=/unread\n"}},
		{args: args("https:"+https, "/"), code: 7, log: []string{"https:" + https + ": ", "unknown authority: --cacert FILE"}},
		{args: known("https:"+strings.Replace(https, "127.0.0.1", "127.0.0.2", 1), "/"), code: 7, log: []string{"nobody listens on 127.0.0.2"}},
		{args: args("https:"+g.http, "/", "-k"), code: 7, log: []string{"what answers is no TLS: without it, it is asked as " + g.http}},
		{args: args("suwsgi:"+g.Address(), "/", "-k"), code: 7, log: []string{"what answers is no TLS: without it, it is asked as uwsgi:" + g.Address()}},
		{args: args("http:"+https, "/"), out: "*this is HTTP without TLS"},
		{args: args("uwsgi:"+suwsgi, "/"), out: "*this is the uwsgi protocol without TLS"},
		{args: known("https:"+onceInTLS(t, p, "HTTP/1.1 200 OK\r\n\r\nabc", true), "/"), out: "abc"},
		{args: known("https:"+onceInTLS(t, p, "HTTP/1.1 200 OK\r\n\r\nabc", false), "/"), code: 7, out: "abc", log: []string{"the answer may be cut: the connection has ended without TLS's close_notify"}},
		{args: known("https:"+onceInTLS(t, p, "", true), "/"), code: 7, log: []string{"closed without an answer: does the port speak HTTP?", "asked as suwsgi:127.0.0.1:"}},
		{args: args("https:"+silent.Addr().String(), "/", "-m", "0.3"), code: 9, log: []string{"has not come to an end with its TLS handshake within --timeout 300ms"}},
		{args: args("https:"+once(t, ""), "/", "-k"), code: 7, log: []string{"closed amid the TLS handshake: does the port speak TLS?"}},
	} {
		r.check(t)
	}
}
