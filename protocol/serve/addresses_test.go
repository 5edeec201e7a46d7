package serve

import (
	"net/netip"
	"strings"
	"testing"

	"gobridge/protocol/trust"
)

func TestTooManyText(t *testing.T) {
	if head, body, _ := strings.Cut(tooMany, "\r\n\r\n"); body != tooManyText || !strings.Contains(head, "Content-Length: 57\r\n") || len(body) != 57 {
		t.Errorf("%d bytes of body: %s", len(body), tooMany)
	}
}

// Who counts as one client.
func TestAddresses(t *testing.T) {
	var s Settings
	var err error
	if s.Forwarded.Trusted, err = trust.Parse([]string{"127.0.0.1", "10.0.0.0/8", "unix"}); err != nil {
		t.Fatal(err)
	}
	a := addresses{limit: 2, exempt: s.proxies, counts: map[netip.Addr]*addressCount{}}
	var counted []*addressCount
	for _, c := range []struct {
		from string
		want bool
	}{
		{"192.0.2.1", true}, {"192.0.2.1", true}, {"192.0.2.1", false}, {"192.0.2.2", true},
		{"2001:db8::1", true}, {"2001:db8::2:0:0:1", true}, {"2001:db8::3", false}, {"2001:db8:0:1::1", true},
		{"127.0.0.1", true}, {"127.0.0.1", true}, {"127.0.0.1", true}, {"10.9.9.9", true}, {"10.9.9.9", true}, {"10.9.9.9", true},
		{"", true}, {"", true}, {"", true},
	} {
		var from netip.Addr
		if c.from != "" {
			from = netip.MustParseAddr(c.from)
		}
		n, ok := a.enter(from)
		if ok != c.want {
			t.Errorf("%q: %v", c.from, ok)
		}
		if n != nil {
			counted = append(counted, n)
		}
	}
	if len(a.counts) != 4 || len(counted) != 6 {
		t.Errorf("%d addresses have %d connections", len(a.counts), len(counted))
	}
	a.leave(counted[0])
	if _, ok := a.enter(netip.MustParseAddr("192.0.2.1")); !ok {
		t.Error("one that has left still counts")
	}
	for _, n := range counted {
		a.leave(n)
	}
	if len(a.counts) != 0 {
		t.Errorf("left: %v", a.counts)
	}
	s.Forwarded.Trusted, _ = trust.Parse([]string{trust.Anyone})
	if s.proxies(netip.MustParseAddr("192.0.2.1")) {
		t.Error("with * everybody is taken for a proxy")
	}
}
