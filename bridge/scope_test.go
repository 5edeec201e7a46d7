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
