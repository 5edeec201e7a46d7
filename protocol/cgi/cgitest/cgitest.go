package cgitest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/cgi"
	"gobridge/protocol/http1"
)

// Local is between whom requests are that do not say so.
var Local = bridge.Peer{ServerName: "here", ServerPort: "3031", Scheme: "http", Socket: "/run/s"}

// Usual is what nginx sends.
var Usual = []string{
	"QUERY_STRING=a=%20b", "REQUEST_METHOD=POST", "CONTENT_TYPE=text/x", "CONTENT_LENGTH=3", "REQUEST_URI=/caf%C3%A9%2fx?a=%20b",
	"PATH_INFO=/caf\xc3\xa9/x", "DOCUMENT_ROOT=/srv", "SERVER_PROTOCOL=HTTP/2.0", "REQUEST_SCHEME=https", "HTTPS=on",
	"REMOTE_ADDR=192.0.2.7", "REMOTE_PORT=5000", "SERVER_PORT=443", "SERVER_NAME=example.org",
	"HTTP_HOST=example.org", "HTTP_X_FORWARDED_FOR=10.0.0.1", "HTTP_CONTENT_LENGTH=3", "HTTP_CONTENT_TYPE=text/x",
}

// UsualRequest is what Describe says of it.
const UsualRequest = "POST /caf%C3%A9%2fx?a=%20b path /caf%C3%A9%2fx query a=%20b at :/caf\xc3\xa9/x HTTP/2.0 3 from 192.0.2.7:5000 to example.org:443 https" +
	" HOST: example.org X-FORWARDED-FOR: 10.0.0.1 Content-Type: text/x Content-Length: 3" +
	" DOCUMENT_ROOT=/srv REQUEST_SCHEME=https HTTP_CONTENT_LENGTH=3 HTTP_CONTENT_TYPE=text/x"

// Fields makes variables of "NAME=value" texts, in memory of their own.
func Fields(variables ...string) (all []bridge.Field) {
	for _, v := range variables {
		name, value, _ := bytes.Cut([]byte(v), []byte("="))
		all = append(all, bridge.Field{Name: name, Value: value})
	}
	return all
}

// Head is what a protocol makes of variables.
func Head(p *cgi.Protocol, mounted bool, variables []bridge.Field) (*cgi.Head, error) {
	h := &cgi.Head{Protocol: p, Local: &Local}
	for _, v := range variables {
		if err := h.Add(bytes.Clone(v.Name), bytes.Clone(v.Value)); err != nil {
			return h, err
		}
	}
	return h, h.Finish(mounted)
}

// Describe is everything that a request says, in one line.
func Describe(h *cgi.Head) string {
	q, g := &h.Request, h.Request.Gateway
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s path %s query %s at %s:%s %s %d", q.Method, q.Target, q.Path, q.Query, g.Script, g.Info, g.Protocol, q.BodyLength)
	fmt.Fprintf(&b, " from %s%s:%s to %s:%s %s%s", q.Peer.RemoteAddr, g.RemoteAddr, q.Peer.RemotePort, q.Peer.ServerName, q.Peer.ServerPort, q.Peer.Scheme, q.Peer.Socket)
	for _, f := range q.Fields {
		fmt.Fprintf(&b, " %s: %s", f.Name, f.Value)
	}
	for _, f := range g.Variables {
		fmt.Fprintf(&b, " %s=%s", f.Name, f.Value)
	}
	return b.String()
}

// Remarks is what is said about a request besides.
func Remarks(h *cgi.Head) string {
	return fmt.Sprint(h.HasLength, h.HeadMethod, h.Client, h.ClientUnix, h.Forwarded, h.WantsJSON, h.Sparse, h.NamesCode, h.Reserved)
}

// CheckError wants an error that can be answered, and that nobody's bytes are in.
func CheckError(t *testing.T, err error, statuses ...int) {
	t.Helper()
	e := (*http1.Error)(nil)
	if !errors.As(err, &e) || !strings.Contains(fmt.Sprint(statuses), fmt.Sprint(e.Status)) ||
		strings.ContainsFunc(e.Reason, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Fatalf("the error %q", err)
	}
}

// CheckRequest wants of a request what others rely on.
func CheckRequest(t *testing.T, h *cgi.Head) {
	t.Helper()
	q, g := &h.Request, h.Request.Gateway
	_, peerErr := netip.ParseAddr(q.Peer.RemoteAddr)
	switch {
	case len(q.Target) == 0 || len(q.Method) == 0 || len(g.Protocol) == 0:
		t.Fatalf("something is missing: %s", Describe(h))
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

// Compare wants a request to be what a protocol makes of variables that were taken apart in
// another way.
func Compare(t *testing.T, got *cgi.Head, mounted bool, variables []bridge.Field) {
	t.Helper()
	CheckRequest(t, got)
	want, err := Head(got.Protocol, mounted, variables)
	if err != nil {
		t.Fatalf("it should have been refused: %v", err)
	}
	if a, b := Describe(got)+Remarks(got), Describe(want)+Remarks(want); a != b {
		t.Fatalf("%q, want\n%q", a, b)
	}
}

// CheckRefused wants a head to be refused, with that in the reason, and nothing of it used.
func CheckRefused(t *testing.T, name string, n int, err error, status int, want string) {
	t.Helper()
	if e := (*http1.Error)(nil); n != 0 || !errors.As(err, &e) || e.Status != status || !strings.Contains(e.Reason, want) {
		t.Errorf("%s: %d, %v, want %d with %q", name, n, err, status, want)
	}
}

// CheckPieces wants what is taken of a text, or refused, to be so when its last byte is there,
// and not before. A parser changes what it is given.
func CheckPieces(t *testing.T, text, behind string, fresh func() (parse func([]byte) (int, error))) {
	t.Helper()
	size, whole := fresh()([]byte(text))
	parse := fresh()
	for n := range len(text) {
		if got, err := parse([]byte(text[:n])); got != 0 || err != nil {
			t.Fatalf("%d of %d bytes of %.40q: %d, %v", n, len(text), text, got, err)
		}
	}
	if got, err := parse([]byte(text + behind)); got != size || fmt.Sprint(err) != fmt.Sprint(whole) {
		t.Fatalf("%.40q: %d, %v; want %d, %v", text, got, err, size, whole)
	}
}
