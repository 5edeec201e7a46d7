package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gobridge/tests/certs"
	"gobridge/tests/nginx"
	"gobridge/tests/server"
)

// exampleAt is examples/nginx/NAME as it is, but for where things are.
func exampleAt(t *testing.T, name string, places map[string]string) string {
	t.Helper()
	return nginx.Example(t, root(t, "examples", "nginx", name), places)
}

func TestUwsgiExample(t *testing.T) {
	t.Parallel()
	dir, account := unprivileged(t)
	python := anyPython(t)
	s := start(t, server.Config{
		Application: "mysite.wsgi:application", Dir: root(t, "examples", "django"), Bind: "uwsgi:unix:" + filepath.Join(dir, "app"),
		Args: []string{"--python", python, "--workers", "2"}, Env: []string{"DATA_DIR=" + djangoData(t, python)},
	})
	config := exampleAt(t, "uwsgi.conf", map[string]string{
		"unix:/tmp/gobridge-example/app.sock fail": "unix:" + s.Address() + " fail", "listen 127.0.0.1:8080;": "listen unix:" + filepath.Join(dir, "site") + ";", "$host:$server_port;": "$host;",
	})
	static, err := exec.Command(python, "-c", "import django, os; print(os.path.join(os.path.dirname(django.__file__), 'contrib/admin/static/admin/css/base.css'))").Output()
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(dir, "static/admin/css"), 0o755))
	copyFile(t, strings.TrimSpace(string(static)), filepath.Join(dir, "static/admin/css/base.css"))
	startNginx(t, dir, account, config, "site")
	b := newBrowser(t, clientOf(dir, "site"), "http://localhost")
	if p := b.see("/static/admin/css/base.css"); p.header.Get("Cache-Control") != "max-age=3600" || p.header.Get("Server") == "gobridge" {
		t.Errorf("the style sheet is not nginx's: %v", p.header)
	}
	visitDjango(t, b, "by uwsgi")
}

// TestHTTPExample: the connection to the server is kept, and the application knows its client.
func TestHTTPExample(t *testing.T) {
	t.Parallel()
	dir, account := unprivileged(t)
	s := start(t, server.Config{Application: "app:app", Dir: root(t, "examples", "flask"), Bind: "unix:" + filepath.Join(dir, "app"), Args: []string{"--workers", "1"}})
	config := exampleAt(t, "http.conf", map[string]string{
		"unix:/tmp/gobridge-example/http.sock fail": "unix:" + s.Address() + " fail", "listen 127.0.0.1:8080;": "listen unix:" + filepath.Join(dir, "site") + ";", "$host:$server_port;": "$host;",
		"worker_processes auto;": "worker_processes 1;",
	})
	startNginx(t, dir, account, config, "site")
	b := newBrowser(t, clientOf(dir, "site"), "http://localhost")
	for range 10 {
		b.see("/info", `"url":"http://localhost/info"`)
	}
	uploadToFlask(b, false)
	before := len(s.Log())
	_, err := s.Usage()
	must(t, err)
	if line := s.Log()[before:]; !strings.Contains(line, " connections=1") {
		t.Errorf("the server has another number of connections than nginx's one: %s", line)
	}
}

// TestSuwsgiExample: the certificates are those of the commands that the example begins with.
func TestSuwsgiExample(t *testing.T) {
	t.Parallel()
	dir, account := unprivileged(t)
	const file, place = "suwsgi.conf", "/tmp/gobridge-example"
	text, err := os.ReadFile(root(t, "examples", "nginx", file))
	must(t, err)
	_, commands, found := strings.Cut(string(text), "#     mkdir ")
	commands, _, ends := strings.Cut(commands, "#     bin/gobridge ")
	if !found || !ends {
		t.Fatalf("%s does not say how to make the certificates", file)
	}
	script := strings.NewReplacer("#", "", place, dir).Replace("mkdir " + commands)
	if out, err := exec.Command("bash", "-euc", script).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, script, out)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.Chmod(in("web.key"), 0o644)) // nginx is somebody else here
	s := start(t, server.Config{Application: "app:app", Dir: root(t, "examples", "flask"), Bind: "suwsgi:127.0.0.1:0",
		Args: []string{"--workers", "1", "--log-level", "debug", "--certfile", in("app.pem"), "--keyfile", in("app.key"), "--ca-certs", in("ca.pem"), "--cert-reqs", "required"}})
	config := exampleAt(t, file, map[string]string{
		"server 127.0.0.1:3032 fail": "server " + s.Address() + " fail", "listen 127.0.0.1:8080;": "listen unix:" + in("site") + ";", "$host:$server_port;": "$host;",
		"worker_processes auto;": "worker_processes 1;", place + "/ca.pem": in("ca.pem"), place + "/web.pem": in("web.pem"), place + "/web.key": in("web.key"),
	})
	startNginx(t, dir, account, config, "site")
	b := newBrowser(t, clientOf(dir, "site"), "http://localhost")
	for range 3 {
		b.see("/info", `"url":"http://localhost/info"`)
	}
	uploadToFlask(b, false)
	if !regexp.MustCompile(`(?m)a TLS handshake is done.*resumed=true.*version=TLSv1.3`).MatchString(s.Log()) {
		t.Error("nginx has resumed no session")
	}
	asks := []string{"suwsgi:" + s.Address(), "/info", "--insecure"}
	(&requested{args: asks, code: 7, log: []string{"the server asks for a certificate"}}).check(t)
	(&requested{args: append(asks, "--cert", in("web.pem"), "--key", in("web.key")), out: `*"url":"http://127.0.0.1`}).check(t)
}

// TestTLSExample: the application knows that its client came by TLS, and who came without is led there.
func TestTLSExample(t *testing.T) {
	t.Parallel()
	dir, account := unprivileged(t)
	s := start(t, server.Config{Application: "app:app", Dir: root(t, "examples", "flask"), Bind: "uwsgi:unix:" + filepath.Join(dir, "app"), Args: []string{"--workers", "1"}})
	authority, err := certs.New("a test")
	must(t, err)
	must(t, authority.Write(filepath.Join(dir, "cert"), pkix.Name{CommonName: "localhost"}, "localhost"))
	config := exampleAt(t, "tls.conf", map[string]string{
		"unix:/tmp/gobridge-example/app.sock;": "unix:" + s.Address() + ";", "listen 127.0.0.1:8080;": "listen unix:" + filepath.Join(dir, "site") + ";", "$host:$server_port;": "$host;",
		"listen 127.0.0.1:8443 ssl": "listen unix:" + filepath.Join(dir, "secure") + " ssl", "/tmp/gobridge-example/cert.pem;": filepath.Join(dir, "cert.pem;"), "/tmp/gobridge-example/key.pem;": filepath.Join(dir, "cert.key;"),
	})
	startNginx(t, dir, account, config, "secure")
	plain := clientOf(dir, "site")
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if a := read(plain.Get("http://localhost/info?a=b")); a.status != http.StatusMovedPermanently || a.header.Get("Location") != "https://localhost:8443/info?a=b" {
		t.Errorf("without TLS: %+v", a)
	}
	secure := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: authority.Pool()},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", filepath.Join(dir, "secure"))
		},
	}}
	defer secure.CloseIdleConnections()
	r, err := secure.Get("https://localhost/info")
	must(t, err)
	if a := read(r, nil); r.ProtoMajor != 2 || a.status != http.StatusOK || !strings.Contains(a.body, `"url":"https://localhost/info"`) {
		t.Errorf("by TLS: %s %+v", r.Proto, a)
	}
	uploadToFlask(newBrowser(t, secure, "https://localhost"), false)
}
