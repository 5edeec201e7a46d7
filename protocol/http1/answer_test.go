package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gobridge/bridge"
)

// told is what comes out of an answer, in pieces of that size: heads, body, and how it ended.
func told(text string, piece int, noBody, gateway bool) string {
	a := Answer{NoBody: noBody, Gateway: gateway}
	var out, body strings.Builder
	var have []byte
	for more := []byte(text); ; {
		taken, part, data, err := a.Next(have)
		have = have[taken:]
		body.Write(data)
		switch {
		case err != nil:
			return out.String() + body.String() + " error"
		case part == PartHead:
			fmt.Fprintf(&out, "%d %s", a.Status, a.Reason)
			for _, f := range a.Fields {
				fmt.Fprintf(&out, " %s=%s", f.Name, f.Value)
			}
			out.WriteString("; ")
		case part == PartEnd:
			return fmt.Sprintf("%s%s whole, %d left", out.String(), body.String(), len(have)+len(more))
		case part == PartNone && len(more) == 0:
			if err := a.Ended(); err != nil {
				return out.String() + body.String() + " " + err.Error()
			}
			return out.String() + body.String() + " ended"
		case part == PartNone:
			n := min(max(piece, 1), len(more))
			have, more = append(have, more[:n]...), more[n:]
		}
	}
}

func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		noBody, gateway  bool
	}{
		{name: "counted", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhellomore", want: "200 OK Content-Length=5 X-A=b; hello whole, 4 left"},
		{name: "nothing counted", text: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", want: "200 OK Content-Length=0;  whole, 0 left"},
		{name: "chunked", text: "HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n", want: "200  Transfer-Encoding=Chunked; hello! whole, 0 left"},
		{name: "to its end", text: "HTTP/1.0 404 Not Found\r\n\r\nhello", want: "404 Not Found; hello ended"},
		{name: "to its end at once", text: "HTTP/1.0 404 Not Found\r\n\r\n", want: "404 Not Found;  ended"},
		{name: "bare line feeds", text: "HTTP/1.0 200 OK\nA: b\n\nhello", want: "200 OK A=b; hello ended"},
		{name: "HEAD", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", noBody: true, want: "200 OK Content-Length=5;  whole, 0 left"},
		{name: "no content", text: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", want: "204 No Content Content-Length=5;  whole, 0 left"},
		{name: "unchanged", text: "HTTP/1.1 304 Not Modified\r\n\r\n", want: "304 Not Modified;  whole, 0 left"},
		{name: "interim", text: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello", want: "100 Continue; 103 Early Hints Link=x; 200 OK; hello ended"},
		{name: "upgraded", text: "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 1\r\n\r\nhello", want: "101 Switching Protocols Content-Length=1; hello ended"},
		{name: "the same length twice", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\nhello", want: "200 OK Content-Length=5 content-length=5; hello whole, 0 left"},
		{name: "a status field", text: "Status: 404 Not Found\r\nA: b\r\n\r\nhello", gateway: true, want: "404 Not Found Status=404 Not Found A=b; hello ended"},
		{name: "a status field's code", text: "A: b\nstatus: 500\n\n", gateway: true, want: "500  A=b status=500;  ended"},
		{name: "a redirect", text: "Location: /x\r\n\r\n", gateway: true, want: "302 Found Location=/x;  ended"},
		{name: "fields alone", text: "A: b\r\n\r\nhello", gateway: true, want: "200 OK A=b; hello ended"},
		{name: "a status line of a gateway's", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello", gateway: true,
			want: "200 OK Content-Length=5 Transfer-Encoding=chunked; hello whole, 0 left"},
		{name: "fields alone by HTTP", text: "A: b\r\n\r\nhello", want: " error"},
		{name: "nothing", text: "", want: " the connection was closed without an answer"},
		{name: "nothing behind an interim one", text: "HTTP/1.1 100 Continue\r\n\r\n", want: "100 Continue;  the connection was closed without an answer"},
		{name: "a part of a head", text: "HTTP/1.1 200 OK\r\nA: b\r\n", want: " the answer ends amid its head, after 23 bytes"},
		{name: "a part of a counted body", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", want: "200 OK Content-Length=5; hel the answer is cut: its body has 3 of 5 bytes"},
		{name: "a part of a chunked body", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", want: "200 OK Transfer-Encoding=chunked; hel the answer is cut: its body, of which 3 bytes have come, has no last chunk"},
		{name: "a uwsgi packet", text: "\x00\x01\x02\x03", gateway: true, want: " error"},
		{name: "HTTP/2", text: "HTTP/2 200\r\n\r\n", want: " error"},
		{name: "no status", text: "HTTP/1.1\r\n\r\n", want: " error"},
		{name: "a short status", text: "HTTP/1.1 20 OK\r\n\r\n", want: " error"},
		{name: "a status of letters", text: "HTTP/1.1 abc\r\n\r\n", want: " error"},
		{name: "a status too small", text: "HTTP/1.1 099 x\r\n\r\n", want: " error"},
		{name: "no field", text: "HTTP/1.1 200 OK\r\nhello\r\n\r\n", want: " error"},
		{name: "no name", text: "HTTP/1.1 200 OK\r\n: x\r\n\r\n", want: " error"},
		{name: "no length", text: "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n", want: " error"},
		{name: "two lengths", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", want: " error"},
		{name: "another coding", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", want: " error"},
		{name: "no chunk", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", want: "200 OK Transfer-Encoding=chunked;  error"},
		{name: "nothing of a gateway's", text: "\r\n", gateway: true, want: " error"},
		{name: "a head too long", text: "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", MaxAnswerHead), want: " error"},
	} {
		for _, piece := range []int{len(c.text), 1, 7} {
			if piece < 100 && len(c.text) > 1000 {
				continue // each piece has all the line looked over again
			}
			if got := told(c.text, piece, c.noBody, c.gateway); got != c.want {
				t.Errorf("%s, in pieces of %d:\n%q, want\n%q", c.name, piece, got, c.want)
			}
		}
	}
	var a Answer
	if err := a.Ended(); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
}

// FuzzAnswer: in whatever pieces it comes, an answer is the same, and no more comes out than came in.
func FuzzAnswer(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 3, false, false)
	f.Add("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1, false, false)
	f.Add("Status: 404 Not Found\nA: b\n\nhello", 2, false, true)
	f.Add("Location: /\r\n\r\n", 2, true, true)
	f.Add("HTTP/1.1 101 Switching\r\n\r\nxyz", 5, false, true)
	f.Add("HTTP/1.1 304 \r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n", 5, false, true)
	f.Fuzz(func(t *testing.T, text string, piece int, noBody, gateway bool) {
		whole := told(text, len(text), noBody, gateway)
		if got := told(text, piece, noBody, gateway); got != whole {
			t.Fatalf("in pieces of %d:\n%q, and whole\n%q", piece, got, whole)
		}
	})
}

func TestAppendRequest(t *testing.T) {
	q := func(method, target, name, value string, length int64) *bridge.Request {
		return &bridge.Request{Method: []byte(method), Target: []byte(target), BodyLength: length, Fields: []bridge.Field{{Name: []byte("Host"), Value: []byte("x")}, {Name: []byte(name), Value: []byte(value)}}}
	}
	for _, c := range []struct {
		request *bridge.Request
		want    string // of an error its beginning
	}{
		{q("GET", "/a?b", "X-A", "b c", 0), "GET /a?b HTTP/1.1\r\nHost: x\r\nX-A: b c\r\n\r\n"},
		{q("OPTIONS", "*", "X-A", "", 12), "OPTIONS * HTTP/1.1\r\nHost: x\r\nX-A: \r\nContent-Length: 12\r\n\r\n"},
		{q("G T", "/", "A", "b", 0), `"G T" is no method`},
		{q("GET", "", "A", "b", 0), `"" is no path`},
		{q("GET", "/a b", "A", "b", 0), `"/a b" is no path: write %20`},
		{q("GET", "/a\r\nEvil: x", "A", "b", 0), `"/a\r\nEvil: x" is no path`},
		{q("GET", "/", "A B", "b", 0), `"A B" is no name`},
		{q("GET", "/", "A", "b\r\nEvil: x", 0), "the header field A has the control character 0x0d"},
	} {
		got, err := AppendRequest([]byte("before "), c.request)
		if err != nil {
			if string(got) != "before " || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%q, %v, want %s", got, err, c.want)
			}
			continue
		}
		if string(got) != "before "+c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		p := Parser{Limits: DefaultLimits()}
		if n, err := p.Parse(got[len("before "):]); n != len(got)-len("before ") || err != nil {
			t.Errorf("the server's parser says %d, %v", n, err)
		}
	}
}
