package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gobridge/tests/server"
)

// uwsgiConfig passes requests on by the uwsgi protocol, in several ways, and tries nothing twice.
// What a test says of its client in X-Test-Client is taken for its address.
const uwsgiConfig = nginxBase + `	include /etc/nginx/uwsgi_params;
	uwsgi_next_upstream off;
	set_real_ip_from unix:;
	real_ip_header X-Test-Client;
	server {
		listen unix:%[1]s/buffered;
		location / { uwsgi_pass unix:%[2]s; }
	}
	server {
		listen unix:%[1]s/streamed;
		location / {
			uwsgi_pass unix:%[2]s;
			uwsgi_request_buffering off;
			uwsgi_buffering off;
		}
	}
	server {
		listen unix:%[1]s/bare;
		location / {
			uwsgi_param SERVER_PROTOCOL $server_protocol;
			uwsgi_pass unix:%[2]s;
		}
		location /shop {
			include /etc/nginx/uwsgi_params;
			uwsgi_param SCRIPT_NAME /shop;
			uwsgi_modifier1 30;
			uwsgi_pass unix:%[2]s;
		}
		location /php {
			include /etc/nginx/uwsgi_params;
			uwsgi_modifier1 14;
			uwsgi_pass unix:%[2]s;
		}
		location /second {
			include /etc/nginx/uwsgi_params;
			uwsgi_modifier2 7;
			uwsgi_pass unix:%[2]s;
		}
	}
	server {
		listen unix:%[1]s/large;
		location / {
			include /etc/nginx/uwsgi_params;
			%[4]s
			uwsgi_pass unix:%[2]s;
		}
		location /many {
			include /etc/nginx/uwsgi_params;
			%[5]s
			uwsgi_pass unix:%[2]s;
		}
	}
	server {
		listen unix:%[1]s/taken;
		location / { uwsgi_pass unix:%[6]s; }
	}
	server {
		listen unix:%[1]s/passed;
		location / {
			uwsgi_pass unix:%[6]s;
			uwsgi_request_buffering off;
			uwsgi_buffering off;
		}
	}
	server {
		listen unix:%[1]s/flask;
		location / { uwsgi_pass unix:%[3]s; }
	}
}
`

func TestUwsgiBehindNginx(t *testing.T) {
	t.Parallel()
	dir, account := unprivileged(t)
	g, taken := startGateway(t, "--buffer-request", "off"), startGateway(t, "--workers", "1", "--threads", "2")
	flask := start(t, server.Config{Application: "app:app", Dir: root(t, "examples", "flask"), Bind: "uwsgi:unix:" + filepath.Join(dir, "app"),
		Args: []string{"--workers", "1"}})
	var large, many strings.Builder
	for i := range 16 { // nginx takes 4096 bytes of each
		fmt.Fprintf(&large, "uwsgi_param LARGE_%02d %s;\n", i, strings.Repeat("x", 4000))
	}
	for i := range 1000 {
		fmt.Fprintf(&many, "uwsgi_param SITE_%04d %d;\n", i, i)
	}
	for _, each := range []*gateway{g, taken} { // their sockets lie in folders that only their owner may enter
		must(t, os.Chmod(filepath.Dir(each.socket), 0o755))
	}
	startNginx(t, dir, account, fmt.Sprintf(uwsgiConfig, dir, g.socket, flask.Address(), large.String(), many.String(), taken.socket), "flask")

	t.Run("environ", func(t *testing.T) { checkEnvironsOfNginx(t, dir) })
	t.Run("bodies that nobody reads", func(t *testing.T) { checkUnread(t, dir) })
	t.Run("reloads", func(t *testing.T) { checkReloads(t, dir, g) })
	t.Run("killed workers", func(t *testing.T) { checkKilled(t, dir, g) })
	t.Run("clients that go", func(t *testing.T) {
		client := clientOf(dir, "streamed")
		r, err := client.Get("http://localhost/endless?client")
		must(t, err)
		_, err = io.ReadFull(r.Body, make([]byte, 100000))
		must(t, err)
		r.Body.Close()
		client.CloseIdleConnections()
		awaitNote(t, g.noted, "gone-client")
	})
	t.Run("as it comes", func(t *testing.T) { checkHeld(t, clientOf(dir, "taken")) })
	t.Run("modifiers", func(t *testing.T) {
		if a := read(clientOf(dir, "bare").Get("http://localhost/php")); a.status != http.StatusNotImplemented || !strings.Contains(a.body, "modifier is 14 (PHP)") {
			t.Errorf("another language's: %+v", a)
		}
	})
	t.Run("asked by gobridge request", func(t *testing.T) {
		(&requested{args: []string{"unix:" + filepath.Join(dir, "buffered"), "/body", "-d", "abc", "-H", "Content-Type: text/plain"}, out: sumOfABC}).check(t)
	})
	t.Run("flask", func(t *testing.T) {
		b := newBrowser(t, clientOf(dir, "flask"), "http://localhost")
		b.see("/", "Hello!")
		b.post("/name", url.Values{"name": {"Grüße & co"}})
		b.see("/", "Grüße &amp; co")
		for _, chunked := range []bool{false, true} {
			uploadToFlask(b, chunked)
		}
		if got, want := b.see("/count/20000").body, numbers(20000); got != want {
			t.Errorf("the stream has %d bytes, want %d", len(got), len(want))
		}
	})
}

// checkEnvironsOfNginx compares what a client has sent with what the application sees.
func checkEnvironsOfNginx(t *testing.T, dir string) {
	for _, c := range []struct {
		server, path string
		header       http.Header
		want         map[string]string
	}{
		{"buffered", "/caf%C3%A9/%2525//x?a=%20b", nil, map[string]string{"PATH_INFO": "/caf\u00c3\u00a9/%25/x", "REQUEST_URI": "/caf%C3%A9/%2525//x?a=%20b", "QUERY_STRING": "a=%20b",
			"SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", "REMOTE_ADDR": "unix:", "HTTP_HOST": "localhost", "CONTENT_LENGTH": ""}},
		{"buffered", "/", http.Header{"X-Two": {"a", "b"}, "X-Test-Client": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Ssl": {"on"}, "X-Forwarded-For": {"10.0.0.1"}},
			map[string]string{"HTTP_X_TWO": "a, b", "REMOTE_ADDR": "192.0.2.7", "wsgi.url_scheme": "http", "HTTP_X_FORWARDED_PROTO": "https"}},
		{"buffered", "/", http.Header{"X-Test-Client": {"127.0.0.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {"10.0.0.1"}},
			map[string]string{"REMOTE_ADDR": "10.0.0.1", "wsgi.url_scheme": "https", "HTTPS": "on"}},
		{"bare", "/a?b", nil, map[string]string{"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_USER_AGENT": "Go-http-client/1.1"}},
		{"bare", "/second", nil, map[string]string{"PATH_INFO": "/second"}},
		{"bare", "/shop/x", nil, map[string]string{"SCRIPT_NAME": "/shop", "PATH_INFO": "/x", "REQUEST_URI": "/shop/x"}},
		{"large", "/", nil, map[string]string{"LARGE_00": strings.Repeat("x", 4000), "LARGE_15": strings.Repeat("x", 4000), "PATH_INFO": "/"}},
		{"large", "/many", nil, map[string]string{"SITE_0000": "0", "SITE_0999": "999", "PATH_INFO": "/many"}},
	} {
		request, err := http.NewRequest("GET", "http://localhost"+c.path, nil)
		must(t, err)
		request.Header = c.header
		a := read(clientOf(dir, c.server).Do(request))
		got := map[string]string{}
		if err := json.Unmarshal([]byte(a.body), &got); a.err != nil || a.status != 200 || err != nil {
			t.Errorf("%s%s: %d, %v, %v", c.server, c.path, a.status, a.err, err)
			continue
		}
		for name, want := range c.want {
			if value, ok := got[name]; !ok || value != want {
				t.Errorf("%s%s: %s is %.100q, want %.100q", c.server, c.path, name, value, want)
			}
		}
	}
}

// checkUnread sends bodies to views that do not read them, and to one that answers first: no
// answer may become nginx's own. nginx sends no more of a body when it has seen the answer's
// head, so that only a server that takes bodies in has the rest for the view.
func checkUnread(t *testing.T, dir string) {
	body := bytes.Repeat([]byte("x"), 900000)
	var clients sync.WaitGroup
	for _, way := range []string{"buffered", "streamed", "taken", "passed"} {
		for range 2 {
			clients.Go(func() {
				for i := range 40 { // 320 times in all
					path, want := "/unread", "not read"
					if i%2 == 1 && (way == "taken" || way == "passed") {
						path, want = "/early", strings.Repeat("x", 10000)+"900000"
					}
					a := postAhead(filepath.Join(dir, way), path, body)
					if a.err != nil || a.status != 200 || a.body != want {
						t.Errorf("%s %s: %d, %v, %d bytes", way, path, a.status, a.err, len(a.body))
						return
					}
				}
			})
		}
	}
	clients.Wait()
}

// postAhead sends a body as far as it is taken, whatever comes meanwhile, and reads the answer.
// (A client of net/http may give up when the answer comes first.)
func postAhead(socket, path string, body []byte) answer {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return answer{err: err}
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(server.Patience)); err != nil {
		return answer{err: err}
	}
	go func() {
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, len(body)); err == nil {
			conn.Write(body)
		}
	}()
	return read(http.ReadResponse(bufio.NewReader(conn), nil))
}

// checkReloads reloads the application ten times under load: every request is answered by it.
func checkReloads(t *testing.T, dir string, g *gateway) {
	var clients sync.WaitGroup
	var stop atomic.Bool
	var count atomic.Int64
	for range 4 {
		clients.Go(func() {
			client := clientOf(dir, "buffered")
			defer client.CloseIdleConnections()
			for !stop.Load() {
				if a := read(client.Post("http://localhost/body", "text/plain", strings.NewReader("abc"))); a.err != nil || a.status != 200 || !strings.HasPrefix(a.body, "3 ") {
					t.Errorf("amid a reload: %d, %v, %s", a.status, a.err, a.body)
					return
				}
				count.Add(1)
			}
		})
	}
	for range 10 {
		if out, err := g.Reload(g.control); err != nil {
			t.Errorf("reload: %v, %s", err, out)
		}
	}
	stop.Store(true)
	clients.Wait()
	if count.Load() == 0 {
		t.Error("nothing was asked meanwhile")
	}
}

// checkKilled kills workers under load. A request that one had begun is answered with gobridge's
// own 502, every other one by the application, and none is begun twice.
func checkKilled(t *testing.T, dir string, g *gateway) {
	var clients sync.WaitGroup
	var stop atomic.Bool
	var last atomic.Int64
	var answers sync.Map // of an id
	for range 4 {
		clients.Go(func() {
			client := clientOf(dir, "buffered")
			defer client.CloseIdleConnections()
			for !stop.Load() {
				id := last.Add(1)
				answers.Store(id, read(client.Get(fmt.Sprintf("http://localhost/begun?%d", id))))
			}
		})
	}
	killed := map[int]bool{}
	for i := range 5 {
		workers := g.Workers()
		pid := workers[i%len(workers)]
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		killed[pid] = true
		awaitWorkers(t, g.Server, 2, pid)
	}
	stop.Store(true)
	clients.Wait()

	begun, lost := whoBegan(t, g.noted), whoseEnd(t, g, killed)
	answers.Range(func(id, each any) bool {
		a, pid := each.(answer), begun[id.(int64)]
		switch {
		case a.err == nil && a.status == http.StatusOK && a.body == strconv.Itoa(pid) && !lost[id.(int64)]:
		case a.err == nil && a.status == http.StatusBadGateway && lost[id.(int64)] && (pid == 0 || killed[pid]) && // it may not have come to its note
			strings.Contains(a.body, "The application's process ended before it had answered"):
			delete(lost, id.(int64))
		default:
			t.Errorf("request %d, which worker %d had begun, of which were killed %v: %d, %v, %s", id, pid, killed, a.status, a.err, a.body)
		}
		return true
	})
	if len(lost) > 0 {
		t.Errorf("of requests that workers had begun these were never asked: %v", lost)
	}
}

// whoseEnd are the requests that dead workers had begun, as the server says. Each runs one at a
// time, and the test wants at least one to have.
func whoseEnd(t *testing.T, g *gateway, killed map[int]bool) map[int64]bool {
	t.Helper()
	lost := map[int64]bool{}
	for pid := range killed {
		m, err := g.AwaitLog(fmt.Sprintf(`worker %d was killed by SIGKILL.*`, pid))
		must(t, err)
		running := regexp.MustCompile(`/begun\?(\d+)`).FindAllStringSubmatch(m[0], -1)
		if len(running) > 1 {
			t.Errorf("it ran more than one request: %s", m[0])
		}
		for _, each := range running {
			lost[int64(atoi(t, each[1]))] = true
		}
	}
	if len(lost) == 0 {
		t.Error("no worker that was killed had begun a request")
	}
	return lost
}

// whoBegan says which worker has begun a request, by its id; 0: none. None may be begun twice.
func whoBegan(t *testing.T, noted string) map[int64]int {
	t.Helper()
	text, err := os.ReadFile(noted)
	must(t, err)
	begun := map[int64]int{}
	for _, m := range regexp.MustCompile(`(?m)^begun-(\d+) (\d+)$`).FindAllStringSubmatch(string(text), -1) {
		id, err := strconv.ParseInt(m[1], 10, 64)
		must(t, err)
		if begun[id] != 0 {
			t.Errorf("request %d was begun twice", id)
		}
		begun[id] = atoi(t, m[2])
	}
	return begun
}
