package scgi

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/cgi/cgitest"
)

// usual is what nginx sends: the length first.
func usual() []byte {
	var rest []string
	for _, v := range cgitest.Usual {
		if !strings.HasPrefix(v, "CONTENT_LENGTH=") {
			rest = append(rest, v)
		}
	}
	return AppendRequest(nil, cgitest.Fields(rest...), 3)
}

// head makes a head of names and values with a bar between them.
func head(text string) string {
	text = strings.ReplaceAll(text, "|", "\x00")
	return fmt.Sprintf("%d:%s,", len(text), text)
}

func newParser() *Parser {
	p := NewParser()
	p.Local = &cgitest.Local
	return p
}

// parse parses a copy, for the parser changes what it is given.
func parse(text string) (*Parser, int, error) {
	p := newParser()
	n, err := p.Parse([]byte(text))
	return p, n, err
}

func TestHead(t *testing.T) {
	text := string(usual())
	p, n, err := parse(text + "abc")
	if err != nil || n != len(text) {
		t.Fatalf("%d of %d bytes, %v", n, len(text), err)
	}
	if got, want := cgitest.Describe(&p.Head), strings.Replace(cgitest.UsualRequest, " DOCUMENT_ROOT", " SCGI=1 DOCUMENT_ROOT", 1); got != want {
		t.Fatalf("%s, want\n%s", got, want)
	}
	// The example of the specification.
	p, n, err = parse("70:CONTENT_LENGTH\x0027\x00SCGI\x001\x00REQUEST_METHOD\x00POST\x00REQUEST_URI\x00/deepthought\x00,What is the answer to life?")
	if got := cgitest.Describe(&p.Head); err != nil || n != 74 || !strings.HasPrefix(got, "POST /deepthought path /deepthought query  at :/deepthought HTTP/1.0 27 ") {
		t.Fatalf("%d, %v: %s", n, err, got)
	}
}

// However it comes, a head is taken when its last byte is there, and not before.
func TestHeadInPieces(t *testing.T) {
	for _, text := range []string{string(usual()), head("CONTENT_LENGTH|0|SCGI|1|REQUEST_METHOD|G T|"), head("A|b|")} {
		cgitest.CheckPieces(t, text, "more", func() func([]byte) (int, error) { return newParser().Parse })
	}
}

// One parser is used for one head after the other, and of none anything stays.
func TestHeadsInTurn(t *testing.T) {
	used := newParser()
	for _, text := range []string{string(usual()), head("CONTENT_LENGTH|0|SCGI|1|"), head("CONTENT_LENGTH|5|SCGI|1|REMOTE_ADDR|unix:|UWSGI_FILE|/x|wsgi.x|1|"), string(usual())} {
		fresh, _, _ := parse(text)
		if n, err := used.Parse([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("%.40q: %d, %v", text, n, err)
		}
		got, want := cgitest.Describe(&used.Head)+cgitest.Remarks(&used.Head), cgitest.Describe(&fresh.Head)+cgitest.Remarks(&fresh.Head)
		if got != want {
			t.Fatalf("%s, want\n%s", got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	const begin = "CONTENT_LENGTH|0|SCGI|1|"
	for _, c := range []struct {
		name, text string
		status     int
		want       string
	}{
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", 400, "this is HTTP"},
		{"TLS", "\x16\x03\x01\x02\x00\x01", 400, "this is TLS"},
		{"PROXY v1", "PROXY TCP4 ", 400, "PROXY protocol"},
		{"uwsgi", "\x00\x10\x00\x00\x01\x00A", 400, "this looks like uwsgi_pass"},
		{"FastCGI", "\x01\x01\x00\x01\x00\x08\x00\x00", 400, "this looks like fastcgi_pass"},
		{"a zero before the size", "070:" + strings.Repeat("x", 70) + ",", 400, "has a zero before it"},
		{"two zeros", "00:,xxx", 400, "has a zero before it"},
		{"no size", ":xxx,", 400, "not a number"},
		{"a sign", "-1:xx", 400, "not a number"},
		{"a letter", "1x3:", 400, "not a number"},
		{"too large", "65536:", 431, "more than 65535 bytes in the SCGI head"},
		{"much too large", "99999999999999999999", 431, "more than 65535 bytes"},
		{"no comma", "3:abcd", 400, "the SCGI head of 3 bytes is followed by the byte 0x64, and not by a comma"},
		{"a size too small", strings.Replace(head(begin), "24:", "23:", 1), 400, "is followed by the byte 0x00"},
		{"nothing", "0:,x", 400, "has no SCGI"},
		{"no length", head("SCGI|1|CONTENT_LENGTH|0|"), 400, "does not begin with CONTENT_LENGTH"},
		{"an empty length", head("CONTENT_LENGTH||SCGI|1|"), 400, "does not begin with CONTENT_LENGTH"},
		{"a length that is none", head("CONTENT_LENGTH|3abc|SCGI|1|"), 400, "CONTENT_LENGTH in the SCGI head is not a number"},
		{"a negative length", head("CONTENT_LENGTH|-1|SCGI|1|"), 400, "is not a number"},
		{"a huge length", head("CONTENT_LENGTH|1000000000000000000|SCGI|1|"), 400, "has 19 digits or more"},
		{"two lengths", head(begin + "CONTENT_LENGTH|1|"), 400, "CONTENT_LENGTH is there twice"},
		{"no version", head("CONTENT_LENGTH|0|A|b|"), 400, "include scgi_params"},
		{"another version", head("CONTENT_LENGTH|0|SCGI|2|"), 400, "of another version"},
		{"two versions", head(begin + "SCGI||"), 400, "of another version"},
		{"no value", head(begin + "A"), 400, "the SCGI head ends within variable 3"},
		{"half a value", head(begin + "A|b"), 400, "the SCGI head ends within variable 3"},
		{"an empty name", head(begin + "|b|"), 400, "variable 3 of the SCGI head has an empty name"},
		{"a method", head(begin + "REQUEST_METHOD|G T|"), 400, "REQUEST_METHOD in the SCGI head is no method"},
		{"a line end", head(begin + "REQUEST_URI|/a\nb|"), 400, "REQUEST_URI in the SCGI head has the byte 0x0a"},
	} {
		_, n, err := parse(c.text)
		cgitest.CheckRefused(t, c.name, n, err, c.status, c.want)
	}
}

// A head is taken whole up to the limit.
func TestLargestHead(t *testing.T) {
	const begin = "CONTENT_LENGTH|0|SCGI|1|X||"
	text := head("CONTENT_LENGTH|0|SCGI|1|X|" + strings.Repeat("v", 65535-len(begin)) + "|")
	if p, n, err := parse(text); err != nil || n != len(text) || len(p.Request.Gateway.Variables) != 2 {
		t.Fatalf("%d of %d bytes, %v", n, len(text), err)
	}
}

// FuzzHead: what comes out is what was sent, whatever it was, in whatever pieces.
func FuzzHead(f *testing.F) {
	f.Add(usual(), 5)
	f.Add([]byte(head("CONTENT_LENGTH|0|SCGI|1|A|b|A|c|HTTP_X|1|")), 0)
	f.Add([]byte(head("CONTENT_LENGTH|0|SCGI|1||b|")), 2)
	f.Add([]byte(head("CONTENT_LENGTH|0|SCGI|2|")), 9)
	f.Add([]byte(head("A|b|")), 9)
	f.Add([]byte("3:abcd"), 2)
	f.Add([]byte("99999:"), 2)
	f.Add([]byte("GET / HTTP/1.1"), 3)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		whole := newParser()
		size, err := whole.Parse(bytes.Clone(text))
		if size > len(text) || err != nil && size != 0 {
			t.Fatalf("%d bytes of %d, %v", size, len(text), err)
		}
		pieces := newParser()
		n, early := pieces.Parse(bytes.Clone(text[:min(max(cut, 0), len(text))]))
		if n == 0 && early == nil {
			n, early = pieces.Parse(bytes.Clone(text))
		}
		if n != size || fmt.Sprint(early) != fmt.Sprint(err) || size > 0 && cgitest.Describe(&pieces.Head) != cgitest.Describe(&whole.Head) {
			t.Fatalf("in pieces: %d, %v instead of %d, %v", n, early, size, err)
		}
		if err != nil {
			cgitest.CheckError(t, err, 400, 431)
		}
		if size == 0 {
			return
		}
		_, block, _ := bytes.Cut(text[:size-1], []byte(":"))
		parts := bytes.Split(bytes.TrimSuffix(block, []byte{0}), []byte{0})
		var all []bridge.Field
		for i := 0; i+1 < len(parts); i += 2 {
			all = append(all, bridge.Field{Name: parts[i], Value: parts[i+1]})
		}
		cgitest.Compare(t, &whole.Head, false, all)
	})
}
