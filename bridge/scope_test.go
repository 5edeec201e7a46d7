package bridge

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"gobridge/pyhost"
)

// readScope takes a head in ASGI's form apart: the values without a name, and the fields.
func readScope(t *testing.T, head []byte) (values, fields []string) {
	t.Helper()
	if size := binary.LittleEndian.Uint32(head); int(size) != len(head) {
		t.Fatalf("the head says that it has %d bytes instead of %d", size, len(head))
	}
	count := int(binary.LittleEndian.Uint16(head[4:]))
	for at := head[pyhost.RequestHeadSize:]; len(at) > 0; count-- {
		name, value := int(binary.LittleEndian.Uint16(at)), int(binary.LittleEndian.Uint32(at[4:]))
		at = at[pyhost.VariableSize:]
		if name == 0 {
			values = append(values, string(at[:value]))
		} else {
			fields = append(fields, fmt.Sprintf("%s: %s", at[:name], at[name:name+value]))
		}
		at = at[name+value:]
	}
	if count != 0 {
		t.Fatalf("the head has %d variables less than it says", count)
	}
	return values, fields
}

func TestScope(t *testing.T) {
	tcp := &Peer{RemoteAddr: "10.0.0.1", RemotePort: "5000", ServerName: "10.0.0.2", ServerPort: "80", Scheme: "http"}
	unix := &Peer{ServerName: "localhost", ServerPort: "80", Scheme: "https", Socket: "/run/s"}
	for _, c := range []struct {
		method, root, path, query string
		minor                     int
		peer                      *Peer
		want                      string // joined by |, but for the id
	}{
		{"GET", "", "/", "", 1, tcp, "GET||/|/||1.1|http|10.0.0.1|5000|10.0.0.2|80"},
		{"get", "", "/caf%C3%A9/%2f%zz", "a=%20b", 0, tcp, "GET||/café//%zz|/caf%C3%A9/%2f%zz|a=%20b|1.0|http|10.0.0.1|5000|10.0.0.2|80"},
		{"M-SEARCH", "", "*", "", 1, unix, "M-SEARCH||*|*||1.1|https|||/run/s|"},
		{"GET", "/sh%6Fp", "/shop/x", "", 1, tcp, "GET|/shop|/shop/x|/shop/x||1.1|http|10.0.0.1|5000|10.0.0.2|80"},
		{"GET", "/shop", "/shop", "", 1, tcp, "GET|/shop|/shop|/shop||1.1|http|10.0.0.1|5000|10.0.0.2|80"},
		{"GET", "/shop", "/x", "", 1, tcp, "GET|/shop|/shop/x|/x||1.1|http|10.0.0.1|5000|10.0.0.2|80"},
		{"GET", "/shop", "/shopping", "", 1, tcp, "GET|/shop|/shop/shopping|/shopping||1.1|http|10.0.0.1|5000|10.0.0.2|80"},
		{"GET", "", "/", "", 1, nil, "GET||/|/||1.1|||||"},
	} {
		r := Request{Method: []byte(c.method), Root: c.root, Path: []byte(c.path), Query: []byte(c.query), Minor: c.minor, Peer: c.peer, ID: []byte("id"),
			Fields: []Field{{[]byte("HoSt"), []byte("A:1")}, {[]byte("X-Two"), []byte("b")}, {[]byte("x-two"), nil}}}
		values, fields := readScope(t, appendScope([]byte("before")[:0], &r))
		if got := strings.Join(values, "|"); got != c.want+"|id" {
			t.Errorf("%s %s in %q: %s, want %s", c.method, c.path, c.root, got, c.want)
		}
		if got := strings.Join(fields, "|"); got != "host: A:1|x-two: b|x-two: " {
			t.Errorf("the fields are %s", got)
		}
	}
}

// A request that a web server has taken apart is not taken apart again, and what it has sent
// besides stands in one variable.
func TestScopeOfGateways(t *testing.T) {
	for _, c := range []struct{ root, script, info, protocol, want string }{
		{"", "", "/a%20b", "HTTP/2.0", "GET||/a%20b|/a%2520b|c|2|https|192.0.2.7|5000|example.org|443|"},
		{"", "/shop", "/x", "HTTP/1.1", "GET|/shop|/shop/x|/a%2520b|c|1.1|https|192.0.2.7|5000|example.org|443|"},
		{"", "/shop", "/shop/x", "HTTP/3.0", "GET|/shop|/shop/x|/a%2520b|c|3|https|192.0.2.7|5000|example.org|443|"},
		{"/sh%6Fp", "", "/shop/x", "", "GET|/shop|/shop/x|/a%2520b|c|1.0|https|192.0.2.7|5000|example.org|443|"},
	} {
		r := &Request{Method: []byte("get"), Target: []byte("/a%2520b?c"), Path: []byte("/a%2520b"), Query: []byte("c"), Root: c.root,
			Peer:    &Peer{RemoteAddr: "192.0.2.7", RemotePort: "5000", ServerName: "example.org", ServerPort: "443", Scheme: "https"},
			Fields:  []Field{{[]byte("X-A"), []byte("1")}},
			Gateway: &Gateway{Name: "uwsgi", Script: []byte(c.script), Info: []byte(c.info), Protocol: []byte(c.protocol), Variables: []Field{{[]byte("REMOTE_USER"), []byte("x")}}}}
		head := appendScope(nil, r)
		if binary.LittleEndian.Uint16(head[6:])&pyhost.RequestGateway == 0 {
			t.Error("the head does not say that it came by a gateway")
		}
		values, fields := readScope(t, head)
		if got := strings.Join(values, "|"); got != c.want {
			t.Errorf("%s%s in %q: %s, want %s", c.script, c.info, c.root, got, c.want)
		}
		if len(fields) != 2 || fields[1] != "x-a: 1" || !strings.HasPrefix(fields[0], "uwsgi: ") {
			t.Fatalf("the fields are %q", fields)
		}
		inner := fields[0][len("uwsgi: "):]
		for _, part := range []string{"REMOTE_USERx", "REMOTE_ADDR192.0.2.7", "REQUEST_URI/a%2520b?c", "HTTPSon"} {
			if !strings.Contains(inner, part) {
				t.Errorf("%s is not among %q", part, inner)
			}
		}
	}
}
