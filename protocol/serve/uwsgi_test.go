package serve

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gobridge/protocol/forwarded"
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

func asks(method, target string, more ...string) string {
	return packet(0, append([]string{"REQUEST_METHOD=" + method, "REQUEST_URI=" + target, "PATH_INFO=" + target, "SERVER_PROTOCOL=HTTP/1.1", "REMOTE_ADDR=192.0.2.7"}, more...)...)
}

// startUwsgi starts a server that speaks uwsgi, by TCP and by a unix socket, and runs the test on each.
func startUwsgi(t *testing.T, app application, test func(t *testing.T, s *testServer), change ...func(*Settings)) {
	t.Helper()
	for _, bind := range []string{"uwsgi:127.0.0.1:0", "uwsgi:unix:" + tempSocket(t)} {
		l, err := Listen(bind)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.Split(l.URL(), ":")[1], func(t *testing.T) {
			test(t, startOn(t, l, 1, app, append([]func(*Settings){func(s *Settings) { s.GatewayFrom = trustList(t, "127.0.0.1", "unix") }}, change...)...))
		})
	}
}

// plain reads an answer that must end with the connection and say nothing of it.
func (c *client) plain(method string, status int, body string) *http.Response {
	c.t.Helper()
	r := c.want(method, status, body)
	for _, name := range []string{"Connection", "Transfer-Encoding", "Keep-Alive", "Date", "Server"} {
		if v := r.Header.Get(name); v != "" || len(r.TransferEncoding) > 0 {
			c.t.Fatalf("the answer says %s: %s %v", name, v, r.TransferEncoding)
		}
	}
	c.wantEnd()
	return r
}

func TestUwsgi(t *testing.T) {
	large := string(pattern(300000))
	startUwsgi(t, func(c *call) {
		if c.target == "/peer" {
			text := fmt.Sprintf("%s %s %s %s %s %v", c.peer.RemoteAddr, c.peer.Scheme, c.peer.ServerName, c.peer.ServerPort, c.peer.Socket, c.fields)
			c.start(200, -1)
			io.WriteString(c, text)
			return
		}
		demo(c)
	}, func(t *testing.T, s *testServer) {
		for _, each := range []struct {
			name, sends, method string
			status              int
			body                string
		}{
			{"counted", asks("GET", "/hello"), "GET", 200, "hello"},
			{"to its end", asks("GET", "/chunks"), "GET", 200, "one,two"},
			{"HEAD", asks("HEAD", "/hello"), "HEAD", 200, ""},
			{"no content", asks("GET", "/empty"), "GET", 204, ""},
			{"a body with it", asks("POST", "/echo", "CONTENT_LENGTH=3") + "abc", "POST", 200, "abc"},
			{"a large body", asks("POST", "/echo", "CONTENT_LENGTH=300000") + large, "POST", 200, large},
			{"no body", asks("POST", "/echo", "CONTENT_LENGTH="), "POST", 200, ""},
			{"bytes behind the body", asks("POST", "/echo", "CONTENT_LENGTH=3") + "abc" + strings.Repeat("more", 9999), "POST", 200, "abc"},
			{"an unread body", asks("POST", "/unread", "CONTENT_LENGTH=300000") + large, "POST", 200, "no"},
			{"a body for an early answer", asks("POST", "/early", "CONTENT_LENGTH=300000") + large, "POST", 200, "no"},
			{"a dead worker", asks("GET", "/lost"), "GET", 502, "*"},
			{"too late", asks("GET", "/overdue"), "GET", 503, "*"},
			{"nothing", packet(0), "GET", 404, ""},
			{"the full block", asks("GET", "/hello", "X="+strings.Repeat("x", 65400)), "GET", 200, "hello"},
			{"a peer", asks("GET", "/peer", "SERVER_NAME=n", "SERVER_PORT=1", "HTTPS=on", "HTTP_X_FORWARDED_PROTO=http", "HTTP_A_B=c"), "GET", 200, "192.0.2.7 https n 1  [X-FORWARDED-PROTO: http A-B: c]"},
			{"two lengths", asks("GET", "/", "CONTENT_LENGTH=1", "CONTENT_LENGTH=2"), "GET", 400, "CONTENT_LENGTH is there twice, with different values\n"},
			{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 400, "*"},
			{"TLS", "\x16\x03\x01\x02\x00\x01\x00", "GET", 400, "this is TLS, and the port speaks the uwsgi protocol without it\n"},
			{"Perl", packet(5), "GET", 501, "*"},
		} {
			t.Run(each.name, func(t *testing.T) {
				c := s.dial(t)
				sent := c.sending(each.sends)
				c.plain(each.method, each.status, each.body)
				if err := <-sent; err != nil {
					t.Errorf("the server did not take what was sent: %v", err)
				}
				if each.status == 400 || each.status == 501 {
					eventually(t, "a line in the log", func() bool { return strings.Contains(s.logs.String(), "a malformed request was refused") })
				}
			})
		}
		t.Run("byte by byte", func(t *testing.T) {
			c := s.dial(t)
			c.sendBytes(asks("POST", "/echo", "CONTENT_LENGTH=3") + "abc")
			c.plain("POST", 200, "abc")
		})
		t.Run("a ping", func(t *testing.T) {
			for _, sends := range []string{packet(100), packet(100) + "more"} {
				c := s.dial(t)
				c.send(sends)
				if got, err := io.ReadAll(c); err != nil || string(got) != "d\x00\x00\x01" {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	})
}

// Who stops in the middle is told of, and nothing of it stays; who only closes his sending
// half is answered.
func TestUwsgiEnds(t *testing.T) {
	gone := make(chan struct{}, 1)
	startUwsgi(t, func(c *call) {
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
	}, func(t *testing.T, s *testServer) {
		c := s.dial(t)
		c.send(asks("GET", "/later"))
		c.finish()
		c.plain("GET", 200, "hello")
		for _, each := range []struct {
			name, sends, log string
			at               phase
		}{
			{"before a packet", "", "", idle},
			{"in a header", asks("GET", "/hello")[:3], "a uwsgi packet is not whole", reading},
			{"in the variables", asks("GET", "/hello")[:20], "a uwsgi packet is not whole", reading},
			{"in a body", asks("POST", "/echo", "CONTENT_LENGTH=5") + "abc", "the body of a request is not whole", serving},
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
		for _, sends := range []string{asks("GET", "/gone"), asks("GET", "/abort")} {
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

// has says whether a connection is in that phase.
func (s *testServer) has(wanted phase) bool {
	return s.reactorsAre(func(r *reactor) bool {
		return slices.ContainsFunc(r.conns, func(c *conn) bool { return c.phase == wanted })
	})
}

func (s *testServer) live() (n int64) {
	for _, p := range s.ports {
		n += p.live.Load()
	}
	return n
}

func TestUwsgiDeadlines(t *testing.T) {
	startUwsgi(t, demo, func(t *testing.T, s *testServer) {
		silent, slow := s.dial(t), s.dial(t)
		slow.send(asks("GET", "/hello")[:9])
		eventually(t, "a part of a packet", func() bool { return s.has(reading) })
		eventually(t, "both", func() bool { return s.Connections() == 2 })
		s.advance(s.settings.HeadTime + time.Second)
		slow.plain("GET", 408, "*")
		silent.wantEnd()
		eventually(t, "a line in the log", func() bool {
			return strings.Contains(s.logs.String(), "it has not come in time") || strings.Contains(s.logs.String(), "nothing has come in time")
		})
	})
}

// Who may not speak for others is refused; a client is only believed what its fields say if its
// address is a proxy's.
func TestUwsgiTrust(t *testing.T) {
	tell := func(c *call) {
		c.start(200, -1)
		fmt.Fprintf(c, "%s %s", c.peer.RemoteAddr, c.peer.Scheme)
	}
	rules := func(s *Settings) {
		s.Forwarded = forwarded.Rules{Trusted: trustList(t, "127.0.0.1", "10.0.0.0/8", "unix"), Believed: forwarded.For | forwarded.Proto}
	}
	const says = "HTTP_X_FORWARDED_PROTO=https"
	startUwsgi(t, tell, func(t *testing.T, s *testServer) {
		for _, each := range []struct{ packet, want string }{
			{packet(0, "REMOTE_ADDR=192.0.2.7", says, "HTTP_X_FORWARDED_FOR=192.0.2.9"), "192.0.2.7 http"},
			{packet(0, "REMOTE_ADDR=10.1.2.3", says, "HTTP_X_FORWARDED_FOR=192.0.2.9"), "192.0.2.9 https"},
			{packet(0, "REMOTE_ADDR=unix:", says), " https"},
			{packet(0, "REMOTE_ADDR=nobody", says), " http"},
			{packet(0, says), " http"},
			{packet(0, "REMOTE_ADDR=192.0.2.7", "HTTP_X_FORWARDED_SSL=on", "HTTP_HTTPS=on", "HTTP_UWSGI_SCHEME=https"), "192.0.2.7 http"},
		} {
			c := s.dial(t)
			c.send(each.packet)
			c.plain("GET", 200, each.want)
		}
	}, rules)
	startUwsgi(t, tell, func(t *testing.T, s *testServer) {
		c := s.dial(t)
		c.send(asks("GET", "/hello"))
		c.plain("GET", 403, "*")
		if s.begun() != 0 {
			t.Error("the application was asked")
		}
		eventually(t, "a line in the log", func() bool { return strings.Contains(s.logs.String(), "name it in --uwsgi-allow-ips") })
	}, func(s *Settings) { s.GatewayFrom = trustList(t, "10.0.0.0/8") })
}

// What is remarkable about packets is said once.
func TestUwsgiRemarks(t *testing.T) {
	startUwsgi(t, demo, func(t *testing.T, s *testServer) {
		for range 3 {
			c := s.dial(t)
			c.send(packet(0, "REQUEST_URI=/hello", "UWSGI_FILE=/tmp/evil.py", "wsgi.input=x"))
			c.plain("GET", 200, "hello")
		}
		for _, text := range []string{"names code to load", "names begin with wsgi.", "sends no REQUEST_METHOD"} {
			if n := strings.Count(s.logs.String(), text); n != 1 {
				t.Errorf("%q is said %d times", text, n)
			}
		}
	})
}

// Web servers' connections are not their own: they are not counted, and the log has the client.
func TestUwsgiClients(t *testing.T) {
	access := new(syncBuffer)
	startUwsgi(t, demo, func(t *testing.T, s *testServer) {
		var all []*client
		for range 5 {
			all = append(all, s.dial(t))
		}
		for _, c := range all {
			c.send(asks("GET", "/hello", "SERVER_PROTOCOL=HTTP/2.0", "HTTP_USER_AGENT=x"))
			c.plain("GET", 200, "hello")
		}
		eventually(t, "the access log", func() bool { return strings.Count(access.String(), `"GET /hello HTTP/2.0" 200 5 "-" "x"`) >= 5 })
		if !strings.HasPrefix(access.String(), "192.0.2.7 - - ") {
			t.Errorf("the access log has %s", access)
		}
	}, func(s *Settings) { s.PerAddress, s.AccessLog = 2, access })
}
