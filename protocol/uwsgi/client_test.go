package uwsgi

import (
	"strings"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/cgi/cgitest"
)

// What is sent is what a server of ours takes.
func TestAppendRequest(t *testing.T) {
	variables := cgitest.Fields("REQUEST_METHOD=GET", "PATH_INFO=/", "EMPTY=", "X="+strings.Repeat("x", 300))
	got, err := AppendRequest([]byte("before"), variables)
	if want := "before\x00\x5d\x01\x00\x0e\x00REQUEST_METHOD\x03\x00GET\x09\x00PATH_INFO\x01\x00/\x05\x00EMPTY\x00\x00\x01\x00X\x2c\x01" + strings.Repeat("x", 300); err != nil || string(got) != want {
		t.Errorf("%v, %q, want\n%q", err, got, want)
	}
	p := NewParser()
	p.Local = &bridge.Peer{}
	if n, err := p.Parse(got[len("before"):]); err != nil || n != len(got)-len("before") || len(p.Request.Gateway.Variables) != 2 {
		t.Errorf("the server's parser says %d, %v", n, err)
	}
	one := func(name string, size int) []bridge.Field {
		return []bridge.Field{{Name: []byte(name), Value: []byte(strings.Repeat("x", size))}}
	}
	if got, err := AppendRequest(nil, one("X", 65535-5)); err != nil || len(got) != MaxSize {
		t.Errorf("the largest packet: %d bytes, %v", len(got), err)
	}
	for _, each := range [][]bridge.Field{one("", 1), one("X", 65535-4), one("X", 65536), one(strings.Repeat("n", 65536), 0)} {
		if got, err := AppendRequest([]byte("before"), each); err == nil || string(got) != "before" {
			t.Errorf("a name of %d bytes and a value of %d: %q, %v", len(each[0].Name), len(each[0].Value), got, err)
		}
	}
}
