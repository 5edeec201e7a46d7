package forwarded

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/http1"
	"gobridge/protocol/trust"
)

const all = For | Proto | Host | Port | Prefix | Standard

// rules trust the proxies 10.0.0.0/8 and fd00::/8.
func rules(t testing.TB, believed Headers, proxies ...string) *Rules {
	t.Helper()
	if len(proxies) == 0 {
		proxies = []string{"10.0.0.0/8", "fd00::/8"}
	}
	l, err := trust.Parse(proxies)
	if err != nil {
		t.Fatal(err)
	}
	return &Rules{Trusted: l, Believed: believed}
}

// fields makes fields of lines.
func fields(lines string) (all []bridge.Field) {
	for line := range strings.SplitSeq(lines, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		all = append(all, bridge.Field{Name: []byte(name), Value: []byte(strings.TrimSpace(value))})
	}
	return all
}

func describe(o Origin) string {
	s := "-"
	if o.Hops > 0 {
		if s = o.Client.Addr().String(); o.Client.Port() != 0 {
			s = o.Client.String()
		}
	}
	return fmt.Sprintf("%s %s %s %s %s", s, o.Scheme, o.Host, o.Port, o.Prefix)
}

var cases = []struct {
	name, fields, want string // want: client scheme host port prefix; or 400 and a part of the reason
}{
	{"nothing", "Accept: */*", "-    "},
	{"one address", "X-Forwarded-For: 192.0.2.7", "192.0.2.7    "},
	{"any case", "x-FORWARDED-for: 192.0.2.7\nX-forwarded-PROTO: HTTPS", "192.0.2.7 https   "},
	{"what the client sent before", "X-Forwarded-For: 127.0.0.1, 192.0.2.7", "192.0.2.7    "},
	{"garbage that the client sent before", "X-Forwarded-For: <script>, ;;, 192.0.2.7", "192.0.2.7    "},
	{"past trusted proxies", "X-Forwarded-For: 192.0.2.7, 10.0.0.1, 10.2.3.4", "192.0.2.7    "},
	{"a proxy's own request", "X-Forwarded-For: 10.0.0.1", "10.0.0.1    "},
	{"a chain of proxies alone", "X-Forwarded-For: 10.0.0.3, 10.0.0.1", "10.0.0.3    "},
	{"a trusted address that a client invented", "X-Forwarded-For: 10.0.0.1, 192.0.2.7, 10.0.0.2", "192.0.2.7    "},
	{"several fields are one list", "X-Forwarded-For: 192.0.2.9\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-For: 10.0.0.1", "192.0.2.7    "},
	{"empty elements", "X-Forwarded-For: ,192.0.2.7 ,, \t,", "192.0.2.7    "},
	{"an empty field", "X-Forwarded-For:", "-    "},
	{"with a port", "X-Forwarded-For: 192.0.2.7:4711", "192.0.2.7:4711    "},
	{"IPv6", "X-Forwarded-For: 2001:db8::1", "2001:db8::1    "},
	{"IPv6 in brackets", "X-Forwarded-For: [2001:db8::1]", "2001:db8::1    "},
	{"IPv6 with a port", "X-Forwarded-For: [2001:db8::1]:80", "[2001:db8::1]:80    "},
	{"IPv6 proxy", "X-Forwarded-For: 192.0.2.7, [fd00::1]:80", "192.0.2.7    "},
	{"IPv4 in the clothes of IPv6", "X-Forwarded-For: 192.0.2.7, ::ffff:10.0.0.1", "192.0.2.7    "},
	{"unknown", "X-Forwarded-For: 192.0.2.9, unknown", "invalid IP    "},
	{"a unix socket of nginx's", "X-Forwarded-For: 192.0.2.9, unix:", "invalid IP    "},
	{"hidden", "X-Forwarded-For: 192.0.2.9, _gazonk", "invalid IP    "},
	{"no address", "X-Forwarded-For: 192.0.2.7, localhost", "400 X-Forwarded-For"},
	{"a bad address behind a proxy", "X-Forwarded-For: 192.0.2.300, 10.0.0.1", "400 X-Forwarded-For"},
	{"a zone", "X-Forwarded-For: fe80::1%eth0", "400 X-Forwarded-For"},
	{"an open bracket", "X-Forwarded-For: [::1", "400 X-Forwarded-For"},
	{"IPv4 in brackets", "X-Forwarded-For: [192.0.2.7]", "400 X-Forwarded-For"},
	{"a bad port", "X-Forwarded-For: 192.0.2.7:99999", "400 X-Forwarded-For"},
	{"a signed port", "X-Forwarded-For: 192.0.2.7:+1", "400 X-Forwarded-For"},
	{"no port", "X-Forwarded-For: 192.0.2.7:", "400 X-Forwarded-For"},
	{"zeros in front", "X-Forwarded-For: 010.0.0.1", "400 X-Forwarded-For"},
	{"two in one", "X-Forwarded-For: 192.0.2.7 192.0.2.8", "400 X-Forwarded-For"},
	{"quotes", `X-Forwarded-For: "192.0.2.7"`, "400 X-Forwarded-For"},

	{"https", "X-Forwarded-Proto: https", "- https   "},
	{"wss", "X-Forwarded-Proto: wss", "- https   "},
	{"ws", "X-Forwarded-Proto: ws", "- http   "},
	{"the same twice", "X-Forwarded-Proto: https, HTTPS", "- https   "},
	{"two that differ", "X-Forwarded-Proto: https, http", "400 X-Forwarded-Proto has 2 values"},
	{"two fields that differ", "X-Forwarded-Proto: https\nX-Forwarded-Proto: http", "400 X-Forwarded-Proto has 2"},
	{"one for each hop", "X-Forwarded-For: 1.1.1.1, 192.0.2.7, 10.0.0.1\nX-Forwarded-Proto: https, http, https", "400 X-Forwarded-Proto has 3"},
	{"one for all hops", "X-Forwarded-For: 192.0.2.7, 10.0.0.1\nX-Forwarded-Proto: https", "192.0.2.7 https   "},
	{"fewer than hops", "X-Forwarded-For: 1.1.1.1, 192.0.2.7, 10.0.0.1\nX-Forwarded-Proto: https, http", "400 X-Forwarded-Proto"},
	{"another scheme", "X-Forwarded-Proto: javascript", "400 X-Forwarded-Proto"},
	{"a scheme with more", "X-Forwarded-Proto: https;", "400 X-Forwarded-Proto"},

	{"host", "X-Forwarded-Host: example.org", "-  example.org  "},
	{"host and port", "X-Forwarded-Host: example.org:8443", "-  example.org:8443  "},
	{"host is none", "X-Forwarded-Host: example.org/x", "400 X-Forwarded-Host"},
	{"host with a user", "X-Forwarded-Host: a@example.org", "400 X-Forwarded-Host"},
	{"two hosts", "X-Forwarded-Host: evil.example, example.org", "400 X-Forwarded-Host"},
	{"a host for each hop", "X-Forwarded-For: 192.0.2.7, 10.0.0.1\nX-Forwarded-Host: example.org, inside", "400 X-Forwarded-Host has 2"},
	{"port", "X-Forwarded-Port: 443", "-   443 "},
	{"port with a sign", "X-Forwarded-Port: +443", "400 X-Forwarded-Port"},
	{"port 0", "X-Forwarded-Port: 0", "400 X-Forwarded-Port"},
	{"large port", "X-Forwarded-Port: 65536", "400 X-Forwarded-Port"},
	{"prefix", "X-Forwarded-Prefix: /shop", "-    /shop"},
	{"prefix with a slash", "X-Forwarded-Prefix: /shop/eu/", "-    /shop/eu"},
	{"prefix that is none", "X-Forwarded-Prefix: /", "-    "},
	{"another site", "X-Forwarded-Prefix: //evil.example", "400 X-Forwarded-Prefix"},
	{"another site by a backslash", `X-Forwarded-Prefix: /\evil.example`, "400 X-Forwarded-Prefix"},
	{"another site, encoded", "X-Forwarded-Prefix: /%2fevil.example", "400 X-Forwarded-Prefix"},
	{"prefix without a slash", "X-Forwarded-Prefix: shop", "400 X-Forwarded-Prefix"},
	{"prefix that goes up", "X-Forwarded-Prefix: /a/../b", "400 X-Forwarded-Prefix"},
	{"prefix with a query", "X-Forwarded-Prefix: /a?b", "400 X-Forwarded-Prefix"},
	{"prefix with markup", "X-Forwarded-Prefix: /<b>", "400 X-Forwarded-Prefix"},
	{"prefix with an encoded line end", "X-Forwarded-Prefix: /a%0d%0aSet-Cookie:x", "400 X-Forwarded-Prefix"},

	{"Forwarded", "Forwarded: for=192.0.2.7;proto=https;host=example.org;by=10.0.0.1", "192.0.2.7 https example.org  "},
	{"Forwarded, quoted", `Forwarded: For="[2001:db8:cafe::17]:4711";Proto="http";host="example.org:80"`, "[2001:db8:cafe::17]:4711 http example.org:80  "},
	{"Forwarded, quoted pairs", `Forwarded: for="192.0.\2.7"`, "192.0.2.7    "},
	{"Forwarded, the client's element", "Forwarded: for=1.1.1.1;proto=https, for=192.0.2.7;proto=http, for=10.0.0.1;proto=https", "192.0.2.7 http   "},
	{"Forwarded, several fields", "Forwarded: for=1.1.1.1;proto=https\nForwarded: for=192.0.2.7;proto=http\nForwarded: for=10.0.0.1", "192.0.2.7 http   "},
	{"Forwarded, white space", "Forwarded: \tfor=192.0.2.7 ; proto=http , for=10.0.0.1", "192.0.2.7 http   "},
	{"Forwarded, a port without quotes", "Forwarded: for=192.0.2.7:80", "192.0.2.7:80    "},
	{"Forwarded, other names", `Forwarded: for=192.0.2.7;x="a, b;c";secret=_x`, "192.0.2.7    "},
	{"Forwarded, empty elements", "Forwarded: ,, for=192.0.2.7;;proto=http;,", "192.0.2.7 http   "},
	{"Forwarded, hidden", "Forwarded: for=192.0.2.9, for=_hidden", "invalid IP    "},
	{"Forwarded, unknown with a port", `Forwarded: for="unknown:_x"`, "invalid IP    "},
	{"Forwarded without an address", "Forwarded: for=1.1.1.1;proto=https, proto=http", "- http   "},
	{"Forwarded, IPv6 without brackets", `Forwarded: for="2001:db8::1"`, "400 Forwarded has a node"},
	{"Forwarded, no address", "Forwarded: for=example", "400 Forwarded has a node"},
	{"Forwarded, an open quote", `Forwarded: for="192.0.2.7`, "400 Forwarded is malformed"},
	{"Forwarded, an open quote that a proxy has added to", `Forwarded: for="x, for=192.0.2.7`, "400 Forwarded is malformed"},
	{"Forwarded, a backslash at the end", `Forwarded: for="x\`, "400 Forwarded is malformed"},
	{"Forwarded, no value", "Forwarded: for=", "400 Forwarded is malformed"},
	{"Forwarded, an empty value", `Forwarded: for=""`, "400 Forwarded is malformed"},
	{"Forwarded, no name", "Forwarded: =x", "400 Forwarded is malformed"},
	{"Forwarded, twice in one", "Forwarded: for=192.0.2.7;for=1.1.1.1", "400 Forwarded is malformed"},
	{"Forwarded, something behind a quote", `Forwarded: for="192.0.2.7"x`, "400 Forwarded is malformed"},
	{"Forwarded, another protocol", "Forwarded: for=192.0.2.7;proto=gopher", "400 Forwarded has a protocol"},
	{"Forwarded, a host that is none", `Forwarded: host="a b"`, "400 Forwarded has a host"},
	{"both, and they agree", "X-Forwarded-For: 192.0.2.7\nForwarded: for=192.0.2.7;proto=https", "192.0.2.7 https   "},
	{"both, and one client is another", "X-Forwarded-For: 192.0.2.7\nForwarded: for=192.0.2.8", "400 different values for the client"},
	{"both, and one scheme is another", "X-Forwarded-Proto: http\nForwarded: proto=https", "400 different values for the scheme"},
	{"both, and one host is another", "X-Forwarded-Host: a\nForwarded: host=b", "400 different values for the host"},
}

func TestRead(t *testing.T) {
	r := rules(t, all)
	for _, c := range cases {
		o, err := r.Read(fields(c.fields))
		reason, refused := strings.CutPrefix(c.want, "400 ")
		var e *http1.Error
		switch {
		case refused && (!errors.As(err, &e) || e.Status != 400 || !strings.Contains(e.Reason, reason)):
			t.Errorf("%s: %s, %v; want 400 with %q", c.name, describe(o), err, reason)
		case !refused && (err != nil || describe(o) != c.want):
			t.Errorf("%s: %q, %v; want %q", c.name, describe(o), err, c.want)
		}
	}
}

// What is not believed is not even read: it may be the client's, and a proxy's own word
// about it is not known.
func TestBelievedOnly(t *testing.T) {
	lines := fields("X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: https\nX-Forwarded-Host: a\nX-Forwarded-Port: 1\nX-Forwarded-Prefix: /p\nForwarded: host=b")
	broken := fields("X-Forwarded-For: x\nX-Forwarded-Proto: x\nX-Forwarded-Host: /\nX-Forwarded-Port: x\nX-Forwarded-Prefix: x\nForwarded: x")
	for name, want := range map[string]string{
		"x-forwarded-for": "192.0.2.7    ", "x-forwarded-proto": "- https   ", "X-Forwarded-Host": "-  a  ",
		"x-forwarded-port": "-   1 ", "x-forwarded-prefix": "-    /p", "forwarded": "-  b  ",
	} {
		h, err := Named([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		if o, err := rules(t, h).Read(lines); err != nil || describe(o) != want {
			t.Errorf("%s: %s, %v", name, describe(o), err)
		}
		if _, err := rules(t, h).Read(broken); err == nil {
			t.Errorf("%s is not refused", name)
		}
		if o, err := rules(t, 0).Read(broken); err != nil || describe(o) != "-    " {
			t.Errorf("nothing is believed: %s, %v", describe(o), err)
		}
	}
	if _, err := Named([]string{"x-real-ip"}); err == nil {
		t.Error("x-real-ip has a name")
	}
}

// Who believes every peer does not believe every address that one names.
func TestAnyoneIsNoProxy(t *testing.T) {
	for list, want := range map[string]string{"*": "10.0.0.1    ", "unix": "10.0.0.1    ", "none": "10.0.0.1    ", "0.0.0.0/0": "1.1.1.1    "} {
		o, err := rules(t, all, list).Read(fields("X-Forwarded-For: 1.1.1.1, 192.0.2.7, 10.0.0.1"))
		if err != nil || describe(o) != want {
			t.Errorf("%s: %s, %v; want %s", list, describe(o), err, want)
		}
	}
}
