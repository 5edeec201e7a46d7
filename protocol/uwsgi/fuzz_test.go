package uwsgi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/http1"
)

// FuzzPacket: what comes out is what was sent, whatever it was, in whatever pieces; and nothing
// that was sent gets lost but what is said to.
func FuzzPacket(f *testing.F) {
	f.Add([]byte(packet(0, usual...)), 5)
	f.Add([]byte(packet(30, "SCRIPT_NAME=/a", "PATH_INFO=/a/b", "HTTP_X_FORWARDED_FOR=1", "CONTENT_LENGTH=")), 0)
	f.Add([]byte(packet(0, "REQUEST_URI=http://x/%41?b", "wsgi.x=1", "UWSGI_SCHEME=https", "REMOTE_ADDR=unix:", "HTTP_HOST=a", "HTTP_HOST=b")), 9)
	f.Add([]byte(packet(100)), 1)
	f.Add([]byte(packet(0, "PATH_INFO=/%\xff", "QUERY_STRING=a b", "REMOTE_PORT=123456", "CONTENT_LENGTH=x")), 4)
	f.Add([]byte(packet(0, "REQUEST_URI=/%4a%zz%Fe", "A=1", "A=2", "HTTP_x=1", "=", "CONTENT_LENGTH=12345678901234567890")), 4)
	f.Add([]byte(packet(0, "UWSGI_FILE=/x", "REQUEST_URI=http://x", "REQUEST_METHOD=G T", "HTTP_TRANSFER_ENCODING=x", "SERVER_PORT=http")), 4)
	f.Add([]byte(packet(22)), 2)
	f.Add([]byte("\x16\x03\x01\x02"), 2)
	f.Add([]byte("PROXY TCP4"), 2)
	f.Add([]byte(header(0, 1)+"x"), 3)
	f.Add([]byte("GET / HTTP/1.1"), 3)
	f.Add([]byte(header(0, 9)+"\x01\x00A\xff\xffbcde"), 3)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		whole := &Parser{Local: &local}
		size, err := whole.Parse(bytes.Clone(text))
		if size > len(text) || size > MaxSize || err != nil && size != 0 {
			t.Fatalf("%d bytes of %d, %v", size, len(text), err)
		}
		pieces := &Parser{Local: &local}
		n, early := pieces.Parse(bytes.Clone(text[:min(max(cut, 0), len(text))]))
		if n == 0 && early == nil {
			n, early = pieces.Parse(bytes.Clone(text))
		}
		if n != size || fmt.Sprint(early) != fmt.Sprint(err) || size > 0 && !whole.Ping && describe(pieces) != describe(whole) {
			t.Fatalf("in pieces: %d, %v instead of %d, %v", n, early, size, err)
		}
		if e := (*http1.Error)(nil); err != nil && (!errors.As(err, &e) || e.Status != 400 && e.Status != 501 || strings.ContainsFunc(e.Reason, func(r rune) bool { return r < ' ' || r > '~' })) {
			t.Fatalf("the error %q", err)
		}
		if size > 0 && !whole.Ping {
			checkRequest(t, whole)
			compare(t, whole, sentIn(t, text[HeaderSize:size]))
		}
	})
}

// checkRequest: what others rely on.
func checkRequest(t *testing.T, p *Parser) {
	q, g := &p.Request, p.Request.Gateway
	_, peerErr := netip.ParseAddr(q.Peer.RemoteAddr)
	switch {
	case len(q.Target) == 0 || len(q.Method) == 0 || q.BodyLength < 0 || len(g.Protocol) == 0:
		t.Fatalf("something is missing: %s", describe(p))
	case q.Peer.Scheme != "http" && q.Peer.Scheme != "https" || q.Peer.ServerName == "" || q.Peer.ServerPort == "":
		t.Fatalf("the peer: %+v", q.Peer)
	case q.Peer.RemoteAddr != "" && peerErr != nil || strings.Trim(q.Peer.RemotePort+q.Peer.ServerPort, "0123456789") != "":
		t.Fatalf("the client: %+v", q.Peer)
	case bytes.ContainsFunc(q.Target, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		t.Fatalf("the target: %q", q.Target)
	}
	for _, f := range q.Fields {
		if strings.Trim(strings.ToUpper(string(f.Name)), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" || len(f.Name) == 0 {
			t.Fatalf("a field %q", f.Name)
		}
	}
}

// sentIn is what a packet says, taken apart in another way: of each name the values.
func sentIn(t *testing.T, b []byte) map[string][]string {
	all := map[string][]string{}
	take := func() string {
		n := int(binary.LittleEndian.Uint16(b))
		text := string(b[2 : 2+n])
		b = b[2+n:]
		return text
	}
	for len(b) > 0 {
		name := take()
		all[name] = append(all[name], take())
	}
	if values, ok := all[""]; ok {
		t.Fatalf("a name is empty, of %q", values)
	}
	return all
}

// compare holds what was sent against the variables and fields of the request.
func compare(t *testing.T, p *Parser, all map[string][]string) {
	got := map[string][]string{}
	add := func(fields []bridge.Field, prefix string) {
		for _, f := range fields {
			name := string(f.Name)
			switch {
			case name == "Content-Type", name == "Content-Length":
				name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
			case prefix != "":
				name = prefix + strings.ReplaceAll(name, "-", "_")
			}
			got[name] = append(got[name], string(f.Value))
		}
	}
	add(p.Request.Fields, "HTTP_")
	add(p.Request.Gateway.Variables, "")
	for name, values := range all {
		last := values[len(values)-1]
		want := last
		if suffix, ok := strings.CutPrefix(name, "HTTP_"); ok && isField([]byte(suffix)) && suffix != "HOST" && suffix != "CONTENT_TYPE" && suffix != "CONTENT_LENGTH" {
			want = strings.Join(values, "\n")
		}
		switch name {
		case "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_URI", "SERVER_PROTOCOL", "REMOTE_ADDR", "REMOTE_PORT", "SERVER_NAME", "SERVER_PORT", "HTTP_TRANSFER_ENCODING":
			want = ""
		case "HTTPS":
			if want = last; last == "on" {
				want = ""
			}
		}
		if strings.HasPrefix(name, "wsgi.") || strings.HasPrefix(name, "gobridge.") {
			want = ""
		}
		if have := strings.Join(got[name], "\n"); have != want {
			t.Fatalf("%q is %q, want %q", name, have, want)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Fatalf("out of nothing came %q", got)
	}
}
