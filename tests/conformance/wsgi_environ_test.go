package conformance

import (
	"encoding/json"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gobridge/tests/server"
)

func environIsFresh(t *testing.T, w *wsgi) {
	c := dial(t, w.threads)
	for range 4 { // the connection's and the thread's second request, at the least
		c.send(t, "GET /variables HTTP/1.1\r\nHost: x\r\n\r\n")
		s := c.receive(t, "GET").seen(t)
		if !s.Kind || !s.Fresh || !slices.Equal(s.Names, []string{"str"}) {
			t.Errorf("a dict: %v, fresh: %v, names of type %v", s.Kind, s.Fresh, s.Names)
		}
		s.lack(t, "MINE")
		s.want(t, map[string]string{"SCRIPT_NAME": ""})
		for name, want := range map[string][2]string{"wsgi.version": {"tuple", "(1, 0)"}, "wsgi.multithread": {"bool", "True"}} {
			if s.Variables[name] != want {
				t.Errorf("%s is %q", name, s.Variables[name])
			}
		}
	}
}

func valuesAreLatin1(t *testing.T, w *wsgi) {
	s := w.get(t, "/caf%C3%A9/%E4%FF?q=%C3%A9&%FF", "X-Bytes: a\xc3\xa4\xe4\xffz", "Cookie: \xe9", "Content-Type: text/\xe4").seen(t)
	s.want(t, map[string]string{
		"PATH_INFO": "/caf\u00c3\u00a9/\u00e4\u00ff", "QUERY_STRING": "q=%C3%A9&%FF", "REQUEST_METHOD": "GET",
		"HTTP_X_BYTES": "a\u00c3\u00a4\u00e4\u00ffz", "HTTP_COOKIE": "\u00e9", "CONTENT_TYPE": "text/\u00e4",
	})
	for name, value := range s.Variables {
		if !strings.Contains(name, ".") && value[0] != "str" {
			t.Errorf("%s is of type %s", name, value[0])
		}
	}
}

func variablesArePresent(t *testing.T, w *wsgi) {
	host, port, err := net.SplitHostPort(w.threads.Address())
	if err != nil {
		t.Fatal(err)
	}
	s := w.get(t, "/variables").seen(t)
	s.want(t, map[string]string{
		"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/variables", "QUERY_STRING": "",
		"SERVER_NAME": host, "SERVER_PORT": port, "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
		"HTTP_HOST": "x",
	})
	s.lack(t, "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH")
	s = w.ask(t, "BREW", "/variables?", "").seen(t)
	s.want(t, map[string]string{"REQUEST_METHOD": "BREW", "QUERY_STRING": ""})

	c := w.onSocket(t)
	c.send(t, "GET /variables?a=b?c HTTP/1.0\r\n\r\n")
	s = c.receive(t, "GET").seen(t)
	s.want(t, map[string]string{"SERVER_PROTOCOL": "HTTP/1.0", "QUERY_STRING": "a=b?c"})
	if s.Variables["SERVER_NAME"][1] == "" || !regexp.MustCompile(`^\d+$`).MatchString(s.Variables["SERVER_PORT"][1]) {
		t.Errorf("on a unix socket SERVER_NAME is %q, SERVER_PORT %q", s.Variables["SERVER_NAME"], s.Variables["SERVER_PORT"])
	}
}

func pathIsSplit(t *testing.T, w *wsgi) {
	for target, want := range map[string]string{
		"/a//b///c/": "/a//b///c/", "//a": "//a", "/a/../b/./c": "/a/../b/./c", "/a%2Fb%252F%25": "/a/b%2F%", "/%zz%2": "/%zz%2",
		"/a;b=1,c+d": "/a;b=1,c+d", "/": "/", "/%2e%2E/": "/../", "/a%00b": "/a\x00b",
	} {
		s := w.get(t, target).seen(t)
		s.want(t, map[string]string{"SCRIPT_NAME": "", "PATH_INFO": want, "REQUEST_URI": target})
	}
	for target, want := range map[string]string{ // a proxy may have cut the prefix off already
		"/shop/variables/a": "/variables/a", "/shop": "", "/shop/": "/", "/shopping": "/shopping", "/sh%6Fp//a%2Fb": "//a/b",
		"/variables": "/variables", "/a/shop/b": "/a/shop/b", "/shop/shop": "/shop", "//shop/a": "//shop/a",
	} {
		s := askServer(t, w.processes, "GET", target, "").seen(t)
		s.want(t, map[string]string{"SCRIPT_NAME": "/shop", "PATH_INFO": want, "REQUEST_URI": target})
	}
}

func headersAreVariables(t *testing.T, w *wsgi) {
	s := w.ask(t, "POST", "/variables", "hi", "content-type: text/x; charset=y", "X-Two: a", "Cookie: a=1", "x-two:  b ", "COOKIE: b=2",
		"X_Two: evil", "Content_Length: 99", "Proxy: http://evil/", "X-Empty:", "X-Dash--: d").seen(t)
	s.want(t, map[string]string{
		"CONTENT_TYPE": "text/x; charset=y", "CONTENT_LENGTH": "2", "HTTP_X_TWO": "a, b", "HTTP_COOKIE": "a=1; b=2",
		"HTTP_X_EMPTY": "", "HTTP_X_DASH__": "d",
	})
	s.lack(t, "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_PROXY")
}

func schemeIsTold(t *testing.T, w *wsgi) {
	for scheme, more := range map[string][]string{"http": nil, "https": {"X-Forwarded-Proto: https"}} {
		s := w.get(t, "/variables", more...).seen(t)
		s.want(t, map[string]string{"wsgi.url_scheme": scheme})
		if scheme == "http" {
			s.lack(t, "HTTPS")
		} else {
			s.want(t, map[string]string{"HTTPS": "on"})
		}
	}
}

// together has two requests wait for each other on a server, and returns where they ran:
// process and thread.
func together(t *testing.T, s *server.Server) (places [2][2]int64) {
	t.Helper()
	name, clients := unique(), [2]*client{dial(t, s), dial(t, s)}
	for i, side := range []string{"a", "b"} {
		clients[i].send(t, "GET /together?%s&%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", name, side)
	}
	for i, c := range clients {
		a := c.receive(t, "GET")
		if err := json.Unmarshal([]byte(a.body), &places[i]); err != nil {
			t.Fatalf("%v: %v", a, err)
		}
	}
	return places
}

func flagsAreTruthful(t *testing.T, w *wsgi) {
	for _, c := range []struct {
		s                         *server.Server
		multithread, multiprocess string
	}{{w.threads, "True", "False"}, {w.processes, "False", "True"}} {
		s := askServer(t, c.s, "GET", "/variables", "").seen(t)
		for name, want := range map[string][2]string{
			"wsgi.version": {"tuple", "(1, 0)"}, "wsgi.run_once": {"bool", "False"},
			"wsgi.multithread": {"bool", c.multithread}, "wsgi.multiprocess": {"bool", c.multiprocess},
		} {
			if s.Variables[name] != want {
				t.Errorf("%s is %q, want %q", name, s.Variables[name], want)
			}
		}
		at := together(t, c.s)
		if at[0] == at[1] || (at[0][0] != at[1][0]) != (c.multiprocess == "True") {
			t.Errorf("with multiprocess %s two requests run at once in the processes and threads %v", c.multiprocess, at)
		}
	}
}

func processIsPrivate(t *testing.T, w *wsgi) {
	s := w.get(t, "/variables").seen(t)
	if len(s.Process) > 0 {
		t.Errorf("environ has variables of the process: %v", s.Process)
	}
	for name, value := range s.Variables {
		if strings.Contains(value[1], "of the process") {
			t.Errorf("%s is %q", name, value)
		}
	}
}
