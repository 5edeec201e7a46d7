package bridge

import (
	"encoding/binary"
	"testing"

	"gobridge/pyhost"
)

func environOf(t *testing.T, r *Request) map[string]string {
	t.Helper()
	b := appendEnviron(nil, r)
	if got := int(binary.LittleEndian.Uint32(b)); got != len(b) {
		t.Errorf("the head says %d bytes and has %d", got, len(b))
	}
	return decodeVariables(t, b[pyhost.RequestHeadSize:], int(binary.LittleEndian.Uint16(b[4:])))
}

func TestEnvironFields(t *testing.T) {
	r := hello("/")
	for _, f := range [][2]string{{"content-type", "text/plain"}, {"Content-Length", "5"}, {"X-One", "a"}, {"Cookie", "a=1"},
		{"x-one", "b"}, {"COOKIE", "b=2"}, {"Proxy", "http://evil"}, {"X-Empty", ""}} {
		r.Fields = append(r.Fields, Field{[]byte(f[0]), []byte(f[1])})
	}
	got := environOf(t, r)
	for name, want := range map[string]string{"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "5", "HTTP_X_ONE": "a, b",
		"HTTP_COOKIE": "a=1; b=2", "HTTP_X_EMPTY": "", "QUERY_STRING": "", "SERVER_NAME": "localhost", "SERVER_PORT": "8000"} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	for _, name := range []string{"HTTP_PROXY", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} {
		if value, ok := got[name]; ok {
			t.Errorf("%s is there: %q", name, value)
		}
	}
}

func TestEnvironPath(t *testing.T) {
	for path, want := range map[string]string{"/": "/", "/a%20b": "/a b", "/%C3%A9": "/\xc3\xa9", "//a//": "//a//", "/%2F..%2f": "//../",
		"/%": "/%", "/%4": "/%4", "/%zz": "/%zz", "/a%2541": "/a%41", "*": ""} {
		r := hello("/")
		r.Path = []byte(path)
		if got := environOf(t, r)["PATH_INFO"]; got != want {
			t.Errorf("%s becomes %q, want %q", path, got, want)
		}
	}
}

// An application that is mounted somewhere sees below it what a proxy has left of the path,
// whether that has cut the prefix off or not.
func TestEnvironMounted(t *testing.T) {
	for _, c := range []struct{ root, path, script, info string }{
		{"/shop", "/shop/a", "/shop", "/a"},
		{"/shop", "/shop/", "/shop", "/"},
		{"/shop", "/shop", "/shop", ""},
		{"/shop", "/a", "/shop", "/a"},
		{"/shop", "/", "/shop", "/"},
		{"/shop", "/shopping", "/shop", "/shopping"},
		{"/shop", "/sho", "/shop", "/sho"},
		{"/shop", "/Shop/a", "/shop", "/Shop/a"},
		{"/shop", "//shop/a", "/shop", "//shop/a"},
		{"/shop", "/shop//a", "/shop", "//a"},
		{"/shop", "/shop/shop/a", "/shop", "/shop/a"},
		{"/shop", "/s%68op/%61", "/shop", "/a"},
		{"/shop", "*", "/shop", ""},
		{"/a/b", "/a/b/c%20d", "/a/b", "/c d"},
		{"/a/b", "/a", "/a/b", "/a"},
		{"/caf%C3%A9", "/caf\xc3\xa9/x", "/caf\xc3\xa9", "/x"},
	} {
		r := hello("/")
		r.Root, r.Path = c.root, []byte(c.path)
		got := environOf(t, r)
		if got["SCRIPT_NAME"] != c.script || got["PATH_INFO"] != c.info || got["QUERY_STRING"] != "" || got["SERVER_NAME"] != "localhost" {
			t.Errorf("%s under %s becomes %q and %q, want %q and %q", c.path, c.root, got["SCRIPT_NAME"], got["PATH_INFO"], c.script, c.info)
		}
	}
}

// What a web server has taken apart stays as it is: paths are not decoded again, and each
// variable of the site's is there.
func TestEnvironOfGateways(t *testing.T) {
	field := func(name, value string) Field { return Field{[]byte(name), []byte(value)} }
	request := func() *Request {
		return &Request{Method: []byte("GET"), Target: []byte("/a%2520b?c"), Path: []byte("/a%2520b"), Query: []byte("c"), BodyLength: 3,
			Peer:   &Peer{RemoteAddr: "192.0.2.7", RemotePort: "5000", ServerName: "example.org", ServerPort: "443", Scheme: "https"},
			Fields: []Field{field("X-A", "1"), field("COOKIE", "a"), field("X-A", "2"), field("COOKIE", "b"), field("Content-Length", "3")},
			Gateway: &Gateway{Name: "uwsgi", Script: []byte("/s%41"), Info: []byte("/a%20b"), Protocol: []byte("HTTP/2.0"), RemoteAddr: []byte("unix:"),
				Variables: []Field{field("REMOTE_USER", "x"), field("lower-Case", "y")}}}
	}
	for _, c := range []struct {
		name   string
		change func(*Request)
		want   map[string]string
	}{
		{"as it came", func(*Request) {}, map[string]string{
			"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/s%41", "PATH_INFO": "/a%20b", "QUERY_STRING": "c", "REQUEST_URI": "/a%2520b?c",
			"SERVER_PROTOCOL": "HTTP/2.0", "REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "5000", "SERVER_NAME": "example.org", "SERVER_PORT": "443",
			"wsgi.url_scheme": "https", "HTTPS": "on", "HTTP_X_A": "1, 2", "HTTP_COOKIE": "a; b", "CONTENT_LENGTH": "3", "REMOTE_USER": "x", "lower-Case": "y"}},
		{"with a root", func(r *Request) { r.Root = "/a%20b" }, map[string]string{"SCRIPT_NAME": "/a b", "PATH_INFO": "/a%20b"}},
		{"below a root", func(r *Request) { r.Root, r.Gateway.Info = "/sh%6Fp", []byte("/shop/x") }, map[string]string{"SCRIPT_NAME": "/shop", "PATH_INFO": "/x"}},
		{"beside a root", func(r *Request) { r.Root, r.Gateway.Info = "/shop", []byte("/shopping") }, map[string]string{"SCRIPT_NAME": "/shop", "PATH_INFO": "/shopping"}},
		{"no address", func(r *Request) { r.Peer.RemoteAddr = "" }, map[string]string{"REMOTE_ADDR": "unix:"}},
		{"an id", func(r *Request) { r.ID = []byte("abc") }, map[string]string{"gobridge.request_id": "abc"}},
		{"http", func(r *Request) { r.Peer.Scheme = "http" }, map[string]string{"wsgi.url_scheme": "http", "HTTPS": ""}},
	} {
		r := request()
		c.change(r)
		got := environOf(t, r)
		for name, want := range c.want {
			if got[name] != want {
				t.Errorf("%s: %s is %q, want %q", c.name, name, got[name], want)
			}
		}
	}
}

func TestEnvironFlags(t *testing.T) {
	for _, c := range []struct {
		method string
		minor  int
		expect bool
		want   uint16
	}{{"GET", 1, false, 0}, {"HEAD", 1, false, pyhost.RequestHEAD}, {"PUT", 1, true, pyhost.RequestExpect},
		{"HEAD", 0, false, pyhost.RequestHEAD | pyhost.RequestHTTP10}} {
		r := hello("/")
		r.Method, r.Minor, r.Expect = []byte(c.method), c.minor, c.expect
		if got := requestFlags(r); got != c.want {
			t.Errorf("%+v: flags %d", c, got)
		}
	}
}

func BenchmarkHello(b *testing.B) {
	r := hello("/")
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = appendEnviron(dst[:0], r)
	}
}
