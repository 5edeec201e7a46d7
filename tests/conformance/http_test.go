package conformance

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gobridge/tests/pythons"
	"gobridge/tests/server"
)

// fronts are the servers that the checks of HTTP ask. It is the front alone that is asked, so
// one interpreter is enough.
type fronts struct {
	usual   *front // as it is without settings
	streams *front // whose application has bodies as they come
	small   *front // with small limits
	quick   *front // with short deadlines
	set     *front // with settings that change what is taken and sent, some of them in the environment
}

// front is a server, and the file with its access log.
type front struct {
	*server.Server
	access string
	unix   string // a second address
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	table := slices.Concat(refusedHeads, refusedBodies, limited, connections, answers, proxies)
	runTable(t, "HTTP", "", table, fronts{
		usual:   startFront(t, nil),
		streams: startFront(t, nil, "--buffer-request", "off"),
		small: startFront(t, nil, "--limit-request-line", "300", "--limit-request-head", "1K", "--limit-request-fields", "6",
			"--limit-request-field-size", "400", "--limit-request-body", "1000"),
		quick: startFront(t, nil, "--head-timeout", "3s", "--body-timeout", "3s", "--send-timeout", "3s", "--timeout-keep-alive", "3s"),
		set: startFront(t, []string{"GOBRIDGE_HEADER_MAP=refuse", "GOBRIDGE_NO_DATE_HEADER=yes", "GOBRIDGE_HEADER=X-Extra: a, b\nX-Other: c",
			"GOBRIDGE_FORWARDED_ALLOW_IP=unix", "GOBRIDGE_FORWARDED_ALLOW_IPS=unix,10.0.0.0/8"},
			"--root-path", "/shop", "--no-server-header", "--proxy-protocol", "auto", "--proxy-allow-from", "127.0.0.1",
			"--forwarded-headers", "x-forwarded-for,x-forwarded-proto,x-forwarded-host,x-forwarded-port,x-forwarded-prefix,forwarded"),
	})
}

// startFront runs the checks' application, on a port and on a unix socket.
func startFront(t *testing.T, env []string, args ...string) *front {
	t.Helper()
	all, err := pythons.List()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f := &front{access: filepath.Join(dir, "access"), unix: filepath.Join(dir, "s")}
	f.Server = server.UntilEnd(t, server.Config{Application: "edge:application", Dir: "apps", Env: env,
		Args: append([]string{"--python", all[len(all)-1].Path, "--workers", "1", "--control", "off", "--access-log", f.access, "--bind", "unix:" + f.unix}, args...)})
	return f
}

// over connects to the unix socket.
func (f *front) over(t *testing.T) *client {
	t.Helper()
	conn, err := net.Dial("unix", f.unix)
	return connected(t, conn, err)
}

// write sends bytes as they are.
func (c *client) write(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// closeWrite tells the server that nothing more comes.
func (c *client) closeWrite(t *testing.T) {
	t.Helper()
	if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

// once asks on a connection of its own.
func once(t *testing.T, s *front, request string) *answer {
	t.Helper()
	c := dial(t, s.Server)
	c.write(t, request)
	method, _, _ := strings.Cut(request, " ")
	return c.receive(t, method)
}

// ask asks on a connection, and wants the answer to be whole and have the status.
func (c *client) ask(t *testing.T, request string, status int) *answer {
	t.Helper()
	c.write(t, request)
	method, _, _ := strings.Cut(request, " ")
	a := c.receive(t, method)
	if a.status != status || a.cut != nil {
		t.Errorf("%.200q: %v, want %d", request, a, status)
	}
	return a
}

// get is a request for a path, with further fields of which each has a line end.
func get(path string, fields ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + strings.ReplaceAll(strings.Join(fields, ""), "\n", "\r\n") + "\r\n"
}

// post is one with a body, whose fields say how long that is.
func post(path, body string, fields ...string) string {
	return "POST" + strings.TrimPrefix(get(path, fields...), "GET") + body
}

// variable is the value in environ, as Python writes it; "missing" if there is none.
func variable(a *answer, name string) string {
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` = (.*)$`).FindStringSubmatch(a.body)
	if m == nil {
		return "missing"
	}
	return m[1]
}

// wantLog waits for a line of the server's log.
func (f *front) wantLog(t *testing.T, pattern string) {
	t.Helper()
	if _, err := f.AwaitLog(pattern); err != nil {
		t.Error(err)
	}
}

// refusedInLog wants a request refused, and a line in the log that says why. Of refusals in
// the same second only the first has one, so it is tried again.
func (f *front) refusedInLog(t *testing.T, request string, status int, reason string) {
	t.Helper()
	want := regexp.MustCompile(`malformed request was refused.*` + reason)
	err := server.Await(func() bool {
		mustRefuse(t, f, status, request)
		return want.MatchString(f.Log())
	})
	if err != nil {
		t.Errorf("%q never came into the log:\n%s", want, f.Log())
	}
}

// wantVariables compares "NAME VALUE" with environ, in which texts have quotes.
func wantVariables(t *testing.T, a *answer, want ...string) {
	t.Helper()
	for _, w := range want {
		name, value, _ := strings.Cut(w, " ")
		if value != "missing" {
			value = "'" + value + "'"
		}
		if got := variable(a, name); got != value {
			t.Errorf("%s is %s, want %s", name, got, value)
		}
	}
}

// refuses wants each of the requests answered with the status by the usual server, and the
// connection closed: whatever stands behind is nobody's request.
func refuses(status int, requests ...string) func(*testing.T, fronts) {
	return func(t *testing.T, f fronts) {
		for _, r := range requests {
			mustRefuse(t, f.usual, status, r)
		}
	}
}

func mustRefuse(t *testing.T, s *front, status int, request string) {
	t.Helper()
	c := dial(t, s.Server)
	c.write(t, request+get("/smuggled"))
	a := c.receive(t, "GET")
	if a.status != status || a.cut != nil || a.get("Connection") != "close" {
		t.Errorf("%.200q: %v, want %d and the connection's end", request, a, status)
	}
	if strings.Contains(a.body, "gobridge") || strings.Contains(a.body, "smuggled") || len(a.body) > 250 || strings.Count(a.body, "\n") != 1 {
		t.Errorf("%.200q: the page says too much: %q", request, a.body)
	}
	c.closeWrite(t)
	c.end(t)
}

// heads are requests whose heads have one thing wrong: a line in place of another, or at the
// end of the fields.
func heads(lines ...string) (requests []string) {
	for _, l := range lines {
		requests = append(requests, "GET / HTTP/1.1\r\nHost: x\r\n"+l+"\r\n\r\n")
	}
	return requests
}

func requestLines(lines ...string) (requests []string) {
	for _, l := range lines {
		requests = append(requests, l+"\r\nHost: x\r\n\r\n")
	}
	return requests
}

// bodies are requests with a body in chunks.
func bodies(wires ...string) (requests []string) {
	for _, w := range wires {
		requests = append(requests, post("/echo", w, "Transfer-Encoding: chunked\n"))
	}
	return requests
}

func within(requests ...[]string) []string { return slices.Concat(requests...) }

// sized is a request line, or a field, of so many bytes.
func sized(begin, end string, size int) string {
	return fmt.Sprint(begin, strings.Repeat("a", size-len(begin)-len(end)), end)
}
