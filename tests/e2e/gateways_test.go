package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gobridge/bridge"
	"gobridge/protocol/fastcgi"
	"gobridge/protocol/scgi"
	"gobridge/tests/server"
)

// gatewaysConfig passes requests on by FastCGI and SCGI, with nginx's own parameters, and tries
// nothing twice. What a test says of its client in X-Test-Client is taken for its address.
const gatewaysConfig = nginxBase + `	fastcgi_next_upstream off;
	scgi_next_upstream off;
	set_real_ip_from unix:;
	real_ip_header X-Test-Client;
	upstream kept {
		server unix:%[2]s;
		keepalive 4;
	}
	server {
		listen unix:%[1]s/kept;
		include /etc/nginx/fastcgi_params;
		fastcgi_keep_conn on;
		location / { fastcgi_pass kept; }
		location /shop {
			fastcgi_split_path_info ^(/shop)(.*)$;
			include /etc/nginx/fastcgi_params;
			fastcgi_param PATH_INFO $fastcgi_path_info;
			fastcgi_pass kept;
		}
	}
	server {
		listen unix:%[1]s/fast;
		include /etc/nginx/fastcgi_params;
		fastcgi_request_buffering off;
		location / { fastcgi_pass unix:%[2]s; }
		location /shop {
			include /etc/nginx/fastcgi_params;
			fastcgi_param SCRIPT_NAME /shop;
			fastcgi_pass unix:%[2]s;
		}
	}
	server {
		listen unix:%[1]s/simple;
		include /etc/nginx/scgi_params;
		location / { scgi_pass unix:%[3]s; }
		location /shop {
			include /etc/nginx/scgi_params;
			scgi_param SCRIPT_NAME /shop;
			scgi_pass unix:%[3]s;
		}
	}
}
`

// gatewayWays are the sockets that it listens on.
var gatewayWays = []string{"kept", "fast", "simple"}

func TestGatewaysBehindNginx(t *testing.T) {
	t.Parallel()
	dir, account := unprivileged(t)
	noted, variable := notes(t)
	fast, simple, control := filepath.Join(dir, "f"), filepath.Join(dir, "s"), filepath.Join(shortDir(t), "control")
	s := start(t, server.Config{Application: "gateway:application", Bind: "fastcgi:unix:" + fast, Env: []string{variable},
		Args: []string{"--bind", "scgi:unix:" + simple, "--workers", "1", "--threads", "8", "--buffer-request", "16K", "--control", control}})
	if want := " on fastcgi:unix:" + fast + ", scgi:unix:" + simple + " "; !strings.Contains(s.Ready, want) {
		t.Errorf("the server says %q, want %q", s.Ready, want)
	}
	startNginx(t, dir, account, fmt.Sprintf(gatewaysConfig, dir, fast, simple), "simple")
	for _, way := range gatewayWays {
		t.Run(way, func(t *testing.T) { checkGateway(t, dir, way, noted) })
	}
	t.Run("bodies that nobody reads", func(t *testing.T) {
		body := bytes.Repeat([]byte("x"), 900000)
		var clients sync.WaitGroup
		for _, way := range append([]string{"kept"}, gatewayWays...) {
			clients.Go(func() {
				for range 50 {
					if a := postAhead(filepath.Join(dir, way), "/unread", body); a.err != nil || a.status != 200 || a.body != "not read" {
						t.Errorf("%s: %d, %v, %.100q", way, a.status, a.err, a.body)
						return
					}
				}
			})
		}
		clients.Wait()
	})
	t.Run("connections that are kept", func(t *testing.T) {
		client := clientOf(dir, "kept")
		for i := range 30 {
			if a := read(client.Post("http://localhost/body", "text/plain", strings.NewReader(strings.Repeat("x", i*1000)))); a.status != 200 {
				t.Fatalf("%+v", a)
			}
		}
		client.CloseIdleConnections()
		var status struct{ Connections int }
		if server.Await(func() bool { // those of before may be on their way
			out, _ := command(t, server.Config{Dir: dir}, 0, "status", "--control", control, "--json")
			return json.Unmarshal([]byte(out), &status) == nil && status.Connections >= 1 && status.Connections <= 4
		}) != nil {
			t.Errorf("%d connections are kept, want 1 to 4", status.Connections)
		}
	})
}

// checkGateway asks for everything through one server of nginx's.
func checkGateway(t *testing.T, dir, way, noted string) {
	client := clientOf(dir, way)
	defer client.CloseIdleConnections()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	large := strings.Repeat("0123456789abcdef", 1<<16)
	source, err := os.ReadFile(root(t, "tests", "e2e", "apps", "gateway.py"))
	must(t, err)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"a page", "GET", "/unread", "", 200, "not read"},
		{"HEAD", "HEAD", "/unread", "", 200, ""},
		{"HEAD of a long one", "HEAD", "/counted", "", 200, ""},
		{"no content", "GET", "/none", "", 204, ""},
		{"without a length", "GET", "/chunks", "", 200, numbersTogether(20000)},
		{"a long one", "GET", "/counted", "", 200, strings.Repeat("x", 1000000)},
		{"no early hints", "GET", "/hints", "", 200, "after hints"},
		{"a file", "GET", "/file", "", 200, string(source)},
		{"a small body", "POST", "/echo", "abc", 200, "abc"},
		{"1 MiB up and down", "POST", "/echo", large, 200, large},
		{"a body without a length", "PUT", "/echo", "chunked:" + large, 200, large},
		{"an early answer", "POST", "/early", large, 200, strings.Repeat("x", 10000) + fmt.Sprint(len(large))},
	} {
		body, chunked := strings.CutPrefix(c.body, "chunked:")
		request, err := http.NewRequest(c.method, "http://localhost"+c.path, strings.NewReader(body))
		must(t, err)
		if chunked {
			request.ContentLength = -1
		}
		a := read(client.Do(request))
		if a.err != nil || a.status != c.status || a.body != c.want {
			t.Errorf("%s: %d, %v, %d bytes: %.100q, want %d bytes", c.name, a.status, a.err, len(a.body), a.body, len(c.want))
		}
	}
	r, err := client.Get("http://localhost/moved")
	must(t, err)
	a := read(r, nil)
	if got := fmt.Sprint(a.status, r.Header["Location"], r.Header["Set-Cookie"], r.Header["X-Own"]); got != "303 [/elsewhere] [a=1 b=2; Path=/] [caf\xe9]" {
		t.Errorf("headers: %s", got)
	}
	checkGatewayEnvirons(t, dir, way)
	t.Run("as it comes", func(t *testing.T) { checkHeld(t, client) })
	t.Run("a client that goes", func(t *testing.T) {
		r, err := client.Get("http://localhost/endless?" + way)
		must(t, err)
		_, err = io.ReadFull(r.Body, make([]byte, 100000))
		must(t, err)
		r.Body.Close()
		awaitNote(t, noted, "gone-"+way)
	})
}

// checkHeld wants an answer's beginning while there is no more of it yet, since it says
// X-Accel-Buffering: no.
func checkHeld(t *testing.T, client *http.Client) {
	r, err := client.Get("http://localhost/held")
	must(t, err)
	first := make([]byte, 5)
	_, err = io.ReadFull(r.Body, first)
	must(t, err)
	must(t, read(client.Get("http://localhost/go")).err)
	if rest := read(r, nil); string(first) != "first" || rest.body != " last" {
		t.Errorf("%q and %q", first, rest.body)
	}
}

func numbersTogether(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprint(&b, i)
	}
	return b.String()
}

// checkGatewayEnvirons compares what a client has sent with what the application sees.
func checkGatewayEnvirons(t *testing.T, dir, way string) {
	for _, c := range []struct {
		path   string
		header http.Header
		want   map[string]string
	}{
		{"/caf%C3%A9/%2525//x?a=%20b", nil, map[string]string{"PATH_INFO": "/caf\u00c3\u00a9/%25/x", "REQUEST_URI": "/caf%C3%A9/%2525//x?a=%20b", "QUERY_STRING": "a=%20b",
			"SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", "REMOTE_ADDR": "unix:", "HTTP_HOST": "localhost"}},
		{"/", http.Header{"X-Two": {"a", "b"}, "Cookie": {"a=1; b=2"}, "X-Test-Client": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"10.0.0.1"}},
			map[string]string{"HTTP_X_TWO": "a, b", "HTTP_COOKIE": "a=1; b=2", "REMOTE_ADDR": "192.0.2.7", "wsgi.url_scheme": "http", "PATH_INFO": "/", "SCRIPT_NAME": ""}},
		{"/", http.Header{"X-Test-Client": {"127.0.0.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"10.0.0.1"}},
			map[string]string{"REMOTE_ADDR": "10.0.0.1", "wsgi.url_scheme": "https", "HTTPS": "on"}},
		{"/shop/caf%C3%A9", nil, map[string]string{"SCRIPT_NAME": "/shop", "PATH_INFO": "/caf\u00c3\u00a9", "REQUEST_URI": "/shop/caf%C3%A9"}},
	} {
		request, err := http.NewRequest("GET", "http://localhost"+c.path, nil)
		must(t, err)
		request.Header = c.header
		a := read(clientOf(dir, way).Do(request))
		got := map[string]string{}
		if err := json.Unmarshal([]byte(a.body), &got); a.err != nil || a.status != 200 || err != nil {
			t.Errorf("%s: %d, %v, %v", c.path, a.status, a.err, err)
			continue
		}
		for name, want := range c.want {
			if value, ok := got[name]; !ok || value != want {
				t.Errorf("%s: %s is %.100q, want %.100q", c.path, name, value, want)
			}
		}
	}
}

// An ASGI application gets requests of these protocols as it gets those of the others.
func TestGatewaysOfASGI(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	fast, simple := filepath.Join(dir, "f"), filepath.Join(dir, "s")
	start(t, server.Config{Application: "gateway_asgi:application", Bind: "fastcgi:unix:" + fast, Args: []string{"--workers", "1", "--bind", "scgi:unix:" + simple}})
	var variables []bridge.Field
	for _, v := range []string{"QUERY_STRING=a=b", "REQUEST_METHOD=POST", "REQUEST_URI=/caf%C3%A9%2f?a=b", "DOCUMENT_URI=/caf\xc3\xa9/", "SERVER_PROTOCOL=HTTP/2.0", "REQUEST_SCHEME=https",
		"REMOTE_ADDR=192.0.2.7", "REMOTE_PORT=5000", "SERVER_PORT=443", "SERVER_NAME=example.org", "HTTP_HOST=example.org", "REMOTE_USER=caf\xe9"} {
		name, value, _ := strings.Cut(v, "=")
		variables = append(variables, bridge.Field{Name: []byte(name), Value: []byte(value)})
	}
	fields := append(append([]bridge.Field(nil), variables...), bridge.Field{Name: []byte("CONTENT_LENGTH"), Value: []byte("3")})
	counted := fastcgi.AppendStdinEnd(fastcgi.AppendStdin(fastcgi.AppendRequest(nil, 1, true, fields), 1, []byte("abc")), 1)
	endless := fastcgi.AppendStdinEnd(fastcgi.AppendStdin(fastcgi.AppendRequest(nil, 1, true, variables), 1, []byte("abc")), 1)
	conn, in := dialUnix(t, fast)
	for _, sends := range [][]byte{counted, endless, counted} { // by one connection
		_, err := conn.Write(sends)
		must(t, err)
		a, err := fastcgi.ReadAnswer(in, 1)
		must(t, err)
		checkGatewayScope(t, "fastcgi", string(a.Stdout))
	}
	conn, in = dialUnix(t, simple)
	_, err := conn.Write(append(scgi.AppendRequest(nil, variables, 3), "abc"...))
	must(t, err)
	text, err := io.ReadAll(in)
	must(t, err)
	checkGatewayScope(t, "scgi", string(text))

	conn, in = dialUnix(t, fast)
	_, err = conn.Write(append(fastcgi.AppendRequest(nil, 1, true, []bridge.Field{{Name: []byte("DOCUMENT_URI"), Value: []byte("/left")}}), fastcgi.AppendStdinEnd(nil, 1)...))
	must(t, err)
	_, err = in.Peek(8)
	must(t, err)
	must(t, conn.(*net.UnixConn).CloseWrite())
	if a, err := fastcgi.ReadAnswer(in, 1); err != nil || !strings.HasSuffix(string(a.Stdout), "begun http.disconnect") {
		t.Errorf("who has closed his sending half gets %q, %v", a.Stdout, err)
	}
}

func dialUnix(t *testing.T, path string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(server.Patience)))
	return conn, bufio.NewReader(conn)
}

// checkGatewayScope compares a scope with what was sent.
func checkGatewayScope(t *testing.T, protocol, answer string) {
	t.Helper()
	head, body, _ := strings.Cut(answer, "\r\n\r\n")
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); !strings.Contains(head+"\r\n", "Status: 200 OK\r\n") || err != nil {
		t.Fatalf("%s: %v, %.300q", protocol, err, answer)
	}
	for name, want := range map[string]string{
		"type": "http", "method": "POST", "path": "/caf\u00e9/", "raw_path": "/caf%C3%A9%2f", "query_string": "a=b", "root_path": "", "http_version": "2",
		"scheme": "https", "client": "[192.0.2.7 5000]", "server": "[example.org 443]", "received": "abc",
	} {
		if fmt.Sprint(got[name]) != want {
			t.Errorf("%s: %s is %v, want %s", protocol, name, got[name], want)
		}
	}
	extensions, _ := got["extensions"].(map[string]any)
	variables, _ := extensions[protocol].(map[string]any)
	if variables["REMOTE_USER"] != "caf\u00e9" || variables["DOCUMENT_URI"] != "/caf\u00c3\u00a9/" && variables["DOCUMENT_URI"] != "/caf\u00e9/" {
		t.Errorf("%s: the extensions are %v", protocol, extensions)
	}
}
