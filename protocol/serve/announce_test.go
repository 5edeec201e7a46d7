package serve

import (
	"context"
	"strings"
	"testing"
	"time"

	"gobridge/protocol/proxyproto"
)

const (
	helloRequest = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
	announce1    = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
	signature2   = "\r\n\r\n\x00\r\nQUIT\n"
	inet2        = "\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"
	announce2    = signature2 + "\x21\x11\x00\x0c" + inet2
	local2       = signature2 + "\x20\x00\x00\x00"
	unix2        = signature2 + "\x21\x31\x00\xd8"
)

// withTLS says that the client speaks TLS, among fields that nobody knows.
var withTLS = signature2 + "\x21\x11\x00\x1b" + inet2 + "\xee\x00\x04what" + "\x20\x00\x05\x01\x00\x00\x00\x00"

func startAnnounced(t *testing.T, app application, versions proxyproto.Versions, from string, change ...func(*Settings)) *testServer {
	t.Helper()
	return start(t, 1, app, append(change, func(s *Settings) {
		s.ProxyVersions, s.ProxyFrom = versions, trustList(t, from)
	})...)
}

func TestAnnouncements(t *testing.T) {
	access := new(syncBuffer)
	s := startAnnounced(t, seen, proxyproto.Auto, "127.0.0.1", func(s *Settings) { s.AccessLog = access })
	_, port, _ := strings.Cut(s.at, ":")
	for _, test := range []struct{ name, announcement, want string }{
		{"v1", announce1, "192.0.2.7 http://198.51.100.1:443 Host=x"},
		{"v1 unknown", "PROXY UNKNOWN\r\n", "127.0.0.1 http://127.0.0.1:" + port + " Host=x"},
		{"v2", announce2, "192.0.2.7 http://198.51.100.1:443 Host=x"},
		{"v2 local", local2, "127.0.0.1 http://127.0.0.1:" + port + " Host=x"},
		{"v2 unix", unix2 + strings.Repeat("\x00", 216), " http://127.0.0.1:" + port + " Host=x"},
		{"v2 TLS", withTLS, "192.0.2.7 https://198.51.100.1:443 Host=x"},
		{"v2 large", signature2 + "\x21\x11\x3a\x00" + inet2 + "\xee\x39\xf1" + strings.Repeat("x", 0x39f1), "192.0.2.7 http://198.51.100.1:443 Host=x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := s.dial(t)
			c.send(test.announcement + helloRequest + helloRequest) // all in one piece
			c.want("GET", 200, test.want)
			c.want("GET", 200, test.want)
			c.send(helloRequest)
			c.want("GET", 200, test.want)
			if len(test.announcement) > 1000 {
				return // thousands of packets show nothing more
			}
			c = s.dial(t)
			c.sendBytes(test.announcement + helloRequest)
			c.want("GET", 200, test.want)
		})
	}
	eventually(t, "the client's address in the access log", func() bool { return strings.Contains(access.String(), "192.0.2.7 - - [") })
}

// Who must announce a client and does not is refused, and so is who announces what is no
// announcement, or of a version that is not taken.
func TestWrongAnnouncements(t *testing.T) {
	for _, test := range []struct {
		name, sent string
		versions   proxyproto.Versions
	}{
		{"none", helloRequest, proxyproto.Auto},
		{"v1 where v2 is due", announce1 + helloRequest, proxyproto.V2},
		{"v2 where v1 is due", announce2 + helloRequest, proxyproto.V1},
		{"malformed v1", "PROXY TCP4 a b c d\r\n" + helloRequest, proxyproto.Auto},
		{"v1 with a bare line feed", strings.Replace(announce1, "\r", "", 1) + helloRequest, proxyproto.Auto},
		{"malformed v2", signature2 + "\x31\x11\x00\x0c" + inet2 + helloRequest, proxyproto.Auto},
		{"v1 twice", announce1 + announce1 + helloRequest, proxyproto.Auto},
		{"v2 twice", announce2 + announce2 + helloRequest, proxyproto.Auto},
		{"v2 behind v1", announce1 + announce2 + helloRequest, proxyproto.Auto},
		{"later", announce1 + helloRequest + announce1 + helloRequest, proxyproto.Auto},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startAnnounced(t, seen, test.versions, "127.0.0.1")
			for _, piecewise := range []bool{false, true} {
				c := s.dial(t)
				if piecewise {
					c.sendBytes(test.sent)
				} else {
					c.send(test.sent)
				}
				if test.name == "later" {
					c.want("GET", 200, "*")
				}
				c.want("GET", 400, "*")
				c.finish()
				c.wantEnd()
			}
			if n := s.begun(); test.name != "later" && n != 0 {
				t.Errorf("%d requests have come to the application", n)
			}
		})
	}
}

// Who may not announce a client cannot pretend to be one: the announcement is malformed
// HTTP. Without it such a peer is a client as any other.
func TestAnnouncementsOfOthers(t *testing.T) {
	for name, s := range map[string]*testServer{
		"not in the list": startAnnounced(t, seen, proxyproto.Auto, "10.0.0.0/8"),
		"off":             startAnnounced(t, seen, proxyproto.Off, "*"),
	} {
		_, port, _ := strings.Cut(s.at, ":")
		for _, announcement := range []string{announce1, announce2} {
			c := s.dial(t)
			c.send(announcement + helloRequest)
			c.want("GET", 400, "*")
			c.finish()
			c.wantEnd()
		}
		c := s.dial(t)
		c.send(helloRequest)
		c.want("GET", 200, "127.0.0.1 http://127.0.0.1:"+port+" Host=x")
		if n := s.begun(); n != 1 {
			t.Errorf("%s: %d requests have come to the application", name, n)
		}
	}
}

// Header fields come from the client, whom the announcement names: that the balancer may
// announce does not make its clients proxies.
func TestAnnouncedClientsAreNoProxies(t *testing.T) {
	s := startAnnounced(t, seen, proxyproto.Auto, "127.0.0.1", func(s *Settings) {
		s.Forwarded.Trusted, s.Forwarded.Believed = trustList(t, "127.0.0.1", "10.0.0.1", "unix"), believedAll
	})
	_, port, _ := strings.Cut(s.at, ":")
	const request = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n"
	for announcement, want := range map[string]string{
		announce1: "192.0.2.7 http://198.51.100.1:443 Host=x",
		strings.Replace(announce1, "192.0.2.7", "10.0.0.1", 1): "1.1.1.1 http://198.51.100.1:443 Host=x X-Forwarded-For=1.1.1.1",
		unix2 + strings.Repeat("\x00", 216):                    " http://127.0.0.1:" + port + " Host=x",
		local2:                                                 "1.1.1.1 http://127.0.0.1:" + port + " Host=x X-Forwarded-For=1.1.1.1",
	} {
		c := s.dial(t)
		c.send(announcement + request)
		c.want("GET", 200, want)
	}
}

// An announcement that does not come whole in time ends the connection silently; one that
// has come leaves the usual time for a request.
func TestLateAnnouncements(t *testing.T) {
	s := startAnnounced(t, seen, proxyproto.Auto, "127.0.0.1")
	late := []*client{s.dial(t), s.dial(t), s.dial(t)}
	late[1].send(announce1[:20])
	late[2].send(announce2[:20])
	whole := s.dial(t)
	whole.send(announce1)
	eventually(t, "all of it", func() bool {
		return s.count(func(c *conn) bool { return c.phase == announcing && c.kept.len() == 20 }) == 2 &&
			s.count(func(c *conn) bool { return c.phase == announcing }) == 3 && s.count(func(c *conn) bool { return c.phase == idle }) == 1
	})
	s.advance(DefaultSettings().HeadTime + time.Second)
	for _, c := range late {
		c.wantEnd()
	}
	eventually(t, "a log line", func() bool { return strings.Contains(s.logs.String(), "no PROXY protocol header") })
	whole.send(helloRequest)
	whole.want("GET", 200, "192.0.2.7 http://198.51.100.1:443 Host=x")
}

// Clients that are announced have the limit of connections that others have, and a balancer
// has none.
func TestAnnouncedClientsAreCounted(t *testing.T) {
	s := startAnnounced(t, seen, proxyproto.Auto, "127.0.0.1", func(s *Settings) { s.PerAddress = 2 })
	other := strings.Replace(announce1, "192.0.2.7", "192.0.2.8", 1)
	asks := func(announcement string, status int) *client {
		c := s.dial(t)
		c.send(announcement + helloRequest)
		c.want("GET", status, "*")
		return c
	}
	first := asks(announce1, 200)
	asks(announce2, 200)
	turnedDown := asks(announce1, 503)
	turnedDown.finish()
	turnedDown.wantEnd()
	asks(other, 200)
	asks(local2, 200)
	asks(local2, 200)
	asks(local2, 200)
	first.reset()
	eventually(t, "its end", func() bool { return s.Connections() == 5 })
	asks(announce1, 200)
	if !strings.Contains(s.logs.String(), "--limit-connections-per-address") {
		t.Errorf("the log says nothing of it: %s", s.logs)
	}
}

// A client that leaves amid its announcement leaves nothing behind, and neither does the
// server's end.
func TestAnnouncementsThatEnd(t *testing.T) {
	s := startAnnounced(t, seen, proxyproto.Auto, "127.0.0.1", func(s *Settings) { s.HeadTime = 1000 * time.Hour })
	c := s.dial(t)
	c.send(announce1[:20])
	c.finish()
	c.wantEnd()
	c = s.dial(t)
	c.send(announce2[:20])
	eventually(t, "its bytes", func() bool {
		return s.count(func(c *conn) bool { return c.phase == announcing && c.kept.len() == 20 }) == 1
	})
	done := make(chan error, 1)
	go func() { done <- s.Drain(context.Background()) }()
	eventually(t, "the drain", func() bool {
		s.advance(time.Second)
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return true
		default:
			return false
		}
	})
}
