package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gobridge/bridge"
)

// Limits so low that fuzzing passes them.
var lowLimits = Limits{RequestLine: 200, Head: 1000, Fields: 8, FieldSize: 300}

func addHeads(f *testing.F) {
	for _, c := range headCases {
		if len(c.wire) < 1000 {
			f.Add([]byte(c.wire), 3)
		}
	}
	f.Add([]byte("GET /chat HTTP/1.1\r\nHost: [::1]:80\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c, WebSocket\r\nTE: gzip, trailers\r\n\r\n"), 7)
}

// A head means the same however it is cut and whatever stands behind it, and what was
// accepted is accepted again, and means the same, when it is written anew.
func FuzzHead(f *testing.F) {
	addHeads(f)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		whole, cut := Parser{Limits: lowLimits}, Parser{Limits: lowLimits}
		n, err := whole.Parse(b)
		m, cutErr := feed(&cut, string(b), max(piece, 1))
		if n != m || fmt.Sprint(err) != fmt.Sprint(cutErr) {
			t.Fatalf("whole: %d %v; cut: %d %v", n, err, m, cutErr)
		}
		if n == 0 || err != nil {
			return
		}
		var alone, strict Parser
		if k, err := alone.Parse(b[:n:n]); k != n || err != nil || string(rewrite(&alone)) != string(rewrite(&whole)) {
			t.Fatalf("alone: %d %v; with something behind: %d", k, err, n)
		}
		wire := rewrite(&whole)
		strict.RefuseUnderscores = true // those are not written
		if k, err := strict.Parse(wire); k != len(wire) || err != nil {
			t.Fatalf("written anew as %q: %d %v", wire, k, err)
		}
		if again := rewrite(&strict); !bytes.Equal(again, wire) {
			t.Fatalf("%q became %q", wire, again)
		}
		means := meaning(&whole)
		if again := meaning(&strict); again != means {
			t.Fatalf("written anew it means %s, not %s", again, means)
		}
		for _, again := range []func(){whole.Reset, whole.Release} { // as for a connection's next request, and after it has rested
			again()
			if k, err := whole.Parse(b); k != n || err != nil || meaning(&whole) != means {
				t.Fatalf("a second time: %d %v %s, not %s", k, err, meaning(&whole), means)
			}
		}
	})
}

func rewrite(p *Parser) []byte {
	q := &p.Request
	b := fmt.Appendf(nil, "%s %s HTTP/1.%d\r\n", q.Method, q.Target, q.Minor)
	for _, f := range q.Fields {
		b = fmt.Appendf(b, "%s: %s\r\n", f.Name, f.Value)
	}
	return append(b, "\r\n"...)
}

func meaning(p *Parser) string {
	q := &p.Request
	var host []byte
	var port string
	for _, f := range q.Fields {
		if strings.EqualFold(string(f.Name), "Host") {
			host, port = SplitHost(f.Value)
		}
	}
	return fmt.Sprintf("%q %q length %d, expect %v, keep-alive %v, head %v, WebSocket %v, at %q %q", q.Path, q.Query, q.BodyLength, q.Expect, p.KeepAlive, p.HeadMethod, p.WebSocket, host, port)
}

// A connection's bytes mean the same requests and bodies in whatever pieces they come.
func FuzzConnection(f *testing.F) {
	names, err := filepath.Glob("testdata/requests/*.http")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		wire, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire, 5)
	}
	f.Fuzz(func(t *testing.T, wire []byte, piece int) {
		if len(wire) > 2000 {
			return
		}
		whole := transcript(wire, max(len(wire), 1))
		for _, piece := range []int{1, max(piece, 1)} {
			if cut := transcript(wire, piece); cut != whole {
				t.Fatalf("%d bytes at a time it is\n%sbut whole\n%s", piece, cut, whole)
			}
		}
	})
}

// What is accepted here, Go's own server takes for the same request: nobody who stands
// before or behind it can see another one.
func FuzzAgainstNetHTTP(f *testing.F) {
	addHeads(f)
	f.Fuzz(func(t *testing.T, b []byte, _ int) {
		p := Parser{Limits: DefaultLimits(), RefuseUnderscores: true}
		n, err := p.Parse(b)
		if n == 0 || err != nil {
			return
		}
		b = bytes.TrimPrefix(b[:n], []byte("\r\n")) // net/http takes no empty line
		r, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(b), 64<<10))
		var notURL *url.Error
		if errors.As(err, &notURL) {
			return // it wants percent signs in a path to be right, and refuses more hosts
		}
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", b, err)
		}
		q := &p.Request
		if r.Method != string(q.Method) || r.RequestURI != string(q.Target) || r.ProtoMinor != q.Minor {
			t.Errorf("net/http reads %s %s 1.%d", r.Method, r.RequestURI, r.ProtoMinor)
		}
		if r.ContentLength != q.BodyLength {
			t.Errorf("net/http reads a length of %d, not %d", r.ContentLength, q.BodyLength)
		}
		if p.KeepAlive && r.Close {
			t.Error("net/http would close the connection")
		}
		if p.seen.authority == nil && r.Host != string(p.seen.host) {
			t.Errorf("net/http reads the host %q, not %q", r.Host, p.seen.host)
		}
		fields := 0
		for name, values := range r.Header {
			for i, value := range values {
				if got := nth(q.Fields, name, i); got != value {
					t.Errorf("net/http reads %s: %q, not %q", name, value, got)
				}
				fields++
			}
		}
		if missing := len(q.Fields) - fields; missing > p.seen.hosts+1 { // it takes out Host and Transfer-Encoding
			t.Errorf("net/http reads %d fields of %d", fields, len(q.Fields))
		}
	})
}

// nth is the value of the i-th field of a name; net/http writes names its own way.
func nth(fields []bridge.Field, name string, i int) string {
	for _, f := range fields {
		if strings.EqualFold(string(f.Name), name) {
			if i == 0 {
				return string(f.Value)
			}
			i--
		}
	}
	return "(missing)"
}

// A body in the chunked coding means the same however it is cut and whatever stands
// behind it; Go's own decoder agrees with what is accepted.
func FuzzChunked(f *testing.F) {
	for _, c := range chunkedCases {
		if len(c.wire) < 1000 {
			f.Add([]byte(c.wire), 2)
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte, piece int) {
		if len(wire) > 2000 {
			return // the table has what is long
		}
		piece = max(piece, 1)
		var whole, cut, more Chunked
		body, taken, done, err := decode(&whole, wire, len(wire)+1)
		cutBody, cutTaken, cutDone, cutErr := decode(&cut, wire, piece)
		if done != cutDone || fmt.Sprint(err) != fmt.Sprint(cutErr) || !bytes.Equal(body, cutBody) || taken != cutTaken {
			t.Fatalf("whole: %q %d %v %v; cut: %q %d %v %v", body, taken, done, err, cutBody, cutTaken, cutDone, cutErr)
		}
		checkRoundTrip(t, wire, piece)
		if !done {
			return
		}
		behind := append(bytes.Clone(wire[:taken]), "0\r\n\r\nGET / HTTP/1.1\r\n"...)
		if moreBody, moreTaken, _, err := decode(&more, behind, len(behind)); moreTaken != taken || err != nil || !bytes.Equal(body, moreBody) {
			t.Fatalf("with something behind: %q %d %v, not %q %d", moreBody, moreTaken, err, body, taken)
		}
		if goBody, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(wire))); err != nil || !bytes.Equal(goBody, body) {
			t.Fatalf("Go decodes %q, %v, not %q", goBody, err, body)
		}
	})
}

// checkRoundTrip writes data as chunks, and decodes them.
func checkRoundTrip(t *testing.T, data []byte, piece int) {
	var wire []byte
	for at := 0; at < len(data); {
		n := min(piece, len(data)-at)
		wire = append(append(AppendChunkSize(wire, n), data[at:at+n]...), "\r\n"...)
		at += n
	}
	wire = AppendLast(wire, nil)
	var d Chunked
	if got, taken, done, err := decode(&d, wire, len(wire)); !bytes.Equal(got, data) || taken != len(wire) || !done || err != nil {
		t.Fatalf("%q as %q is %q, %d %v %v", data, wire, got, taken, done, err)
	}
}

// tokens are the characters of RFC 9110 section 5.6.2.
const tokens = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// FuzzText holds the search for control characters that takes eight bytes at a time
// against the one that takes one.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "\t", "\x1f", "\x7f", "\xff\x80\x81", "12345678", "123456\t89", "1234567\x00", "\x80\x7f\x80", " \x1f !", "12345678\r"} {
		f.Add([]byte(s), 3)
		f.Add([]byte(strings.Repeat("a", 9)+s), 9)
	}
	f.Fuzz(func(t *testing.T, b []byte, from int) {
		if from > 0 && from < len(b) {
			b = b[from:]
		}
		if got, want := text(b), span(b, isValue); got != want {
			t.Errorf("%q: %d, want %d", b, got, want)
		}
		if got, want := IsToken(b), len(b) > 0 && !bytes.ContainsFunc(b, func(r rune) bool { return !strings.ContainsRune(tokens, r) }); got != want {
			t.Errorf("%q is a token: %t, want %t", b, got, want)
		}
	})
}
