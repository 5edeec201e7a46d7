package trust

import (
	"net/netip"
	"strings"
	"testing"
)

func TestPeers(t *testing.T) {
	unixPeer := netip.Addr{}
	at := netip.MustParseAddr
	for _, c := range []struct {
		list  string
		a     netip.Addr
		peer  bool // one that connects
		named bool // one that is spoken of
	}{
		{"none", at("127.0.0.1"), false, false},
		{"none", unixPeer, false, false},
		{"127.0.0.1 ::1", at("127.0.0.1"), true, true},
		{"127.0.0.1 ::1", at("::1"), true, true},
		{"127.0.0.1 ::1", at("::ffff:127.0.0.1"), true, true},
		{"127.0.0.1 ::1", at("127.0.0.2"), false, false},
		{"127.0.0.1 ::1", unixPeer, false, false},
		{"unix", unixPeer, true, false},
		{"unix", at("127.0.0.1"), false, false},
		{"*", unixPeer, true, false},
		{"*", at("192.0.2.1"), true, false},
		{"* 10.0.0.0/8", at("10.1.2.3"), true, true},
		{"10.0.0.0/8", at("10.255.255.255"), true, true},
		{"10.0.0.0/8", at("11.0.0.0"), false, false},
		{"2001:db8::/32", at("2001:db8::1"), true, true},
		{"2001:db8::/32", at("2001:db9::1"), false, false},
		{"fe80::/10", at("fe80::1%eth0"), true, true},
		{"::ffff:192.0.2.1", at("192.0.2.1"), true, true},
		{"0.0.0.0/0", at("192.0.2.1"), true, true},
		{"0.0.0.0/0", at("::1"), false, false},
	} {
		l, err := Parse(strings.Fields(c.list))
		if err != nil {
			t.Errorf("%s: %v", c.list, err)
		} else if l.Peer(c.a) != c.peer || c.a.IsValid() && l.Names(c.a) != c.named {
			t.Errorf("%s, %v: Peer %v, want %v; Names %v, want %v", c.list, c.a, l.Peer(c.a), c.peer, l.Names(c.a), c.named)
		}
	}
}

func TestWrongLists(t *testing.T) {
	for list, want := range map[string]string{
		"localhost":           "neither an address nor a network",
		"10.0.0.1/8":          "10.0.0.0/8 or 10.0.0.1",
		"10.0.0.0/33":         "neither",
		"10.0.0":              "neither",
		"010.0.0.1":           "neither",
		"fe80::1%eth0":        "zone",
		"::ffff:10.0.0.0/104": "as IPv4",
		"none unix":           "stands alone",
		"127.0.0.1 none":      "stands alone",
		"UNIX":                "neither",
	} {
		if _, err := Parse(strings.Fields(list)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", list, err, want)
		}
	}
}
