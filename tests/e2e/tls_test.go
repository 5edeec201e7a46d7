package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"gobridge/protocol/websocket"
	"gobridge/tests/certs"
	"gobridge/tests/server"
)

// pki is a folder with ca.pem, and server, client and renewed with .pem and .key.
type pki struct {
	dir       string
	authority *certs.Authority
}

func newPKI(t *testing.T, dir string) *pki {
	t.Helper()
	authority, err := certs.New("a test")
	must(t, err)
	p := &pki{dir: dir, authority: authority}
	must(t, os.WriteFile(p.path("ca.pem"), authority.PEM, 0o644))
	must(t, authority.Write(p.path("server"), pkix.Name{CommonName: "localhost"}, "localhost", "127.0.0.1"))
	must(t, authority.Write(p.path("client"), pkix.Name{CommonName: "web 1", Organization: []string{"Grün"}}))
	return p
}

func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) args(reqs string) []string {
	return []string{"--certfile", p.path("server.pem"), "--keyfile", p.path("server.key"), "--ca-certs", p.path("ca.pem"), "--cert-reqs", reqs}
}

func pemText(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// config is a client's, with the client's certificate if it shows it.
func (p *pki) config(t *testing.T, shows bool) *tls.Config {
	t.Helper()
	c := &tls.Config{RootCAs: p.authority.Pool(), ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	if shows {
		pair, err := tls.LoadX509KeyPair(p.path("client.pem"), p.path("client.key"))
		must(t, err)
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// boundTo is where the server listens by a protocol, as its first line says.
func boundTo(t *testing.T, s *server.Server, protocol string) string {
	t.Helper()
	m := regexp.MustCompile(`\b` + protocol + `://([^\s,]+)`).FindStringSubmatch(s.Ready)
	if m == nil {
		t.Fatalf("no %s in %q", protocol, s.Ready)
	}
	return m[1]
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	p := newPKI(t, shortDir(t))
	content := bytes.Repeat([]byte("0123456789abcde\n"), 200000)
	must(t, os.WriteFile(p.path("sent"), content, 0o644))
	control := p.path("control")
	s := start(t, server.Config{Application: "encrypted:application", Bind: "https:127.0.0.1:0", Env: []string{"SENT=" + p.path("sent")},
		Args: append(p.args("optional"), "--workers", "1", "--bind", "suwsgi:127.0.0.1:0", "--control", control)})
	serial := p.check(t, s, "https", p.config(t, true), `CN=web 1,O=Grün`)
	p.check(t, s, "https", p.config(t, false), "")
	p.checkSuwsgi(t, s)

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: p.config(t, false)}}
	defer client.CloseIdleConnections()
	r, err := client.Post("https://"+s.Address()+"/", "", bytes.NewReader(content))
	must(t, err)
	if a := read(r, nil); a.body != fmt.Sprint(len(content)) {
		t.Errorf("an upload: %+v", a)
	}
	r, err = client.Get("https://" + s.Address() + "/file")
	must(t, err)
	if a := read(r, nil); sha256.Sum256([]byte(a.body)) != sha256.Sum256(content) {
		t.Errorf("a file has %d bytes, %v", len(a.body), a.err)
	}
	p.checkWebSocket(t, s)

	sessions := p.config(t, true)
	p.check(t, s, "https", sessions, `CN=web 1,O=Grün`)
	must(t, os.WriteFile(p.path("server.pem"), []byte("nonsense"), 0o644))
	out, err := s.Reload(control)
	if err != nil || !strings.Contains(out, "the certificate was not taken anew, and the old one stays") {
		t.Errorf("a reload with a bad certificate: %v, %s", err, out)
	}
	if p.check(t, s, "https", p.config(t, false), "") != serial {
		t.Error("there is another certificate")
	}
	must(t, p.authority.Write(p.path("server"), pkix.Name{CommonName: "localhost"}, "localhost"))
	must(t, s.Signal(syscall.SIGHUP))
	if _, err := s.AwaitLog("the certificate was taken anew"); err != nil {
		t.Error(err)
	}
	if p.check(t, s, "https", p.config(t, false), "") == serial {
		t.Error("the old certificate is still shown")
	}
	if serial := p.check(t, s, "https", sessions, `CN=web 1,O=Grün`); serial != "resumed" {
		t.Error("the session did not outlive the reload")
	}
}

// check asks by HTTP what the application knows of the connection. It returns the certificate's
// number, or "resumed".
func (p *pki) check(t *testing.T, s *server.Server, scheme string, config *tls.Config, name string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", boundTo(t, s, "https"), config)
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	must(t, err)
	a := read(http.ReadResponse(bufio.NewReader(conn), nil))
	state := conn.ConnectionState()
	p.compare(t, a.body, scheme, &state, name)
	if state.DidResume {
		return "resumed"
	}
	return state.PeerCertificates[0].SerialNumber.String()
}

// compare looks whether an application knows what is so (asgiref, TLS extension 0.2).
func (p *pki) compare(t *testing.T, text, scheme string, state *tls.ConnectionState, name string) {
	t.Helper()
	var got struct {
		Scheme string
		TLS    map[string]any
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	server, chain, subject := pemText(state.PeerCertificates[0].Raw), "[]", "<nil>"
	if state.DidResume { // what the client remembers may be an older one
		now, err := os.ReadFile(p.path("server.pem"))
		must(t, err)
		server = string(now)
	}
	if name != "" {
		client, err := os.ReadFile(p.path("client.pem"))
		must(t, err)
		chain, subject = "["+string(client)+"]", name
	}
	want := fmt.Sprintf("map[cipher_suite:%d client_cert_chain:%s client_cert_error:<nil> client_cert_name:%s server_cert:%s tls_version:%d]",
		state.CipherSuite, chain, subject, server, state.Version)
	if got.Scheme != scheme || fmt.Sprint(got.TLS) != want {
		t.Errorf("the scope has %s %v\nwant %s %s", got.Scheme, got.TLS, scheme, want)
	}
}

// checkSuwsgi does that by the uwsgi protocol, with a scheme that the web server names.
func (p *pki) checkSuwsgi(t *testing.T, s *server.Server) {
	t.Helper()
	conn, err := tls.Dial("tcp", boundTo(t, s, "suwsgi"), p.config(t, true))
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, packet(0, "REQUEST_METHOD=GET", "PATH_INFO=/", "HTTPS=on"))
	must(t, err)
	must(t, conn.CloseWrite())
	state := conn.ConnectionState()
	p.compare(t, read(http.ReadResponse(bufio.NewReader(conn), nil)).body, "https", &state, `CN=web 1,O=Grün`)
}

func (p *pki) checkWebSocket(t *testing.T, s *server.Server) {
	t.Helper()
	conn, err := tls.Dial("tcp", boundTo(t, s, "https"), p.config(t, true))
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	must(t, err)
	in := bufio.NewReader(conn)
	r, err := http.ReadResponse(in, nil)
	must(t, err)
	if r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake got %d", r.StatusCode)
	}
	state := conn.ConnectionState()
	p.compare(t, readText(t, in), "wss", &state, `CN=web 1,O=Grün`)
	long := strings.Repeat("a long message ", 10000)
	for _, text := range []string{"x", long} {
		header := websocket.AppendFrame(nil, &websocket.Frame{Kind: websocket.Text, First: true, Last: true, Size: len(text)})
		header[1] |= 0x80 // masked, with zeros
		_, err = conn.Write(append(append(header, 0, 0, 0, 0), text...))
		must(t, err)
		if got := readText(t, in); got != strings.ToUpper(text) {
			t.Errorf("%d bytes came back as %d", len(text), len(got))
		}
	}
}

// readText reads a message of a WebSocket's server.
func readText(t *testing.T, in *bufio.Reader) (text string) {
	t.Helper()
	for last := false; !last; {
		var head [2]byte
		_, err := io.ReadFull(in, head[:])
		must(t, err)
		last = head[0]&0x80 != 0
		size := int(head[1])
		for more := map[int]int{126: 2, 127: 8}[size]; more > 0; more-- {
			if size == 126 || size == 127 {
				size = 0
			}
			b, err := in.ReadByte()
			must(t, err)
			size = size<<8 | int(b)
		}
		piece := make([]byte, size)
		_, err = io.ReadFull(in, piece)
		must(t, err)
		text += string(piece)
	}
	return text
}

// suwsgiConfig passes requests on inside TLS, as both versions of it, with and without a certificate.
const suwsgiConfig = nginxBase + `	include /etc/nginx/uwsgi_params;
	uwsgi_next_upstream off;
	uwsgi_ssl_verify on;
	uwsgi_ssl_trusted_certificate %[1]s/ca.pem;
	uwsgi_ssl_name localhost;
	uwsgi_ssl_session_reuse on;
	uwsgi_ssl_certificate %[1]s/client.pem;
	uwsgi_ssl_certificate_key %[1]s/client.key;
	server {
		listen unix:%[1]s/tls12;
		location / { uwsgi_pass suwsgi://%[2]s; uwsgi_ssl_protocols TLSv1.2; }
	}
	server {
		listen unix:%[1]s/tls13;
		location / { include /etc/nginx/uwsgi_params; uwsgi_pass suwsgi://%[2]s; uwsgi_ssl_protocols TLSv1.3; uwsgi_param HTTPS on; uwsgi_request_buffering off; uwsgi_buffering off; }
	}
	server {
		listen unix:%[1]s/own;
		location / { include /etc/nginx/uwsgi_params; uwsgi_pass suwsgi://%[2]s; uwsgi_param HTTPS_DN "what nginx says"; uwsgi_param SSL_CLIENT_VERIFY NONE; }
	}
}
`

func TestSuwsgiBehindNginx(t *testing.T) {
	t.Parallel()
	dir, account := unprivileged(t)
	p := newPKI(t, dir)
	g := startGateway(t, append(p.args("required"), "--bind", "suwsgi:127.0.0.1:0", "--log-level", "debug")...)
	address := boundTo(t, g.Server, "suwsgi")
	startNginx(t, dir, account, fmt.Sprintf(suwsgiConfig, dir, address), "own")

	for _, c := range []struct {
		server string
		want   map[string]string
		not    string
	}{
		{"tls12", map[string]string{"wsgi.url_scheme": "http", "HTTPS_DN": "/O=Gr\u00c3\u00bcn/CN=web 1"}, "SSL_CLIENT_VERIFY"},
		{"tls13", map[string]string{"wsgi.url_scheme": "https", "HTTPS": "on", "HTTPS_DN": "/O=Gr\u00c3\u00bcn/CN=web 1"}, "SSL_CLIENT_S_DN"},
		{"own", map[string]string{"HTTPS_DN": "what nginx says", "SSL_CLIENT_VERIFY": "NONE"}, "SSL_PROTOCOL"},
	} {
		a := read(clientOf(dir, c.server).Get("http://localhost/x"))
		got := map[string]string{}
		if err := json.Unmarshal([]byte(a.body), &got); a.status != 200 || err != nil {
			t.Fatalf("%s: %+v, %v", c.server, a, err)
		}
		for name, want := range c.want {
			if got[name] != want {
				t.Errorf("%s: %s is %q, want %q", c.server, name, got[name], want)
			}
		}
		if value, ok := got[c.not]; ok {
			t.Errorf("%s: %s is there: %q", c.server, c.not, value)
		}
	}
	body := bytes.Repeat([]byte("x"), 900000)
	sum := fmt.Sprintf("%d %x", len(body), sha256.Sum256(body))
	for _, way := range []string{"tls12", "tls13"} {
		for range 10 {
			if a := postAhead(filepath.Join(dir, way), "/body", body); a.err != nil || a.status != 200 || a.body != sum {
				t.Errorf("%s: an upload: %d, %v, %.100s", way, a.status, a.err, a.body)
			}
			if a := postAhead(filepath.Join(dir, way), "/unread", body); a.err != nil || a.status != 200 || a.body != "not read" {
				t.Errorf("%s: one that nobody reads: %d, %v, %.100s", way, a.status, a.err, a.body)
			}
		}
	}
	for _, version := range []string{"TLSv1.2", "TLSv1.3"} {
		if !regexp.MustCompile(`(?m)a TLS handshake is done.*resumed=true.*version=` + version).MatchString(g.Log()) {
			t.Errorf("nginx has resumed no session of %s", version)
		}
	}
	checkOpenSSL(t, p, g, address)
	checkStrangers(t, p, g, address)
}

// checkOpenSSL resumes a session over a reload, as openssl s_client does.
func checkOpenSSL(t *testing.T, p *pki, g *gateway, address string) {
	sends := packet(0, "REQUEST_METHOD=GET", "PATH_INFO=/unread")
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		session := p.path("session" + version)
		ask := func(arg, want string) {
			t.Helper()
			command := exec.Command("openssl", "s_client", "-connect", address, version, "-CAfile", p.path("ca.pem"), "-verify_return_error",
				"-servername", "localhost", "-cert", p.path("client.pem"), "-key", p.path("client.key"), "-ign_eof", arg, session)
			command.Stdin = strings.NewReader(sends)
			out, err := command.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "not read") || !strings.Contains(string(out), want) {
				t.Errorf("openssl %s %s: %v, want %q in\n%s", version, arg, err, want, out)
			}
		}
		ask("-sess_out", "New, ")
		if out, err := g.Reload(g.control); err != nil {
			t.Errorf("reload: %v, %s", err, out)
		}
		ask("-sess_in", "Reused, ")
	}
}

// checkStrangers has others come to the port, and TLS to others' ports.
func checkStrangers(t *testing.T, p *pki, g *gateway, address string) {
	logged := func(text string, f func()) { // of lines in a second the first is written
		t.Helper()
		if err := server.Await(func() bool { f(); return strings.Contains(g.Log(), text) }); err != nil {
			t.Errorf("the log has no line with %q", text)
		}
	}
	for sends, want := range map[string]string{
		packet(0, "REQUEST_METHOD=GET"):     "this is the uwsgi protocol without TLS",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n": "this is HTTP without TLS",
	} {
		logged(want, func() {
			conn, err := net.Dial("tcp", address)
			must(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, sends)
			must(t, err)
			if a := read(http.ReadResponse(bufio.NewReader(conn), nil)); a.status != 400 || !strings.HasPrefix(a.body, want) {
				t.Errorf("%q gets %+v", sends, a)
			}
		})
	}
	for plain, want := range map[string]string{g.Address(): "this is TLS, and the port speaks the uwsgi protocol", g.http: "this is TLS, and the port speaks plain HTTP"} {
		logged(want, func() {
			if _, err := tls.Dial("tcp", plain, p.config(t, true)); err == nil {
				t.Errorf("%s speaks TLS", plain)
			}
		})
	}
	logged("client didn't provide a certificate", func() {
		conn, err := tls.Dial("tcp", address, p.config(t, false))
		if err == nil { // as TLS 1.3 has it, the refusal comes with the first bytes
			_, err = conn.Read(make([]byte, 1))
			conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("without a certificate: %v", err)
		}
	})
	asks := []string{"suwsgi:" + address, "/unread", "--cacert", p.path("ca.pem")}
	(&requested{args: asks, code: 7, log: []string{"the server asks for a certificate: --cert and --key show it one"}}).check(t)
	(&requested{args: append(asks, "--cert", p.path("client.pem"), "--key", p.path("client.key")), out: "not read"}).check(t)
}
