package serve

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gobridge/bridge"
	"gobridge/protocol/cgi/cgitest"
	"gobridge/protocol/fastcgi"
	"gobridge/protocol/forwarded"
	"gobridge/protocol/scgi"
	"gobridge/protocol/trust"
)

// A way is how a web server speaks one of the protocols.
type way struct {
	name string
	unit string                           // as the log has it
	head func(variables ...string) string // CONTENT_LENGTH may be among them
	body func(text string) string         // what a body looks like, with its end
	read func(c *client) io.Reader        // an answer, as HTTP has it
}

var ways = []way{
	{"uwsgi", "a uwsgi packet", func(variables ...string) string { return packet(0, variables...) }, func(text string) string { return text },
		func(c *client) io.Reader { return c.r }},
	{"fastcgi", "a FastCGI request", func(variables ...string) string { return records(false, variables...) },
		func(text string) string {
			return string(fastcgi.AppendStdinEnd(fastcgi.AppendStdin(nil, 1, []byte(text)), 1))
		}, recordsOf},
	{"scgi", "an SCGI request", netstring, func(text string) string { return text },
		func(c *client) io.Reader { return withStatusLine(c) }},
}

func records(keep bool, variables ...string) string {
	return string(fastcgi.AppendRequest(nil, 1, keep, cgitest.Fields(variables...)))
}

// netstring makes an SCGI head, whose length comes first.
func netstring(variables ...string) string {
	length := 0
	var rest []string
	for _, v := range variables {
		if text, ok := strings.CutPrefix(v, "CONTENT_LENGTH="); ok {
			length, _ = strconv.Atoi(text)
		} else {
			rest = append(rest, v)
		}
	}
	return string(scgi.AppendRequest(nil, cgitest.Fields(rest...), int64(length)))
}

// withStatusLine makes HTTP of what a CGI program says: its status stands among the fields.
func withStatusLine(in io.Reader) io.Reader {
	all, err := io.ReadAll(in)
	head, body, _ := strings.Cut("\r\n"+string(all), "\r\n\r\n")
	before, status, ok := strings.Cut(head, "\r\nStatus: ")
	if err != nil || !ok {
		return bytes.NewReader(all) // which the test will not like
	}
	status, behind, _ := strings.Cut(status+"\r\n", "\r\n")
	return strings.NewReader("HTTP/1.1 " + status + before + "\r\n" + behind + "\r\n" + body)
}

// recordsOf reads an answer in records.
func recordsOf(c *client) io.Reader {
	c.t.Helper()
	a, err := fastcgi.ReadAnswer(c.r, 1)
	if err != nil || a.Status != fastcgi.Complete || a.ApplicationStatus != 0 {
		c.t.Fatalf("read an answer in records: %v, %+v", err, a)
	}
	return withStatusLine(bytes.NewReader(a.Stdout))
}

// asks makes a whole request.
func (w *way) asks(method, target, body string, more ...string) string {
	variables := append([]string{"REQUEST_METHOD=" + method, "REQUEST_URI=" + target, "PATH_INFO=" + target, "SERVER_PROTOCOL=HTTP/1.1", "REMOTE_ADDR=192.0.2.7"}, more...)
	if body != "" {
		variables = append(variables, fmt.Sprintf("CONTENT_LENGTH=%d", len(body)))
	}
	return w.head(variables...) + w.body(body)
}

// answer reads an answer, which says nothing of its connection.
func (w *way) answer(c *client, method string, status int, body string) {
	c.t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(w.read(c)), &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("read a response: %v", err)
	}
	got, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != status || body != "*" && string(got) != body {
		c.t.Fatalf("%v, %d with %d bytes, %.80q, want %d with %d bytes, %.80q", err, r.StatusCode, len(got), got, status, len(body), body)
	}
	for _, name := range []string{"Connection", "Transfer-Encoding", "Keep-Alive", "Date", "Server"} {
		if v := r.Header.Get(name); v != "" || len(r.TransferEncoding) > 0 {
			c.t.Fatalf("the answer says %s: %s %v", name, v, r.TransferEncoding)
		}
	}
}

// last is answer for one with which the connection must end.
func (w *way) last(c *client, method string, status int, body string) {
	c.t.Helper()
	w.answer(c, method, status, body)
	c.wantEnd()
}

// startGateways starts a server for each of the protocols, by TCP and by a unix socket, and runs the test on each.
func startGateways(t *testing.T, app application, test func(t *testing.T, s *testServer, w *way), change ...func(*Settings)) {
	t.Helper()
	for i := range ways {
		w := &ways[i]
		for _, at := range []string{"127.0.0.1:0", "unix:" + tempSocket(t)} {
			l, err := Listen(w.name + ":" + at)
			if err != nil {
				t.Fatal(err)
			}
			network, _, _ := strings.Cut(at, ":")
			t.Run(w.name+" "+network, func(t *testing.T) {
				test(t, startOn(t, l, 1, app, append([]func(*Settings){allow(t, w.name, "127.0.0.1", "unix")}, change...)...), w)
			})
		}
	}
}

// allow lets peers speak a protocol.
func allow(t *testing.T, name string, peers ...string) func(*Settings) {
	return func(s *Settings) { s.GatewayFrom = map[string]trust.List{name: trustList(t, peers...)} }
}

func TestGateways(t *testing.T) {
	large := string(pattern(300000))
	open := fileOf(t, []byte(large))
	startGateways(t, func(c *call) {
		switch c.target {
		case "/peer":
			text := fmt.Sprintf("%s %s %s %s %s %v", c.peer.RemoteAddr, c.peer.Scheme, c.peer.ServerName, c.peer.ServerPort, c.peer.Socket, c.fields)
			c.start(200, -1)
			io.WriteString(c, strings.ReplaceAll(text, " Content-Length: 0", "")) // SCGI always has a length
		case "/large":
			c.start(200, -1)
			c.Write([]byte(large))
		case "/counted":
			c.start(200, int64(len(large)))
			c.Write([]byte(large))
		case "/file":
			c.start(200, -1)
			io.WriteString(c, "a file: ")
			c.sendFile(bridge.File{FD: open(), Length: int64(len(large))})
		default:
			demo(c)
		}
	}, func(t *testing.T, s *testServer, w *way) {
		for _, each := range []struct {
			name, sends, method string
			status              int
			body                string
		}{
			{"counted", w.asks("GET", "/hello", ""), "GET", 200, "hello"},
			{"to its end", w.asks("GET", "/chunks", ""), "GET", 200, "one,two"},
			{"HEAD", w.asks("HEAD", "/hello", ""), "HEAD", 200, ""},
			{"no content", w.asks("GET", "/empty", ""), "GET", 204, ""},
			{"a large answer", w.asks("GET", "/large", ""), "GET", 200, large},
			{"a large counted one", w.asks("GET", "/counted", ""), "GET", 200, large},
			{"HEAD of it", w.asks("HEAD", "/large", ""), "HEAD", 200, ""},
			{"a file", w.asks("GET", "/file", ""), "GET", 200, "a file: " + large},
			{"a body with it", w.asks("POST", "/echo", "abc"), "POST", 200, "abc"},
			{"a large body", w.asks("POST", "/echo", large), "POST", 200, large},
			{"a body that is sent back as it comes", w.asks("POST", "/stream", large), "POST", 200, large},
			{"no body", w.asks("POST", "/echo", "", "CONTENT_LENGTH="), "POST", 200, ""},
			{"an unread body", w.asks("POST", "/unread", large), "POST", 200, "no"},
			{"a body for an early answer", w.asks("POST", "/early", large), "POST", 200, "no"},
			{"too long an answer", w.asks("GET", "/long", ""), "GET", 200, "hello"},
			{"a dead worker", w.asks("GET", "/lost", ""), "GET", 502, "*"},
			{"too late", w.asks("GET", "/overdue", ""), "GET", 503, "*"},
			{"almost nothing", w.head("A=b") + w.body(""), "GET", 404, ""},
			{"the full block", w.asks("GET", "/hello", "", "X="+strings.Repeat("x", 65300)), "GET", 200, "hello"},
			{"a peer", w.asks("GET", "/peer", "", "SERVER_NAME=n", "SERVER_PORT=1", "HTTPS=on", "HTTP_X_FORWARDED_PROTO=http", "HTTP_A_B=c"), "GET", 200, "192.0.2.7 https n 1  [X-FORWARDED-PROTO: http A-B: c]"},
			{"no method", w.asks("G T", "/", ""), "GET", 400, "*"},
		} {
			t.Run(each.name, func(t *testing.T) {
				c := s.dial(t)
				sent := c.sending(each.sends)
				w.last(c, each.method, each.status, each.body)
				if err := <-sent; err != nil {
					t.Errorf("the server did not take what was sent: %v", err)
				}
			})
		}
		t.Run("byte by byte", func(t *testing.T) {
			c := s.dial(t)
			c.sendBytes(w.asks("POST", "/echo", "abc"))
			w.last(c, "POST", 200, "abc")
		})
		t.Run("a cut answer", func(t *testing.T) {
			c := s.dial(t)
			c.send(w.asks("GET", "/short", ""))
			if text, err := io.ReadAll(c.r); err != nil || !strings.Contains(string(text), "hello") || w.name == "fastcgi" && bytes.Contains(text, []byte{1, 3, 0, 1}) {
				t.Errorf("%v, %q", err, text)
			}
		})
	})
}

// Who speaks another protocol gets an answer in HTTP, and the log says what it was.
func TestGatewayStrangers(t *testing.T) {
	startGateways(t, demo, func(t *testing.T, s *testServer, w *way) {
		for _, each := range []struct{ sends, text string }{
			{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "this is HTTP, and the port speaks"},
			{"\x16\x03\x01\x02\x00\x01\x00", "this is TLS, and the port speaks"},
			{"PROXY TCP4 ", "this is a PROXY protocol header"},
			{packet(0, "A=b"), "this looks like uwsgi_pass"},
			{records(true, "A=b"), "this looks like fastcgi_pass"},
			{netstring("A=b"), "this looks like scgi_pass"},
		} {
			if strings.Contains(each.text, " "+w.name+"_pass") {
				continue
			}
			s.logs.reset()
			s.advance(2 * time.Second) // a line of the kind comes once a second
			c := s.dial(t)
			c.send(each.sends)
			r, body := c.answer("GET")
			if r.StatusCode != 400 || !strings.HasPrefix(body, each.text) {
				t.Errorf("%q: %d %q", each.sends, r.StatusCode, body)
			}
			c.wantEnd()
			eventually(t, "a line in the log", func() bool {
				return strings.Contains(s.logs.String(), "a malformed request was refused") && strings.Contains(s.logs.String(), each.text)
			})
		}
	})
}

// Who stops in the middle is told of, and nothing of it stays; who only closes his sending
// half is answered.
func TestGatewayEnds(t *testing.T) {
	gone := make(chan struct{}, 1)
	startGateways(t, func(c *call) {
		switch c.target {
		case "/later":
			<-c.hungUp
			c.target = "/hello"
		case "/gone":
			io.Copy(io.Discard, c)
			c.awaitClose()
			gone <- struct{}{}
		case "/abort":
			c.start(200, -1)
			for {
				if _, err := c.Write(pattern(10000)); err != nil {
					gone <- struct{}{}
					return
				}
			}
		}
		demo(c)
	}, func(t *testing.T, s *testServer, w *way) {
		c := s.dial(t)
		c.send(w.asks("GET", "/later", ""))
		c.finish()
		w.last(c, "GET", 200, "hello")
		for _, each := range []struct {
			name, sends, log string
			at               phase
		}{
			{"before a head", "", "", idle},
			{"in a header", w.asks("GET", "/hello", "")[:3], w.unit + " is not whole", reading},
			{"in the variables", w.asks("GET", "/hello", "")[:20], w.unit + " is not whole", reading},
			{"in a body", partOf(w.asks("POST", "/echo", "abcde"), "abc"), "the body of a request is not whole", serving},
		} {
			t.Run(each.name, func(t *testing.T) {
				for _, end := range []func(*client){(*client).finish, func(c *client) { c.Close() }} {
					s.logs.reset()
					s.advance(2 * time.Second) // a line of the same kind comes once a second
					c := s.dial(t)
					c.send(each.sends)
					eventually(t, "a connection in that phase", func() bool { return s.has(each.at) })
					end(c)
					eventually(t, "the connection's end", func() bool { return s.Connections() == 0 })
					if text := s.logs.String(); each.log == "" && text != "" || !strings.Contains(text, each.log) {
						t.Errorf("the log has %q, want %q", text, each.log)
					}
				}
			})
		}
		for _, sends := range []string{w.asks("GET", "/gone", ""), w.asks("GET", "/abort", "")} {
			c := s.dial(t)
			c.send(sends)
			if strings.Contains(sends, "/abort") {
				if _, err := io.ReadFull(c.r, make([]byte, 1000)); err != nil {
					t.Fatal(err)
				}
			} else {
				begun := s.begun()
				eventually(t, "the request", func() bool { return s.begun() >= begun && s.live() > 0 })
			}
			c.reset()
			<-gone
		}
	})
}

// partOf is a text up to the end of a part of it.
func partOf(text, part string) string {
	at := strings.LastIndex(text, part)
	return text[:at+len(part)]
}

// has says whether a connection is in that phase.
func (s *testServer) has(wanted phase) bool {
	return s.anyConn(func(c *conn) bool { return c.phase == wanted })
}

// anyConn says whether that holds for a connection.
func (s *testServer) anyConn(holds func(*conn) bool) bool {
	return s.reactorsAre(func(r *reactor) bool { return slices.ContainsFunc(r.conns, holds) })
}

func (s *testServer) live() (n int64) {
	for _, p := range s.ports {
		n += p.live.Load()
	}
	return n
}

func TestGatewayDeadlines(t *testing.T) {
	startGateways(t, demo, func(t *testing.T, s *testServer, w *way) {
		silent, slow := s.dial(t), s.dial(t)
		slow.send(w.asks("GET", "/hello", "")[:20])
		eventually(t, "a part of a packet", func() bool { return s.has(reading) })
		eventually(t, "both", func() bool { return s.Connections() == 2 })
		s.advance(s.settings.IdleTime + time.Second)
		w.last(slow, "GET", 408, "*")
		silent.wantEnd()
		eventually(t, "a line in the log", func() bool {
			return strings.Contains(s.logs.String(), "it has not come in time") || strings.Contains(s.logs.String(), "nothing has come in time")
		})
	})
}

// Who may not speak for others is refused; a client is only believed what its fields say if its
// address is a proxy's.
func TestGatewayTrust(t *testing.T) {
	tell := func(c *call) {
		c.start(200, -1)
		fmt.Fprintf(c, "%s %s", c.peer.RemoteAddr, c.peer.Scheme)
	}
	rules := func(s *Settings) {
		s.Forwarded = forwarded.Rules{Trusted: trustList(t, "127.0.0.1", "10.0.0.0/8", "unix"), Believed: forwarded.For | forwarded.Proto}
	}
	const says = "HTTP_X_FORWARDED_PROTO=https"
	startGateways(t, tell, func(t *testing.T, s *testServer, w *way) {
		for _, each := range []struct{ packet, want string }{
			{w.head("REMOTE_ADDR=192.0.2.7", says, "HTTP_X_FORWARDED_FOR=192.0.2.9") + w.body(""), "192.0.2.7 http"},
			{w.head("REMOTE_ADDR=10.1.2.3", says, "HTTP_X_FORWARDED_FOR=192.0.2.9") + w.body(""), "192.0.2.9 https"},
			{w.head("REMOTE_ADDR=unix:", says) + w.body(""), " https"},
			{w.head("REMOTE_ADDR=nobody", says) + w.body(""), " http"},
			{w.head(says) + w.body(""), " http"},
			{w.head("REMOTE_ADDR=192.0.2.7", "HTTP_X_FORWARDED_SSL=on", "HTTP_HTTPS=on", "HTTP_UWSGI_SCHEME=https") + w.body(""), "192.0.2.7 http"},
		} {
			c := s.dial(t)
			c.send(each.packet)
			w.last(c, "GET", 200, each.want)
		}
	}, rules)
	startGateways(t, tell, func(t *testing.T, s *testServer, w *way) {
		c := s.dial(t)
		c.send(w.asks("GET", "/hello", ""))
		w.last(c, "GET", 403, "*")
		if s.begun() != 0 {
			t.Error("the application was asked")
		}
		eventually(t, "a line in the log", func() bool { return strings.Contains(s.logs.String(), "name it in --"+w.name+"-allow-ips") })
	}, func(s *Settings) {
		for name := range s.GatewayFrom {
			s.GatewayFrom[name] = trustList(t, "10.0.0.0/8")
		}
	})
}

// What is remarkable about packets is said once.
func TestGatewayRemarks(t *testing.T) {
	startGateways(t, demo, func(t *testing.T, s *testServer, w *way) {
		for range 3 {
			c := s.dial(t)
			c.send(w.head("REQUEST_URI=/hello", "UWSGI_FILE=/tmp/evil.py", "wsgi.input=x") + w.body(""))
			w.last(c, "GET", 200, "hello")
		}
		for _, text := range []string{"names code to load", "names begin with wsgi.", "of " + w.name + "_pass needs include " + w.name + "_params"} {
			if n := strings.Count(s.logs.String(), text); n != 1 {
				t.Errorf("%q is said %d times", text, n)
			}
		}
	})
}

// Web servers' connections are not their own: they are not counted, and the log has the client.
func TestGatewayClients(t *testing.T) {
	access := new(syncBuffer)
	startGateways(t, demo, func(t *testing.T, s *testServer, w *way) {
		var all []*client
		for range 5 {
			all = append(all, s.dial(t))
		}
		for _, c := range all {
			c.send(w.asks("GET", "/hello", "", "SERVER_PROTOCOL=HTTP/2.0", "HTTP_USER_AGENT=x"))
			w.last(c, "GET", 200, "hello")
		}
		eventually(t, "the access log", func() bool { return strings.Count(access.String(), `"GET /hello HTTP/2.0" 200 5 "-" "x"`) >= 5 })
		if !strings.HasPrefix(access.String(), "192.0.2.7 - - ") {
			t.Errorf("the access log has %s", access)
		}
	}, func(s *Settings) { s.PerAddress, s.AccessLog = 2, access })
}
