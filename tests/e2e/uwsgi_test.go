package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gobridge/tests/server"
)

// packet makes a uwsgi packet of "NAME=value" texts.
func packet(modifier byte, variables ...string) string {
	var block []byte
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		for _, text := range []string{name, value} {
			block = append(binary.LittleEndian.AppendUint16(block, uint16(len(text))), text...)
		}
	}
	return string(append([]byte{modifier, byte(len(block)), byte(len(block) >> 8), 0}, block...))
}

// gateway is apps/gateway.py, by the uwsgi protocol on a port and on a unix socket, and by HTTP.
type gateway struct {
	*server.Server
	socket, control, noted string
	http                   string // HOST:PORT
}

func startGateway(t *testing.T, args ...string) *gateway {
	t.Helper()
	dir := shortDir(t)
	noted, variable := notes(t)
	g := &gateway{socket: filepath.Join(dir, "app"), control: filepath.Join(dir, "control"), noted: noted}
	g.Server = start(t, server.Config{Application: "gateway:application", Bind: "uwsgi:127.0.0.1:0", Env: []string{variable, "GATEWAY=yes"},
		Args: append([]string{"--bind", "uwsgi:unix:" + g.socket, "--bind", "127.0.0.1:0", "--control", g.control, "--workers", "2", "--access-log", "-"}, args...)})
	m := regexp.MustCompile(`http://([^\s,]+)`).FindStringSubmatch(g.Ready)
	if m == nil || !strings.Contains(g.Ready, "uwsgi://"+g.Address()+", ") || !strings.Contains(g.Ready, ", uwsgi:unix:"+g.socket+", ") {
		t.Fatalf("the server says %q", g.Ready)
	}
	g.http = m[1]
	return g
}

// ask sends bytes to one of the addresses and reads the answer, which must end with the connection.
func (g *gateway) ask(t *testing.T, network, sends, method string) (status int, body string) {
	t.Helper()
	address := g.Address()
	if network == "unix" {
		address = g.socket
	}
	conn, err := net.Dial(network, address)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(server.Patience)))
	go io.WriteString(conn, sends)
	c := &connection{Conn: conn}
	all, err := io.ReadAll(conn)
	must(t, err)
	if strings.Contains(string(all), "\r\nTransfer-Encoding") || strings.Contains(string(all), "\r\nConnection:") {
		t.Errorf("the answer speaks of its connection: %.300s", all)
	}
	c.in = bufio.NewReader(bytes.NewReader(all))
	a := c.receive(method)
	must(t, a.err)
	return a.status, a.body
}

// environ asks for the variables that the application sees.
func (g *gateway) environ(t *testing.T, network, sends string) map[string]string {
	t.Helper()
	status, body := g.ask(t, network, sends, "GET")
	got := map[string]string{}
	if err := json.Unmarshal([]byte(body), &got); status != http.StatusOK || err != nil {
		t.Fatalf("%d, %v: %.300s", status, err, body)
	}
	return got
}

// Each line of the table of corner cases, on the wire.
func TestUwsgi(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			checkEnvirons(t, g, network)
			for _, c := range []struct {
				name, sends, method string
				status              int
				body                string
			}{
				{"HEAD", packet(0, "REQUEST_METHOD=HEAD", "PATH_INFO=/unread"), "HEAD", 200, ""},
				{"a body behind it", packet(0, "REQUEST_METHOD=POST", "PATH_INFO=/body", "CONTENT_LENGTH=3") + "abc", "POST", 200, "3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
				{"a coding that is gone", packet(0, "REQUEST_METHOD=POST", "PATH_INFO=/body", "CONTENT_LENGTH=3", "HTTP_TRANSFER_ENCODING=chunked") + "abc", "POST", 200, "3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
				{"a body that is kept back", packet(0, "REQUEST_METHOD=POST", "PATH_INFO=/body", "HTTP_CONTENT_LENGTH=3"), "POST", 200, "0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
				{"a body not read", packet(0, "REQUEST_METHOD=POST", "PATH_INFO=/unread", "CONTENT_LENGTH=900000") + strings.Repeat("x", 900000), "POST", 200, "not read"},
				{"more than the body", packet(0, "PATH_INFO=/unread", "CONTENT_LENGTH=3") + strings.Repeat("x", 90000), "GET", 200, "not read"},
				{"no early hints", packet(0, "PATH_INFO=/hints", "SERVER_PROTOCOL=HTTP/1.1"), "GET", 200, "after hints"},
				{"two lengths", packet(0, "CONTENT_LENGTH=3", "CONTENT_LENGTH=4"), "GET", 400, "CONTENT_LENGTH is there twice, with different values\n"},
				{"no length", packet(0, "CONTENT_LENGTH=3abc"), "GET", 400, "CONTENT_LENGTH in the uwsgi packet is not a number\n"},
				{"an empty name", packet(0, "=x"), "GET", 400, "variable 1 of the uwsgi packet has an empty name\n"},
				{"a value too long", "\x00\x06\x00\x00\x01\x00A\x02\x00b", "GET", 400, "the value of variable 1 is 2 bytes long, and the uwsgi packet has only 1 left\n"},
				{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 400, "*this is HTTP, and the port speaks the uwsgi protocol"},
				{"TLS", "\x16\x03\x01\x02\x00\x01\x00", "GET", 400, "*this is TLS"},
				{"a cache's", packet(111), "GET", 501, "*modifier is 111 (a cache)"},
			} {
				status, body := g.ask(t, network, c.sends, c.method)
				if want, part := strings.CutPrefix(c.body, "*"); status != c.status || body != c.body && !(part && strings.Contains(body, want)) {
					t.Errorf("%s: %d %q", c.name, status, body)
				}
			}
		})
	}
	t.Run("a ping", func(t *testing.T) {
		conn, err := g.Dial()
		must(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, packet(100))
		must(t, err)
		if got, err := io.ReadAll(conn); string(got) != "d\x00\x00\x01" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("ends", func(t *testing.T) { checkEnds(t, g) })
	t.Run("by HTTP", func(t *testing.T) {
		r, err := http.Get("http://" + g.http + "/a%2520b")
		must(t, err)
		if a := read(r, nil); a.status != 200 || !strings.Contains(a.body, `"PATH_INFO": "/a%20b"`) {
			t.Errorf("%+v", a)
		}
	})
	for _, text := range []string{"names code to load", "sends no REQUEST_METHOD", "names begin with wsgi."} {
		if n := strings.Count(g.Log(), text); n != 1 {
			t.Errorf("the log says %q %d times", text, n)
		}
	}
	if !strings.Contains(g.Log(), "a malformed request was refused") {
		t.Errorf("the log has no line of what was refused")
	}
	if server.Await(func() bool { return strings.Contains(g.Output(), `"GET /caf%C3%A9%2f?a=b HTTP/2.0" 200`) }) != nil || !strings.Contains(g.Output(), "\n192.0.2.7 - - [") {
		t.Errorf("the access log has\n%s", g.Output())
	}
}

// checkEnvirons compares what is sent with what the application sees.
func checkEnvirons(t *testing.T, g *gateway, network string) {
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("SITE_%04d=%d", i, i))
	}
	evil := filepath.Join(t.TempDir(), "evil.py")
	must(t, os.WriteFile(evil, []byte("import os\nos.environ['GATEWAY'] = 'evil'\n"), 0o644))
	for _, c := range []struct {
		name  string
		sends string
		want  map[string]string
		not   string
	}{
		{"nothing", packet(0), map[string]string{"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_PROTOCOL": "HTTP/1.0", "wsgi.url_scheme": "http"}, "CONTENT_LENGTH"},
		{"what nginx sends", packet(0, "QUERY_STRING=a=b", "REQUEST_METHOD=GET", "CONTENT_TYPE=", "CONTENT_LENGTH=", "REQUEST_URI=/caf%C3%A9%2f?a=b", "PATH_INFO=/caf\xc3\xa9/%20",
			"DOCUMENT_ROOT=/srv", "SERVER_PROTOCOL=HTTP/2.0", "REQUEST_SCHEME=https", "HTTPS=on", "REMOTE_ADDR=192.0.2.7", "REMOTE_PORT=5000", "SERVER_PORT=443", "SERVER_NAME=example.org",
			"HTTP_HOST=example.org", "HTTP_X_FORWARDED_PROTO=http", "HTTP_X_A=1", "HTTP_COOKIE=a=1", "HTTP_X_A=2", "HTTP_COOKIE=b=2", "HTTP_TRANSFER_ENCODING=chunked"),
			map[string]string{"QUERY_STRING": "a=b", "CONTENT_TYPE": "", "REQUEST_URI": "/caf%C3%A9%2f?a=b", "PATH_INFO": "/caf\u00c3\u00a9/%20", "DOCUMENT_ROOT": "/srv", "SERVER_PROTOCOL": "HTTP/2.0",
				"wsgi.url_scheme": "https", "HTTPS": "on", "REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "5000", "SERVER_PORT": "443", "SERVER_NAME": "example.org",
				"HTTP_HOST": "example.org", "HTTP_X_A": "1, 2", "HTTP_COOKIE": "a=1; b=2", "HTTP_X_FORWARDED_PROTO": "http"}, "HTTP_TRANSFER_ENCODING"},
		{"a spoofed scheme", packet(0, "REMOTE_ADDR=192.0.2.7", "HTTP_X_FORWARDED_PROTO=https", "HTTP_X_FORWARDED_SSL=on", "HTTP_X_FORWARDED_FOR=10.0.0.1"), map[string]string{"wsgi.url_scheme": "http", "REMOTE_ADDR": "192.0.2.7"}, "HTTPS"},
		{"a proxy before the web server", packet(0, "REMOTE_ADDR=127.0.0.1", "HTTP_X_FORWARDED_PROTO=https", "HTTP_X_FORWARDED_FOR=10.0.0.1"), map[string]string{"wsgi.url_scheme": "https", "HTTPS": "on", "REMOTE_ADDR": "10.0.0.1"}, ""},
		{"a mounted path", packet(30, "SCRIPT_NAME=/shop", "PATH_INFO=/shop/x"), map[string]string{"SCRIPT_NAME": "/shop", "PATH_INFO": "/x"}, ""},
		{"a path as it is", packet(0, "SCRIPT_NAME=/shop", "PATH_INFO=/shop/x"), map[string]string{"SCRIPT_NAME": "/shop", "PATH_INFO": "/shop/x"}, ""},
		{"a thousand", packet(0, many...), map[string]string{"SITE_0000": "0", "SITE_0999": "999"}, ""},
		{"the full block", packet(0, "X="+strings.Repeat("x", 65535-5)), map[string]string{"X": strings.Repeat("x", 65535-5)}, ""},
		{"names of any kind", packet(0, "remote_user=x", "SSL-Cert=a\nb", strings.Repeat("n", 300)+"=1", "A=1", "A=2"), map[string]string{"remote_user": "x", "SSL-Cert": "a\nb", strings.Repeat("n", 300): "1", "A": "2"}, ""},
		{"code", packet(0, "UWSGI_FILE="+evil, "UWSGI_SCRIPT=evil:application", "UWSGI_CHDIR="+filepath.Dir(evil), "UWSGI_SETENV=GATEWAY=no", "wsgi.url_scheme=evil"),
			map[string]string{"UWSGI_FILE": evil, "wsgi.url_scheme": "http", "process's": "yes"}, ""},
	} {
		got := g.environ(t, network, c.sends)
		for name, want := range c.want {
			if value, ok := got[name]; !ok || value != want {
				t.Errorf("%s: %s is %.100q, want %.100q", c.name, name, value, want)
			}
		}
		if value, ok := got[c.not]; ok {
			t.Errorf("%s: %s is there: %q", c.name, c.not, value)
		}
	}
}

// checkEnds: who closes his sending half is answered; whoever goes amid something is told of.
func checkEnds(t *testing.T, g *gateway) {
	conn, err := net.Dial("unix", g.socket)
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, packet(0, "PATH_INFO=/unread"))
	must(t, err)
	must(t, conn.(*net.UnixConn).CloseWrite())
	if all, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(all), "\r\n\r\nnot read") {
		t.Errorf("half-closed: %v, %q", err, all)
	}
	for _, network := range []string{"tcp", "unix"} {
		address := g.Address()
		if network == "unix" {
			address = g.socket
		}
		gone, err := net.Dial(network, address)
		must(t, err)
		_, err = io.WriteString(gone, packet(0, "PATH_INFO=/endless", "QUERY_STRING="+network))
		must(t, err)
		_, err = io.ReadFull(gone, make([]byte, 20000))
		must(t, err)
		must(t, gone.Close())
		awaitNote(t, g.noted, "gone-"+network)
	}
	part, err := g.Dial()
	must(t, err)
	_, err = io.WriteString(part, packet(0, "PATH_INFO=/unread")[:9])
	must(t, err)
	must(t, part.(*net.TCPConn).CloseWrite())
	if _, err := g.AwaitLog("a uwsgi packet is not whole"); err != nil {
		t.Error(err)
	}
	part.Close()
}

// An ASGI application has what it knows in its scope, and all that was sent among the extensions.
func TestUwsgiOfASGI(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(shortDir(t), "app")
	g := &gateway{socket: socket, Server: start(t, server.Config{Application: "gateway_asgi:application", Bind: "uwsgi:unix:" + socket, Args: []string{"--workers", "1"}})}
	status, body := g.ask(t, "unix", packet(0, "QUERY_STRING=a=b", "REQUEST_METHOD=post", "CONTENT_LENGTH=3", "REQUEST_URI=/caf%C3%A9%2f?a=b", "PATH_INFO=/caf\xc3\xa9/%20",
		"SERVER_PROTOCOL=HTTP/2.0", "REQUEST_SCHEME=https", "REMOTE_ADDR=192.0.2.7", "REMOTE_PORT=5000", "SERVER_PORT=443", "SERVER_NAME=example.org",
		"HTTP_HOST=example.org", "HTTP_X_A=1", "HTTP_X_A=2", "REMOTE_USER=caf\xe9", "SSL_CLIENT_VERIFY=SUCCESS", "HTTP_UPGRADE=websocket", "HTTP_CONNECTION=upgrade")+"abc", "POST")
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); status != 200 || err != nil {
		t.Fatalf("%d, %v: %s", status, err, body)
	}
	for name, want := range map[string]string{
		"type": "http", "method": "POST", "path": "/caf\u00e9/%20", "raw_path": "/caf%C3%A9%2f", "query_string": "a=b", "root_path": "", "http_version": "2",
		"scheme": "https", "client": "[192.0.2.7 5000]", "server": "[example.org 443]", "received": "abc",
		"headers": "[[host example.org] [x-a 1] [x-a 2] [upgrade websocket] [connection upgrade] [content-length 3]]",
	} {
		if fmt.Sprint(got[name]) != want {
			t.Errorf("%s is %v, want %s", name, got[name], want)
		}
	}
	extensions, _ := got["extensions"].(map[string]any)
	variables, _ := extensions["uwsgi"].(map[string]any)
	for name, want := range map[string]string{"REMOTE_USER": "caf\u00e9", "SSL_CLIENT_VERIFY": "SUCCESS", "REQUEST_URI": "/caf%C3%A9%2f?a=b", "REMOTE_ADDR": "192.0.2.7", "REQUEST_SCHEME": "https"} {
		if variables[name] != want {
			t.Errorf("%s among the extensions is %v, want %s", name, variables[name], want)
		}
	}
	if variables["HTTP_HOST"] != nil || extensions["http.response.early_hint"] != nil || extensions["http.response.trailers"] != nil {
		t.Errorf("the extensions are %v", extensions)
	}
	if status, body = g.ask(t, "unix", packet(0), "GET"); status != 200 || !strings.Contains(body, `"server": ["`+socket+`", null]`) || !strings.Contains(body, `"client": null`) {
		t.Errorf("a packet of nothing: %d %s", status, body)
	}
	conn, err := net.Dial("unix", socket)
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, packet(0, "PATH_INFO=/left"))
	must(t, err)
	in := bufio.NewReader(conn)
	for line := "x"; line != "\r\n"; {
		line, err = in.ReadString('\n')
		must(t, err)
	}
	must(t, conn.(*net.UnixConn).CloseWrite())
	if rest, err := io.ReadAll(in); err != nil || string(rest) != "begun http.disconnect" {
		t.Errorf("who has closed his sending half gets %q, %v", rest, err)
	}
}
