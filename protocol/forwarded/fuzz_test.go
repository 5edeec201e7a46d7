package forwarded

import (
	"strings"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/http1"
)

// FuzzRead: what a client has put before what a proxy adds changes nothing, and what comes
// out is what it is said to be.
func FuzzRead(f *testing.F) {
	for _, c := range cases {
		f.Add(c.fields)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := fields(text)
		o, err := rules(t, all).Read(lines)
		if err != nil {
			if describe(o) != describe(Origin{}) {
				t.Fatalf("%v, and %s", err, describe(o))
			}
		} else {
			check(t, o)
		}
		// The nearest proxy adds the address of a client that it sees.
		lines = append(lines, bridge.Field{Name: []byte("X-Forwarded-For"), Value: []byte("192.0.2.7")})
		o, err = rules(t, For).Read(lines)
		if err != nil || o.Client.Addr().String() != "192.0.2.7" {
			t.Fatalf("behind %q: %s, %v", text, describe(o), err)
		}
		lines = append(lines, bridge.Field{Name: []byte("Forwarded"), Value: []byte(`for=192.0.2.8;proto=https`)})
		o, err = rules(t, Standard).Read(lines)
		if err == nil && (o.Client.Addr().String() != "192.0.2.8" || o.Scheme != "https" || o.Host != nil) {
			t.Fatalf("behind %q: %s", text, describe(o))
		}
	})
}

func check(t *testing.T, o Origin) {
	if o.Host != nil && !http1.ValidHost(o.Host) || o.Scheme != "" && o.Scheme != "http" && o.Scheme != "https" {
		t.Fatalf("%s", describe(o))
	}
	p := string(o.Prefix)
	if p != "" && (p[0] != '/' || strings.HasSuffix(p, "/") || strings.Contains(p, "//") || strings.ContainsAny(p, "\\?#\r\n\x00 ")) {
		t.Fatalf("the prefix %q", p)
	}
	if o.Client.IsValid() && o.Hops == 0 {
		t.Fatalf("a client out of nothing: %s", describe(o))
	}
}
