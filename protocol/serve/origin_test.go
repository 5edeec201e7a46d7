package serve

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"gobridge/protocol/forwarded"
	"gobridge/protocol/http1"
	"gobridge/protocol/trust"
)

func trustList(t testing.TB, entries ...string) trust.List {
	t.Helper()
	l, err := trust.Parse(entries)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func extraFields(t testing.TB, texts ...string) (all []http1.Extra) {
	t.Helper()
	for _, text := range texts {
		e, err := http1.NewExtra(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// seen answers with what the application is told of the client.
func seen(c *call) {
	text := fmt.Sprintf("%s %s://%s:%s%s", c.peer.RemoteAddr, c.peer.Scheme, c.peer.ServerName, c.peer.ServerPort, c.root)
	for _, f := range c.fields {
		text += " " + strings.ReplaceAll(f, ": ", "=")
	}
	c.atOnce(200, text)
}

const believedAll = forwarded.For | forwarded.Proto | forwarded.Host | forwarded.Port | forwarded.Prefix | forwarded.Standard

// Each field's name begins with X-F, or with F for Forwarded.
var originCases = []struct{ name, fields, trusted, other string }{
	{"nothing said", "", "127.0.0.1 http://127.0.0.1:PORT/root Host=x:1", "same"},
	{"address", "X-Forwarded-For: 192.0.2.7\n", "192.0.2.7 http://127.0.0.1:PORT/root Host=x:1 X-Forwarded-For=192.0.2.7", ""},
	{"scheme", "X-Forwarded-Proto: https\n", "127.0.0.1 https://127.0.0.1:PORT/root Host=x:1 X-Forwarded-Proto=https", ""},
	{"host", "X-Forwarded-Host: a:81\n", "127.0.0.1 http://a:81/root Host=a:81 X-Forwarded-Host=a:81", ""},
	{"host without a port", "X-Forwarded-Host: a\nX-Forwarded-Proto: https\n", "127.0.0.1 https://a:443/root Host=a X-Forwarded-Host=a X-Forwarded-Proto=https", ""},
	{"IPv6 host", "X-Forwarded-Host: [::1]:81\n", "127.0.0.1 http://::1:81/root Host=[::1]:81 X-Forwarded-Host=[::1]:81", ""},
	{"port", "X-Forwarded-Port: 81\n", "127.0.0.1 http://x:81/root Host=x:81 X-Forwarded-Port=81", ""},
	{"port that goes without saying", "X-Forwarded-Port: 443\nX-Forwarded-Proto: https\n", "127.0.0.1 https://x:443/root Host=x X-Forwarded-Port=443 X-Forwarded-Proto=https", ""},
	{"host and port", "X-Forwarded-Host: a\nX-Forwarded-Port: 81\n", "127.0.0.1 http://a:81/root Host=a:81 X-Forwarded-Host=a X-Forwarded-Port=81", ""},
	{"host and port that differ", "X-Forwarded-Host: a:80\nX-Forwarded-Port: 81\n", "400", ""},
	{"prefix", "X-Forwarded-Prefix: /p/\n", "127.0.0.1 http://127.0.0.1:PORT/p Host=x:1 X-Forwarded-Prefix=/p/", ""},
	{"no prefix", "X-Forwarded-Prefix: /\n", "127.0.0.1 http://127.0.0.1:PORT Host=x:1 X-Forwarded-Prefix=/", ""},
	{"unknown", "X-Forwarded-For: unknown\n", " http://127.0.0.1:PORT/root Host=x:1 X-Forwarded-For=unknown", ""},
	{"Forwarded", "Forwarded: for=192.0.2.7;proto=https;host=a\n", "192.0.2.7 https://a:443/root Host=a Forwarded=for=192.0.2.7;proto=https;host=a", ""},
	{"malformed", "X-Forwarded-For: x\n", "400", ""},
	{"others", "X-Real-IP: 192.0.2.7\nX-Forwarded-Ssl: on\n", "127.0.0.1 http://127.0.0.1:PORT/root Host=x:1 X-Real-IP=192.0.2.7 X-Forwarded-Ssl=on", ""},
}

func TestOrigin(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		t.Run(fmt.Sprint("trusted ", trusted), func(t *testing.T) {
			access := new(syncBuffer)
			s := start(t, 1, seen, func(s *Settings) {
				s.Root, s.AccessLog = "/root", access
				s.Forwarded.Believed = believedAll
				if trusted {
					s.Forwarded.Trusted = trustList(t, "127.0.0.1")
				}
			})
			_, port, _ := strings.Cut(s.at, ":")
			var addresses []string
			for _, test := range originCases {
				want := test.trusted
				if !trusted {
					want = originCases[0].trusted
				}
				c := s.dial(t)
				c.send("GET /a HTTP/1.1\r\nHost: x:1\r\n" + strings.ReplaceAll(test.fields, "\n", "\r\n") + "\r\nGET /b HTTP/1.1\r\nHost: x:1\r\n\r\n")
				addresses = append(addresses, strings.SplitN(want, " ", 2)[0])
				if want == "400" {
					addresses[len(addresses)-1] = "127.0.0.1" // nobody who could be believed
					c.want("GET", 400, "*")
					c.finish()
					c.wantEnd()
					continue
				}
				c.want("GET", 200, strings.ReplaceAll(want, "PORT", port))
				// What was said of one request is forgotten by the next one.
				c.want("GET", 200, strings.ReplaceAll(originCases[0].trusted, "PORT", port))
			}
			first := regexp.MustCompile(`(?m)^(\S+) - - \[[^]]*\] "GET /a`)
			eventually(t, "a line for each", func() bool { return len(first.FindAllString(access.String(), -1)) == len(originCases) })
			for i, m := range first.FindAllStringSubmatch(access.String(), -1) {
				if want := addresses[i]; m[1] != want && !(want == "" && m[1] == "-") {
					t.Errorf("%s: the access log has %s, want %s", originCases[i].name, m[1], want)
				}
			}
			if told := strings.Count(s.logs.String(), "--forwarded-allow-ips"); told != map[bool]int{true: 0, false: 1}[trusted] {
				t.Errorf("%d warnings: %s", told, s.logs)
			}
		})
	}
}

// Over a unix socket nobody has an address.
func TestOriginOverUnix(t *testing.T) {
	for _, trusted := range []string{"unix", "none"} {
		l, err := Listen("unix:" + tempSocket(t))
		if err != nil {
			t.Fatal(err)
		}
		s := startOn(t, l, 1, seen, func(s *Settings) {
			s.Forwarded = forwarded.Rules{Trusted: trustList(t, trusted), Believed: forwarded.For}
		})
		c := s.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
		c.want("GET", 200, map[string]string{
			"unix": "192.0.2.7 http://localhost:80 Host=x X-Forwarded-For=192.0.2.7", "none": " http://localhost:80 Host=x",
		}[trusted])
	}
}

// A header that is set for every response, and those that are not wanted.
func TestExtraFields(t *testing.T) {
	s := start(t, 1, func(c *call) {
		if c.target == "/own" {
			c.start(200, 0, "x-one: mine")
			return
		}
		c.atOnce(200, "hello")
	}, func(s *Settings) {
		s.Extra, s.ServerName, s.NoDate = extraFields(t, "X-One: 1", "X-Two: 2"), "", true
	})
	for _, test := range []struct {
		request string
		status  int
		one     string
	}{{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, "1"}, {"GET /own HTTP/1.1\r\nHost: x\r\n\r\n", 200, "mine"}, {"nonsense\r\n\r\n", 400, "1"}} {
		c := s.dial(t)
		c.send(test.request)
		h := c.want("GET", test.status, "*").Header
		if strings.Join(h["X-One"], "|") != test.one || h.Get("X-Two") != "2" || h["Date"] != nil || h["Server"] != nil {
			t.Errorf("%q: %v", test.request, h)
		}
	}
}

// Pages are JSON for who prefers it, from whatever is wrong.
func TestPages(t *testing.T) {
	s := start(t, 1, demo, func(s *Settings) { s.BodySize = 10 })
	const wantsJSON = "Accept: application/json\r\n"
	for _, test := range []struct{ request, json string }{
		{"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\nACCEPT", `{"type":"about:blank","title":"Bad Request","status":400,"detail":"header field 2 (A) has white space in its name or before the colon"}`},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nACCEPT", `{"type":"about:blank","title":"Content Too Large","status":413,"detail":"The request's body is larger than this server takes."}`},
		{"GET /lost HTTP/1.1\r\nHost: x\r\nACCEPT", `{"type":"about:blank","title":"Bad Gateway","status":502,"detail":"The application's process ended before it had answered."}`},
		{"GET /overrun HTTP/1.1\r\nHost: x\r\nACCEPT", `{"type":"about:blank","title":"Gateway Timeout","status":504,"detail":"The application did not answer in time."}`},
	} {
		for accept, kind := range map[string]string{wantsJSON: jsonPage, "Accept: text/html, */*\r\n": textPage, "": textPage} {
			c := s.dial(t)
			c.send(strings.Replace(test.request, "ACCEPT", accept, 1) + "\r\n")
			r, body := c.answer("GET")
			if r.Header.Get("Content-Type") != kind || (kind == jsonPage) != (body == test.json+"\n") || !strings.HasSuffix(body, "\n") {
				t.Errorf("%q: %q %q", test.request, r.Header.Get("Content-Type"), body)
			}
			if strings.Contains(body, "gobridge") || strings.Count(body, "\n") != 1 {
				t.Errorf("%q: says too much: %q", test.request, body)
			}
		}
	}
}

func TestUnderscores(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		s := start(t, 1, seen, func(s *Settings) { s.RefuseUnderscores = refuse })
		c := s.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: x\r\nX_Forwarded_For: 192.0.2.7\r\nContent_Length: 5\r\n\r\n")
		if r, body := c.answer("GET"); refuse != (r.StatusCode == 400) || !refuse && !strings.HasSuffix(body, " Host=x") {
			t.Errorf("refuse %v: %d %s", refuse, r.StatusCode, body)
		}
	}
}
