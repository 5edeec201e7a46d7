package cgi_test

import (
	"strings"
	"testing"

	"gobridge/protocol/cgi"
)

func TestStranger(t *testing.T) {
	for _, c := range []struct{ bytes, name, want string }{
		{"GET ", "", "this is HTTP, and the port speaks NAME: in nginx it is for "},
		{"POST", "", "this is HTTP"},
		{"A / ", "", ""}, // no method is so short
		{"get ", "", ""},
		{"PRI ", "", "this is HTTP"},
		{"\x16\x03\x01\x02", "", "this is TLS, and the port speaks NAME without it"},
		{"\x16\x01\x01\x02", "", ""},
		{"PROX", "", "this is a PROXY protocol header"},
		{"\r\n\r\n", "", "this is a PROXY protocol header"},
		{"\x00\x10\x02\x00", "uwsgi", "this looks like uwsgi_pass of nginx, and the port speaks NAME: it is for "},
		{"\x1e\x10\x02\x00", "uwsgi", "this looks like uwsgi_pass"},
		{"\x00\x10\x02\x05", "uwsgi", ""},
		{"\x01\x01\x00\x01", "fastcgi", "this looks like fastcgi_pass of nginx"},
		{"\x01\x09\x00\x00", "fastcgi", "this looks like fastcgi_pass"},
		{"\x01\x04\x00\x01", "fastcgi", ""},
		{"70:C", "scgi", "this looks like scgi_pass of nginx"},
		{"700:", "scgi", "this looks like scgi_pass"},
		{"7000", "scgi", "this looks like scgi_pass"},
		{"7:CO", "scgi", ""},
		{"0700", "scgi", ""},
		{"70;C", "scgi", ""},
	} {
		for _, p := range []*cgi.Protocol{{Name: "uwsgi", Title: "the uwsgi protocol"}, {Name: "fastcgi", Title: "FastCGI"}, {Name: "scgi", Title: "SCGI"}} {
			want := strings.ReplaceAll(c.want, "NAME", p.Title)
			if c.name == p.Name {
				want = ""
			}
			got := ""
			if err := p.Stranger([cgi.SniffSize]byte([]byte(c.bytes))); err != nil {
				got = err.Reason
			}
			if want == "" && got != "" || !strings.HasPrefix(got, want) {
				t.Errorf("%q to %s: %q, want %q", c.bytes, p.Name, got, want)
			}
		}
	}
}
