package conformance

import (
	"strings"
	"testing"
)

// Who the client is, as proxies say. The usual server trusts loopback and unix sockets and
// believes X-Forwarded-For and -Proto. The other one wants the PROXY protocol on its port,
// trusts unix sockets and 10.0.0.0/8, and believes all that can be.

const (
	announce  = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
	announce2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"
	local2    = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	unknown1  = "PROXY UNKNOWN\r\n"
)

var proxies = []check[fronts]{
	{"X-Forwarded-For and -Proto of a trusted peer say who the client is, in the access log too", func(t *testing.T, f fronts) {
		for _, c := range []*client{dial(t, f.usual.Server), f.usual.over(t)} {
			a := c.ask(t, get("/forwarded", "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: https\n"), 200)
			wantVariables(t, a, "REMOTE_ADDR 192.0.2.7", "REMOTE_PORT 0", "wsgi.url_scheme https", "HTTPS on", "HTTP_X_FORWARDED_FOR 192.0.2.7")
		}
		f.usual.awaitAccess(t, `(?m)^192\.0\.2\.7 - - \[.*"GET /forwarded `)
	}},
	{"the next request on the connection has its own client", func(t *testing.T, f fronts) {
		c := f.usual.over(t)
		wantVariables(t, c.ask(t, get("/", "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: https\n"), 200), "REMOTE_ADDR 192.0.2.7", "wsgi.url_scheme https")
		wantVariables(t, c.ask(t, get("/", "X-Forwarded-For: 192.0.2.8\n"), 200), "REMOTE_ADDR 192.0.2.8", "wsgi.url_scheme http")
		wantVariables(t, c.ask(t, get("/"), 200), "REMOTE_ADDR ", "wsgi.url_scheme http")
	}},
	{"the client is the last address that is no trusted proxy's", func(t *testing.T, f fronts) {
		c := f.set.over(t)
		for list, want := range map[string]string{
			"1.1.1.1, 192.0.2.7": "192.0.2.7", "1.1.1.1, 192.0.2.7, 10.0.0.1": "192.0.2.7", "<junk>, 192.0.2.7": "192.0.2.7", "10.0.0.9, 10.0.0.1": "10.0.0.9",
			"10.0.0.1, 192.0.2.7\nX-Forwarded-For: 10.0.0.2": "192.0.2.7", "192.0.2.7:81": "192.0.2.7", "[2001:db8::1]:81": "2001:db8::1", "192.0.2.7, unknown": "", "192.0.2.7, _x": "",
		} {
			wantVariables(t, c.ask(t, get("/", "X-Forwarded-For: ", list, "\n"), 200), "REMOTE_ADDR "+want)
		}
	}},
	{"what is not believed does not count, even from a trusted peer", func(t *testing.T, f fronts) {
		a := once(t, f.usual, get("/", "X-Forwarded-Host: evil.example\nX-Forwarded-Prefix: //evil.example\nX-Forwarded-Port: 1\nForwarded: for=1.1.1.1;host=evil.example;proto=https\n"))
		wantVariables(t, a, "REMOTE_ADDR 127.0.0.1", "HTTP_HOST x", "SCRIPT_NAME ", "wsgi.url_scheme http")
	}},
	{"X-Forwarded-Host, -Port and -Prefix are believed when the setting names them", func(t *testing.T, f fronts) {
		c := f.set.over(t)
		wantVariables(t, c.ask(t, get("/", "X-Forwarded-Host: example.org\nX-Forwarded-Proto: https\nX-Forwarded-Prefix: /other/\n"), 200),
			"HTTP_HOST example.org", "SERVER_NAME example.org", "SERVER_PORT 443", "SCRIPT_NAME /other", "PATH_INFO /")
		wantVariables(t, c.ask(t, get("/", "X-Forwarded-Host: example.org\nX-Forwarded-Port: 8443\nX-Forwarded-Proto: https\n"), 200),
			"HTTP_HOST example.org:8443", "SERVER_PORT 8443", "SCRIPT_NAME /shop")
	}},
	{"Forwarded (RFC 7239) is believed when the setting names it", func(t *testing.T, f fronts) {
		a := f.set.over(t).ask(t, get("/", `Forwarded: for=1.1.1.1;host=evil.example, for="[2001:db8::1]:4711";proto=https;host="example.org:444", for=10.0.0.1`+"\n"), 200)
		wantVariables(t, a, "REMOTE_ADDR 2001:db8::1", "REMOTE_PORT 4711", "wsgi.url_scheme https", "HTTP_HOST example.org:444", "SERVER_PORT 444")
	}},
	{"believed headers that are malformed, or say two things, are refused", func(t *testing.T, f fronts) {
		for _, fields := range []string{
			"X-Forwarded-For: localhost\n", "X-Forwarded-For: 192.0.2.300\n", "X-Forwarded-Proto: gopher\n", "X-Forwarded-Proto: https, http\n", "X-Forwarded-Proto: https\nX-Forwarded-Proto: http\n",
			"X-Forwarded-Host: a/b\n", "X-Forwarded-Host: a, b\n", "X-Forwarded-Port: x\n", "X-Forwarded-Host: a:80\nX-Forwarded-Port: 81\n", "X-Forwarded-Prefix: //evil.example\n", "X-Forwarded-Prefix: /a/../b\n",
			"Forwarded: for=\"x\n", "Forwarded: for\n", "Forwarded: for=192.0.2.7\nX-Forwarded-For: 192.0.2.8\n", "Forwarded: proto=http\nX-Forwarded-Proto: https\n",
		} {
			if a := f.set.over(t).ask(t, get("/", fields), 400); a.get("Connection") != "close" {
				t.Errorf("%q: %v", fields, a)
			}
		}
	}},
	{"from a peer that is not trusted such headers are taken out, and the log says so", func(t *testing.T, f fronts) {
		c := dial(t, f.set.Server)
		a := c.ask(t, announce+get("/", "X-Forwarded-For: 10.0.0.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: a\nForwarded: for=a\nX-Real-IP: b\nX-Forwarded-Anything: c\nX-Forwarding: d\n"), 200)
		wantVariables(t, a, "REMOTE_ADDR 192.0.2.7", "wsgi.url_scheme http", "HTTP_HOST x", "HTTP_X_FORWARDED_FOR missing", "HTTP_X_FORWARDED_PROTO missing", "HTTP_X_FORWARDED_HOST missing",
			"HTTP_FORWARDED missing", "HTTP_X_REAL_IP missing", "HTTP_X_FORWARDED_ANYTHING missing", "HTTP_X_FORWARDING d")
		f.set.wantLog(t, `taken out.*--forwarded-allow-ips`)
	}},
	{"a PROXY protocol header of either version says who the client is", func(t *testing.T, f fronts) {
		for _, header := range []string{announce, announce2} {
			c := dial(t, f.set.Server)
			c.write(t, header)
			for range 2 {
				wantVariables(t, c.ask(t, get("/announced"), 200), "REMOTE_ADDR 192.0.2.7", "REMOTE_PORT 56324", "SERVER_NAME 198.51.100.1", "SERVER_PORT 443", "wsgi.url_scheme http")
			}
			c = dial(t, f.set.Server)
			for _, b := range []byte(header + get("/")) {
				c.write(t, string([]byte{b}))
			}
			wantVariables(t, c.receive(t, "GET"), "REMOTE_ADDR 192.0.2.7")
		}
		f.set.awaitAccess(t, `(?m)^192\.0\.2\.7 - - \[.*"GET /announced `)
	}},
	{"LOCAL and UNKNOWN leave the connection's own addresses", func(t *testing.T, f fronts) {
		for _, header := range []string{local2, unknown1} {
			c := dial(t, f.set.Server)
			wantVariables(t, askBehind(t, c, header, get("/")), "REMOTE_ADDR 127.0.0.1")
		}
	}},
	{"where a PROXY protocol header is due, anything else is refused", func(t *testing.T, f fronts) {
		for _, begin := range []string{"", "PROXY TCP4 a b c d\r\n", "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n", announce + announce, announce2 + announce2, strings.Replace(announce2, "\x21", "\x31", 1)} {
			c := dial(t, f.set.Server)
			if a := askBehind(t, c, begin, get("/")); a.status != 400 || a.get("Connection") != "close" {
				t.Errorf("%q: %v", begin, a)
			}
			c.closeWrite(t)
			c.end(t)
		}
	}},
	{"where none is due, a PROXY protocol header is refused", func(t *testing.T, f fronts) {
		f.small.refusedInLog(t, announce, 400, `this is a PROXY protocol header, and the port expects none`)
		f.quick.refusedInLog(t, announce2, 400, `as a PROXY protocol header does`)
		c := f.set.over(t) // a peer that may not announce, on a server where others may
		if a := askBehind(t, c, announce, get("/")); a.status != 400 {
			t.Errorf("%v", a)
		}
	}},
	{"a variable that looks like a setting and is none is told, with the nearest name", func(t *testing.T, f fronts) {
		f.set.wantLog(t, `GOBRIDGE_FORWARDED_ALLOW_IP is no setting and does nothing: did you mean GOBRIDGE_FORWARDED_ALLOW_IPS\?`)
	}},
}

// askBehind asks with something before the request, and takes whatever the answer is.
func askBehind(t *testing.T, c *client, before, request string) *answer {
	t.Helper()
	c.write(t, before+request)
	return c.receive(t, "GET")
}
