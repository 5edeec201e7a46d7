package proxyproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// v2 makes a header of version 2.
func v2(versionCommand, family byte, body string) string {
	return signature + string([]byte{versionCommand, family}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(body)))) + body
}

func tlv(kind byte, value string) string {
	return string([]byte{kind}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(value)))) + value
}

// summed fills in the checksum of a header that ends with a TLV for it.
func summed(header string) string {
	b := []byte(header)
	binary.BigEndian.PutUint32(b[len(b)-4:], checksum(b, len(b)-4))
	return string(b)
}

const (
	inet  = "\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"
	inet6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\x00\x50\x01\xbb"
)

var good = []struct {
	name, header, want string
	versions           Versions
}{
	{"v1 TCP4", "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", "192.0.2.7:56324 198.51.100.1:443", V1},
	{"v1 TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n", "[2001:db8::1]:0 [2001:db8::2]:65535", V1},
	{"v1 the longest", "PROXY TCP6 ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", V1},
	{"v1 UNKNOWN", "PROXY UNKNOWN\r\n", "local", V1},
	{"v1 UNKNOWN with more", "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "local", V1},
	{"v1 in the clothes of IPv6", "PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "192.0.2.7:1 [::1]:2", V1},
	{"v2 inet", v2(0x21, 0x11, inet), "192.0.2.7:56324 198.51.100.1:443", V2},
	{"v2 inet6", v2(0x21, 0x21, inet6), "[2001:db8::1]:80 [2001:db8::2]:443", V2},
	{"v2 unix", v2(0x21, 0x31, strings.Repeat("\x00", 216)), "unix", V2},
	{"v2 LOCAL", v2(0x20, 0x00, ""), "local", V2},
	{"v2 LOCAL with anything", v2(0x20, 0x11, "abc"), "local", V2},
	{"v2 UNSPEC", v2(0x21, 0x00, "abcd"), "local", V2},
	{"v2 unknown fields", v2(0x21, 0x11, inet+tlv(0x04, "")+tlv(0xee, "anything")+tlv(0x02, "example.org")), "192.0.2.7:56324 198.51.100.1:443", V2},
	{"v2 TLS", v2(0x21, 0x11, inet+tlv(0x20, "\x01\x00\x00\x00\x00"+tlv(0x21, "TLSv1.3"))), "192.0.2.7:56324 198.51.100.1:443 tls", V2},
	{"v2 no TLS", v2(0x21, 0x11, inet+tlv(0x20, "\x00\x00\x00\x00\x00")), "192.0.2.7:56324 198.51.100.1:443", V2},
	{"v2 checksum", summed(v2(0x21, 0x11, inet+tlv(0xee, "x")+tlv(0x03, "...."))), "192.0.2.7:56324 198.51.100.1:443", V2},
	{"v2 the longest", v2(0x21, 0x11, inet+tlv(0xee, strings.Repeat("x", maxBody-15))), "192.0.2.7:56324 198.51.100.1:443", V2},
}

var wrong = []struct {
	name, header, want string
	versions           Versions
}{
	{"nothing of it", "GET / HTTP/1.1\r\n", "is missing", Auto},
	{"TLS", "\x16\x03\x01", "is missing", Auto},
	{"lower case", "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "is missing", Auto},
	{"almost v1", "PROXYTCP4 1.2.3.4", "is missing", Auto},
	{"almost v2", "\r\n\r\n\x00\r\nQUIX\n", "is missing", Auto},
	{"empty line, then v1", "\r\nPROXY UNKNOWN\r\n", "is missing", Auto},
	{"v1 where v2 is taken", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "is of version 1", V2},
	{"v2 where v1 is taken", v2(0x20, 0x00, ""), "is of version 2", V1},
	{"v1 bare line feed", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "bare line feed", V1},
	{"v1 too long", "PROXY UNKNOWN" + strings.Repeat(" x", 50) + "\r\n", "longer than 107", V1},
	{"v1 endless", "PROXY TCP4 " + strings.Repeat("1", 200), "longer than 107", V1},
	{"v1 UDP", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "neither TCP4", V1},
	{"v1 no family", "PROXY \r\n", "neither TCP4", V1},
	{"v1 family alone", "PROXY TCP4\r\n", "does not have two", V1},
	{"v1 three words", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "does not have two", V1},
	{"v1 five words", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "does not have two", V1},
	{"v1 two spaces", "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "does not have two", V1},
	{"v1 space at the end", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "does not have two", V1},
	{"v1 IPv6 as TCP4", "PROXY TCP4 ::1 ::1 1 2\r\n", "an address", V1},
	{"v1 IPv4 as TCP6", "PROXY TCP6 1.2.3.4 ::1 1 2\r\n", "an address", V1},
	{"v1 zeros in front", "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", "an address", V1},
	{"v1 a name", "PROXY TCP4 localhost 1.2.3.4 1 2\r\n", "an address", V1},
	{"v1 a zone", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "an address", V1},
	{"v1 a large port", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", "a port", V1},
	{"v1 a signed port", "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", "a port", V1},
	{"v1 a port with zeros", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "a port", V1},
	{"v1 no port", "PROXY TCP4 1.2.3.4 1.2.3.4  2\r\n", "a port", V1},
	{"v1 NUL", "PROXY TCP4 1.2.3.4\x00 1.2.3.4 1 2\r\n", "an address", V1},
	{"v2 version 3", v2(0x31, 0x11, inet), "the version 3", V2},
	{"v2 command 2", v2(0x22, 0x11, inet), "the unknown command 2", V2},
	{"v2 family 4", v2(0x21, 0x41, inet), "0x41", V2},
	{"v2 protocol 3", v2(0x21, 0x13, inet), "0x13", V2},
	{"v2 datagrams", v2(0x21, 0x12, inet), "datagrams", V2},
	{"v2 short inet", v2(0x21, 0x11, inet[:11]), "too few", V2},
	{"v2 short inet6", v2(0x21, 0x21, inet6[:35]), "too few", V2},
	{"v2 short unix", v2(0x21, 0x31, inet6), "too few", V2},
	{"v2 too long", v2(0x21, 0x11, inet+tlv(0xee, strings.Repeat("x", maxBody))), "longer than", V2},
	{"v2 a field's beginning", v2(0x21, 0x11, inet+"\x04\x00"), "amid a field", V2},
	{"v2 a field too long", v2(0x21, 0x11, inet+"\x04\x00\x02x"), "longer than what is left", V2},
	{"v2 wrong checksum", v2(0x21, 0x11, inet+tlv(0x03, "nope")), "checksum", V2},
	{"v2 short checksum", v2(0x21, 0x11, inet+tlv(0x03, "no")), "checksum", V2},
	{"v2 short TLS", v2(0x21, 0x11, inet+tlv(0x20, "\x01")), "about TLS", V2},
}

func describe(h Header) string {
	switch {
	case h.Local:
		return "local"
	case !h.Source.IsValid():
		return "unix"
	case h.TLS:
		return fmt.Sprint(h.Source, " ", h.Destination, " tls")
	}
	return fmt.Sprint(h.Source, " ", h.Destination)
}

// long writes out what the specification abbreviates.
func long(header string) string {
	return strings.ReplaceAll(header, "f...f", "ffff:ffff:ffff:ffff:ffff:ffff")
}

func TestHeaders(t *testing.T) {
	for _, c := range good {
		for _, versions := range []Versions{c.versions, Auto} {
			header := long(c.header)
			h, size, err := whole(t, header, "GET / HTTP/1.1\r\n", versions)
			if err != nil || size != len(header) || describe(h) != c.want {
				t.Errorf("%s: %s, %d of %d bytes, %v; want %s", c.name, describe(h), size, len(header), err, c.want)
			}
		}
	}
}

func TestWrongHeaders(t *testing.T) {
	for _, c := range wrong {
		_, _, err := whole(t, c.header, strings.Repeat("x", 200), c.versions)
		if e := (*Error)(nil); !errors.As(err, &e) || !strings.Contains(e.Reason, c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// whole parses the header with what stands behind it, and byte by byte: the outcome must
// be the same, and nothing may be decided too late.
func whole(t *testing.T, header, behind string, versions Versions) (Header, int, error) {
	t.Helper()
	want, size, wantErr := Parse([]byte(header+behind), versions)
	for n := range len(header + behind) {
		h, s, err := Parse([]byte((header + behind)[:n]), versions)
		if s == 0 && err == nil {
			if n >= len(header) {
				t.Errorf("%.40q: nothing is known after %d bytes", header, n)
			}
			continue
		}
		if h != want || s != size || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("%.40q: after %d bytes %v %d %v, in the end %v %d %v", header, n, h, s, err, want, size, wantErr)
		}
		break
	}
	return want, size, wantErr
}
