package cgi_test

import (
	"strings"
	"testing"

	"gobridge/protocol/cgi"
	"gobridge/protocol/cgi/cgitest"
)

var (
	plain    = &cgi.Protocol{Name: "uwsgi", Title: "the uwsgi protocol", Block: "the uwsgi packet", Tunnels: true}
	noScript = &cgi.Protocol{Name: "fastcgi", Title: "FastCGI", Block: "the FastCGI parameters", NoScript: true}
)

func head(mounted bool, variables ...string) (*cgi.Head, error) {
	return cgitest.Head(plain, mounted, cgitest.Fields(variables...))
}

// What is not sent has a default; what is sent stays as it is.
func TestRequests(t *testing.T) {
	const nobody = " from : to here:3031 http/run/s"
	for _, c := range []struct {
		name, variables, want string // joined by |
		mounted               bool
	}{
		{"nothing", "", "GET / path / query  at :/ HTTP/1.0 0" + nobody, false},
		{"the protocol alone", "SERVER_PROTOCOL=HTTP/1.1", "GET / path / query  at :/ HTTP/1.1 0" + nobody, false},
		{"fields alone", "HTTP_HOST=x|HTTP_ACCEPT=*/*", "GET / path / query  at :/ HTTP/1.0 0" + nobody + " HOST: x ACCEPT: */*", false},
		{"empty texts", "REQUEST_METHOD=|SERVER_NAME=|SERVER_PORT=|SERVER_PROTOCOL=|REMOTE_ADDR=|REMOTE_PORT=|REQUEST_URI=", "GET / path / query  at :/ HTTP/1.0 0" + nobody, false},
		{"an empty path", "PATH_INFO=|SCRIPT_NAME=/shop", "GET /shop path /shop query  at /shop: HTTP/1.0 0" + nobody, false},
		{"no path, a target", "REQUEST_URI=/a%20b%2Fc?x=%20", "GET /a%20b%2Fc?x=%20 path /a%20b%2Fc query x=%20 at :/a b/c HTTP/1.0 0" + nobody, false},
		{"no path, a mounted target", "REQUEST_URI=/shop/a|SCRIPT_NAME=/shop", "GET /shop/a path /shop/a query  at /shop:/a HTTP/1.0 0" + nobody, false},
		{"no target", "PATH_INFO=/caf\xc3\xa9 %|QUERY_STRING=a=b", "GET /caf%C3%A9%20%25?a=b path /caf%C3%A9%20%25 query a=b at :/caf\xc3\xa9 % HTTP/1.0 0" + nobody, false},
		{"no target, mounted", "PATH_INFO=/a|SCRIPT_NAME=/shop", "GET /shop/a path /shop/a query  at /shop:/a HTTP/1.0 0" + nobody, false},
		{"no target, a broken query", "QUERY_STRING=a=%20\xff\x00 ?", "GET /?a=%20%FF%00%20? path / query a=%20\xff\x00 ? at :/ HTTP/1.0 0" + nobody, false},
		{"a URL", "REQUEST_URI=http://x/a?b", "GET http://x/a?b path /a query b at :/a HTTP/1.0 0" + nobody, false},
		{"a host", "REQUEST_URI=http://x?b", "GET http://x?b path / query b at :/ HTTP/1.0 0" + nobody, false},
		{"no percent-decoding", "PATH_INFO=/a%20b|REQUEST_URI=/a%2520b", "GET /a%2520b path /a%2520b query  at :/a%20b HTTP/1.0 0" + nobody, false},
		{"broken encoding", "REQUEST_URI=/%|QUERY_STRING=", "GET /% path /% query  at :/% HTTP/1.0 0" + nobody, false},
		{"another query", "REQUEST_URI=/a?x=1|QUERY_STRING=x=2", "GET /a?x=1 path /a query x=2 at :/a HTTP/1.0 0" + nobody, false},
		{"not mounted", "PATH_INFO=/shop/a|SCRIPT_NAME=/shop|REQUEST_URI=/shop/a", "GET /shop/a path /shop/a query  at /shop:/shop/a HTTP/1.0 0" + nobody, false},
		{"mounted", "PATH_INFO=/shop/a|SCRIPT_NAME=/shop|REQUEST_URI=/shop/a", "GET /shop/a path /shop/a query  at /shop:/a HTTP/1.0 0" + nobody, true},
		{"mounted, the top", "PATH_INFO=/shop|SCRIPT_NAME=/shop|REQUEST_URI=/shop", "GET /shop path /shop query  at /shop: HTTP/1.0 0" + nobody, true},
		{"mounted, another path", "PATH_INFO=/shopping|SCRIPT_NAME=/shop|REQUEST_URI=/x", "GET /x path /x query  at /shop:/shopping HTTP/1.0 0" + nobody, true},
		{"mounted, no name", "PATH_INFO=/a|REQUEST_URI=/a", "GET /a path /a query  at :/a HTTP/1.0 0" + nobody, true},
		{"no body", "CONTENT_LENGTH=|CONTENT_TYPE=", "GET / path / query  at :/ HTTP/1.0 0" + nobody + " CONTENT_TYPE= CONTENT_LENGTH=", false},
		{"a body of nothing", "CONTENT_LENGTH=0", "GET / path / query  at :/ HTTP/1.0 0" + nobody + " Content-Length: 0", false},
		{"the largest body", "CONTENT_LENGTH=999999999999999999", "GET / path / query  at :/ HTTP/1.0 999999999999999999" + nobody + " Content-Length: 999999999999999999", false},
		{"a body that is kept back", "CONTENT_LENGTH=5|HTTP_CONTENT_LENGTH=5|CONTENT_LENGTH=", "GET / path / query  at :/ HTTP/1.0 0" + nobody + " HTTP_CONTENT_LENGTH=5 CONTENT_LENGTH=", false},
		{"the same length", "CONTENT_LENGTH=5|CONTENT_LENGTH=5", "GET / path / query  at :/ HTTP/1.0 5" + nobody + " Content-Length: 5", false},
		{"a coding that is gone", "CONTENT_LENGTH=5|HTTP_TRANSFER_ENCODING=chunked", "GET / path / query  at :/ HTTP/1.0 5" + nobody + " Content-Length: 5", false},
		{"the last one counts", "REQUEST_METHOD=GET|REQUEST_METHOD=PUT|A=1|A=2", "PUT / path / query  at :/ HTTP/1.0 0" + nobody + " A=2", false},
		{"fields again", "HTTP_X_A=1|HTTP_COOKIE=a|HTTP_X_A=2|HTTP_COOKIE=b", "GET / path / query  at :/ HTTP/1.0 0" + nobody + " X-A: 1 COOKIE: a X-A: 2 COOKIE: b", false},
		{"two hosts", "HTTP_HOST=a|HTTP_X=1|HTTP_HOST=b", "GET / path / query  at :/ HTTP/1.0 0" + nobody + " HOST: b X: 1", false},
		{"names of the site's", "remote_user=x|HTTP_=1|HTTP_x=2|HTTP_A-B=3|http_a=4|HTTPX=5|A B\n=6", "GET / path / query  at :/ HTTP/1.0 0" + nobody +
			" remote_user=x HTTP_=1 HTTP_x=2 HTTP_A-B=3 http_a=4 HTTPX=5 A B\n=6", false},
		{"a certificate", "SSL_CLIENT_CERT=-----BEGIN\n\tMII\r\n", "GET / path / query  at :/ HTTP/1.0 0" + nobody + " SSL_CLIENT_CERT=-----BEGIN\n\tMII\r\n", false},
		{"the server's own", "wsgi.input=1|gobridge.request_id=2|wsgi=3", "GET / path / query  at :/ HTTP/1.0 0" + nobody + " wsgi=3", false},
		{"code", "UWSGI_FILE=/x.py|UWSGI_APPID=1", "GET / path / query  at :/ HTTP/1.0 0" + nobody + " UWSGI_FILE=/x.py UWSGI_APPID=1", false},
		{"a client on a socket", "REMOTE_ADDR=unix:|REMOTE_PORT=", "GET / path / query  at :/ HTTP/1.0 0 from unix:: to here:3031 http/run/s", false},
		{"IPv6", "REMOTE_ADDR=2001:db8::1|REMOTE_PORT=1|SERVER_NAME=::1|SERVER_PORT=80", "GET / path / query  at :/ HTTP/1.0 0 from 2001:db8::1:1 to ::1:80 http", false},
		{"no ports", "REMOTE_PORT=http|SERVER_PORT=123456|SERVER_NAME=x", "GET / path / query  at :/ HTTP/1.0 0 from : to x:3031 http", false},
	} {
		var variables []string
		if c.variables != "" {
			variables = strings.Split(c.variables, "|")
		}
		h, err := head(c.mounted, variables...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := cgitest.Describe(h); got != c.want {
			t.Errorf("%s:\n%q, want\n%q", c.name, got, c.want)
		}
	}
}

// What stands for a path that was not sent, and what SCRIPT_NAME is then.
func TestPaths(t *testing.T) {
	for _, c := range []struct {
		variables, target, script, info string
		nameless                        string // the same if SCRIPT_NAME may be a file's; empty: script and info
	}{
		{"DOCUMENT_URI=/caf\xc3\xa9/x|REQUEST_URI=/caf%C3%A9//x", "/caf%C3%A9//x", "", "/caf\xc3\xa9/x", ""},
		{"DOCUMENT_URI=/a b", "/a%20b", "", "/a b", ""},
		{"DOCUMENT_URI=|REQUEST_URI=/%41", "/%41", "", "/A", ""},
		{"DOCUMENT_URI=/b|PATH_INFO=/a|REQUEST_URI=/c", "/c", "", "/a", ""},
		{"SCRIPT_NAME=/a b|DOCUMENT_URI=/a b|REQUEST_URI=/a%20b", "/a%20b", "/a b", "", " /a b"},
		{"SCRIPT_NAME=/a b|REQUEST_URI=/a%20b", "/a%20b", "/a b", "", " /a b"},
		{"SCRIPT_NAME=/index.php|DOCUMENT_URI=/|REQUEST_URI=/?x", "/?x", "/index.php", "/", " /"},
		{"SCRIPT_NAME=/shop|DOCUMENT_URI=/shop/x|REQUEST_URI=/shop/x", "/shop/x", "/shop", "/x", ""},
		{"SCRIPT_NAME=/shop|DOCUMENT_URI=/shopping|REQUEST_URI=/shopping", "/shopping", "/shop", "/shopping", " /shopping"},
		{"SCRIPT_NAME=/shop|PATH_INFO=|REQUEST_URI=/shop", "/shop", "/shop", "", ""},
		{"SCRIPT_NAME=/shop|PATH_INFO=/x", "/shop/x", "/shop", "/x", ""},
		{"SCRIPT_NAME=/a/b", "/a/b", "/a/b", "", " /a/b"},
	} {
		for _, protocol := range []*cgi.Protocol{plain, noScript} {
			want := c.target + " " + c.script + " " + c.info
			if protocol.NoScript && c.nameless != "" {
				want = c.target + " " + c.nameless
			}
			h, err := cgitest.Head(protocol, false, cgitest.Fields(strings.Split(c.variables, "|")...))
			if g := h.Request.Gateway; err != nil || string(h.Request.Target)+" "+string(g.Script)+" "+string(g.Info) != want {
				t.Errorf("%s of %s: %v, %s at %s and %s, want %s", protocol.Name, c.variables, err, h.Request.Target, g.Script, g.Info, want)
			}
		}
	}
}

// Only variables say the scheme, and no other than these two.
func TestScheme(t *testing.T) {
	for variables, want := range map[string]string{
		"B=":                         "http",
		"HTTPS=on":                   "https",
		"HTTPS=ON":                   "https",
		"HTTPS=1":                    "https",
		"HTTPS=off":                  "http",
		"HTTPS=":                     "http",
		"REQUEST_SCHEME=https":       "https",
		"REQUEST_SCHEME=http":        "http",
		"REQUEST_SCHEME=weird":       "http",
		"UWSGI_SCHEME=https":         "https",
		"UWSGI_SCHEME=HTTPS":         "https",
		"UWSGI_SCHEME=http|HTTPS=on": "http",
		"UWSGI_SCHEME=weird":         "http",
		"UWSGI_SCHEME=ftp|HTTPS=on":  "https",
		"HTTPS=on|REQUEST_SCHEME=http|UWSGI_SCHEME=": "https",
		"HTTP_X_FORWARDED_PROTO=https":               "http",
		"HTTP_X_FORWARDED_SSL=on":                    "http",
		"HTTP_HTTPS=on":                              "http",
	} {
		p, err := head(false, strings.Split("A=b|"+variables, "|")...)
		if err != nil || p.Request.Peer.Scheme != want {
			t.Errorf("%s: %v, %s, want %s", variables, err, p.Request.Peer.Scheme, want)
		}
	}
}

func TestRemarks(t *testing.T) {
	for _, c := range []struct {
		variable string
		said     func(*cgi.Head) bool
	}{
		{"HTTP_ACCEPT=application/json", func(p *cgi.Head) bool { return p.WantsJSON }},
		{"REQUEST_METHOD=HEAD", func(p *cgi.Head) bool { return p.HeadMethod }},
		{"HTTP_CONNECTION=keep-alive, Upgrade|HTTP_UPGRADE=WebSocket", func(p *cgi.Head) bool { return p.WebSocket }},
		{"HTTP_CONNECTION=upgrade|HTTP_UPGRADE=h2c|HTTP_UPGRADE=x, websocket|SERVER_PROTOCOL=HTTP/1.1", func(p *cgi.Head) bool { return p.WebSocket }},
		{"REMOTE_ADDR=unix:", func(p *cgi.Head) bool { return p.ClientUnix }},
		{"HTTP_X_REAL_IP=x", func(p *cgi.Head) bool { return p.Forwarded }},
		{"HTTP_FORWARDED=x", func(p *cgi.Head) bool { return p.Forwarded }},
		{"HTTP_X_FORWARDED_PROTO=x", func(p *cgi.Head) bool { return p.Forwarded }},
		{"wsgi.input=x", func(p *cgi.Head) bool { return p.Reserved }},
		{"gobridge.x=x", func(p *cgi.Head) bool { return p.Reserved }},
	} {
		p, err := head(false, "REQUEST_METHOD=GET", "UWSGI_SCHEME=http", "HTTP_ACCEPT=text/html")
		if err != nil || c.said(p) {
			t.Errorf("without %s: %v, or it is said", c.variable, err)
		}
		if p, err = head(false, strings.Split(c.variable, "|")...); err != nil || !c.said(p) {
			t.Errorf("%s: %v, or it is not said", c.variable, err)
		}
	}
	for name, code := range map[string]bool{
		"FILE": true, "SCRIPT": true, "MODULE": true, "CALLABLE": true, "PYHOME": true, "HOME": true, "CHDIR": true, "SETENV": true,
		"POSTFILE": true, "TOUCH_RELOAD": true, "CACHE_GET": true, "APPID": false, "SCHEME": false, "FILES": false,
	} {
		p, err := head(false, "UWSGI_"+name+"=http")
		if sent := p.Request.Gateway.Variables; err != nil || p.NamesCode != code || name != "SCHEME" && len(sent) != 1 {
			t.Errorf("UWSGI_%s: %v, it names code: %v; the application has %v", name, err, p.NamesCode, sent)
		}
	}
	// netip takes any text for a zone, with which a line could be added to an access log.
	if p, err := head(false, "REMOTE_ADDR=fe80::1%a\n203.0.113.1 - -"); err != nil || p.Client.IsValid() || p.Request.Peer.RemoteAddr != "" {
		t.Errorf("an address with a zone: %q, %v", p.Request.Peer.RemoteAddr, err)
	}
	for _, variables := range []string{"HTTP_CONNECTION=upgrade", "HTTP_UPGRADE=websocket", "HTTP_CONNECTION=upgrade|HTTP_UPGRADE=h2c",
		"HTTP_CONNECTION=upgrade|HTTP_UPGRADE=websocket|SERVER_PROTOCOL=HTTP/2.0", "HTTP_CONNECTION=upgrade|UPGRADE=websocket"} {
		if p, err := head(false, strings.Split(variables, "|")...); err != nil || p.WebSocket {
			t.Errorf("%s: %v, or it asks for a WebSocket", variables, err)
		}
	}
	asks := cgitest.Fields("HTTP_CONNECTION=upgrade", "HTTP_UPGRADE=websocket")
	if p, err := cgitest.Head(noScript, false, asks); err != nil || p.WebSocket {
		t.Errorf("by a protocol without tunnels: %v, or it asks for a WebSocket", err)
	}
	if p, _ := head(false); !p.Sparse {
		t.Error("that no method was sent is not said")
	}
}
