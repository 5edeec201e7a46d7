package fastcgi

import (
	"strings"
	"testing"

	"gobridge/protocol/cgi/cgitest"
)

func TestHead(t *testing.T) {
	head := asks(7, cgitest.Usual...)
	p, n, err := parse(head + brings(7, "abc") + ends(7))
	if err != nil || n != len(head) || !p.Whole || p.ID != 7 || !p.Keep || len(p.Reply) > 0 || cgitest.Describe(&p.Head) != cgitest.UsualRequest {
		t.Fatalf("%d of %d bytes, %v: %s", n, len(head), err, told(p))
	}
	head = asks(7, "REQUEST_METHOD=GET") + ends(7)
	if p, n, err = parse(head + "more"); err != nil || n != len(head) || p.Request.BodyLength != 0 {
		t.Fatalf("without a body: %d of %d bytes, %v: %s", n, len(head), err, told(p))
	}
	head = asks(7, "REQUEST_METHOD=POST")
	if p, n, err = parse(head + brings(7, "abc")); err != nil || n != len(head) || p.Request.BodyLength != -1 {
		t.Fatalf("with a body of any length: %d of %d bytes, %v: %s", n, len(head), err, told(p))
	}
}

// Parameters may be cut anywhere, and something else may stand between their records.
func TestParamsInRecords(t *testing.T) {
	all := params(append([]string{"LONG=" + strings.Repeat("x", 300), strings.Repeat("n", 200) + "=1"}, cgitest.Usual...)...)
	for _, size := range []int{1, 7, 100, len(all)} {
		for _, padding := range []int{0, 5, 255} {
			if size == 1 && padding == 255 { // that is more than a head may have
				continue
			}
			text := begin(1, 1, 0)
			for rest := all; rest != ""; {
				n := min(size, len(rest))
				text += raw(kindParams, 1, rest[:n], padding) + raw(kindAbort, 3, "", padding)
				rest = rest[n:]
			}
			text += raw(kindParams, 1, "", padding)
			p, n, err := parse(text + brings(1, "abc"))
			if err != nil || n != len(text) || p.Keep {
				t.Fatalf("in records of %d bytes: %d of %d, %v", size, n, len(text), err)
			}
			if got := cgitest.Describe(&p.Head); !strings.HasPrefix(got, cgitest.UsualRequest[:40]) || !strings.Contains(got, " LONG="+strings.Repeat("x", 300)+" ") {
				t.Fatalf("in records of %d bytes: %s", size, got)
			}
		}
	}
}

// However it comes, a head is taken when its last byte is there, and not before.
func TestHeadInPieces(t *testing.T) {
	for _, text := range []string{asks(1, cgitest.Usual...) + brings(1, "abc")[:HeaderSize], asks(1, "A=b") + raw(kindStdin, 1, "", 3), asks(1, "REQUEST_METHOD=G T") + ends(1)} {
		cgitest.CheckPieces(t, text, "", func() func([]byte) (int, error) { return newParser().Parse })
	}
}

func TestRefusedHeads(t *testing.T) {
	large := begin(1, 1, 0)
	for range 3 {
		large += raw(kindParams, 1, strings.Repeat("x", 30000), 0)
	}
	much := begin(1, 1, 0) + strings.Repeat(raw(kindAbort, 2, "", 255), 1000)
	for _, c := range []struct {
		name, text string
		status     int
		want       string
	}{
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", 400, "this is HTTP"},
		{"TLS", "\x16\x03\x01\x02\x00\x01", 400, "this is TLS"},
		{"PROXY v2", "\r\n\r\n\x00\r\nQUIT\n", 400, "PROXY protocol"},
		{"uwsgi", "\x00\x10\x00\x00\x01\x00A", 400, "this looks like uwsgi_pass"},
		{"SCGI", "70:CONTENT_LENGTH", 400, "this looks like scgi_pass"},
		{"another version", "\x02\x01\x00\x01", 400, "of version 2"},
		{"another version later", begin(1, 1, 0) + "\x00\x04\x00\x01", 400, "of version 0"},
		{"a short beginning", raw(kindBegin, 1, "\x00\x01\x01", 0), 400, "BEGIN_REQUEST has 3 bytes"},
		{"a long beginning", raw(kindBegin, 1, strings.Repeat("\x00", 9), 0), 400, "BEGIN_REQUEST has 9 bytes"},
		{"begun twice", begin(1, 1, 0) + begin(1, 1, 0), 400, "type 1 (BEGIN_REQUEST) makes no sense"},
		{"a body first", begin(1, 1, 0) + brings(1, "abc"), 400, "type 5 (STDIN) makes no sense"},
		{"data", begin(1, 1, 0) + raw(kindData, 1, "abc", 0), 400, "type 8 (DATA) makes no sense"},
		{"parameters behind their end", asks(1, "A=b") + raw(kindParams, 1, "xxx", 0), 400, "type 4 (PARAMS) makes no sense"},
		{"an answer", raw(kindStdout, 1, "abc", 0), 400, "type 6 (STDOUT) makes no sense"},
		{"an end", begin(1, 1, 0) + raw(kindEnd, 2, "12345678", 0), 400, "type 3 (END_REQUEST) makes no sense"},
		{"values that end early", raw(kindGetValues, 0, "\x05\x00abc", 0), 400, "GET_VALUES ends within a name"},
		{"too many parameters", large, 431, "more than 65535 bytes in the FastCGI parameters"},
		{"much between them", much, 431, "more than 65535 bytes"},
		{"an empty name", asks(1, "A=b", "=c") + ends(1), 400, "variable 2 of the FastCGI parameters has an empty name"},
		{"half a length", begin(1, 1, 0) + raw(kindParams, 1, "\x80\x00\x00", 0) + raw(kindParams, 1, "", 0) + ends(1), 400, "end within variable 1"},
		{"no second length", begin(1, 1, 0) + raw(kindParams, 1, "\x01", 0) + raw(kindParams, 1, "", 0) + ends(1), 400, "end within variable 1"},
		{"a long name", begin(1, 1, 0) + raw(kindParams, 1, "\x02\x00A", 0) + raw(kindParams, 1, "", 0) + ends(1), 400, "end within variable 1"},
		{"a long value", begin(1, 1, 0) + raw(kindParams, 1, "\x01\xff\xff\xff\xffAb", 0) + raw(kindParams, 1, "", 0) + ends(1), 400, "end within variable 1"},
		{"a method", asks(1, "REQUEST_METHOD=G T") + ends(1), 400, "REQUEST_METHOD in the FastCGI parameters is no method"},
		{"a length", asks(1, "CONTENT_LENGTH=3abc") + ends(1), 400, "CONTENT_LENGTH in the FastCGI parameters is not a number"},
		{"a negative length", asks(1, "CONTENT_LENGTH=-2") + ends(1), 400, "is not a number"},
		{"two lengths", asks(1, "CONTENT_LENGTH=3", "CONTENT_LENGTH=4") + ends(1), 400, "CONTENT_LENGTH is there twice"},
		{"no body", asks(1, "CONTENT_LENGTH=3") + ends(1), 400, "ends before it has as many bytes"},
		{"a body of nothing", asks(1, "CONTENT_LENGTH=0") + brings(1, "abc"), 400, "has more bytes than CONTENT_LENGTH says"},
	} {
		_, n, err := parse(c.text)
		cgitest.CheckRefused(t, c.name, n, err, c.status, c.want)
	}
}

// The longest parameters are taken, and lengths of four bytes where one would do.
func TestLargestParams(t *testing.T) {
	value := strings.Repeat("v", 65535-6)
	p, n, err := parse(asks(1, "X="+value) + ends(1))
	if err != nil || n == 0 || len(p.Request.Gateway.Variables) != 1 || string(p.Request.Gateway.Variables[0].Value) != value {
		t.Fatalf("%d, %v", n, err)
	}
	p, n, err = parse(begin(1, 1, 0) + raw(kindParams, 1, "\x80\x00\x00\x01\x80\x00\x00\x02Abb", 0) + raw(kindParams, 1, "", 0) + ends(1))
	if err != nil || n == 0 || !strings.HasSuffix(cgitest.Describe(&p.Head), " A=bb") {
		t.Fatalf("%d, %v", n, err)
	}
}

// What is no request is answered, or passed over, and the next one is served.
func TestAside(t *testing.T) {
	unknown := func(kind byte) string { return raw(kindUnknownType, 0, string(kind)+"\x00\x00\x00\x00\x00\x00\x00", 0) }
	end := func(id uint16, status byte) string {
		return raw(kindEnd, id, "\x00\x00\x00\x00"+string(status)+"\x00\x00\x00", 0)
	}
	values := raw(kindValuesResult, 0, "\x0e\x02FCGI_MAX_CONNS99\x0d\x02FCGI_MAX_REQS99\x0f\x01FCGI_MPXS_CONNS0", 0)
	get := func(names ...string) string {
		for i := range names {
			names[i] += "="
		}
		return raw(kindGetValues, 0, params(names...), 4)
	}
	one := asks(5, "A=b") + ends(5)
	for _, c := range []struct {
		name, sends string
		want        string // is replied
		closes      bool
	}{
		{"all values", get("FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"), values, false},
		{"in another order, and again", get("FCGI_MPXS_CONNS", "FCGI_MAX_REQS", "OTHER", "FCGI_MAX_CONNS", "FCGI_MAX_REQS"), values, false},
		{"no values", get("OTHER"), raw(kindValuesResult, 0, "", 0), false},
		{"a management record", raw(77, 0, "abc", 1), unknown(77), false},
		{"a request for nobody", raw(kindBegin, 0, "abc", 1), unknown(kindBegin), false},
		{"an unknown type", raw(12, 9, "abc", 1), unknown(12), false},
		{"type 0", raw(0, 9, "", 0), unknown(0), false},
		{"an authorizer", begin(3, 2, 1) + raw(kindParams, 3, "xxx", 0), end(3, 3), false},
		{"a filter that closes", begin(3, 3, 0), end(3, 3), true},
		{"what is over", raw(kindParams, 4, "x", 2) + raw(kindStdin, 4, "y", 2) + raw(kindData, 4, "y", 2) + raw(kindAbort, 4, "", 0), "", false},
		{"another one amid it", begin(5, 1, 1) + begin(6, 1, 1) + raw(kindParams, 6, "xxx", 0) + raw(99, 5, "", 0), end(6, 1) + unknown(99), false},
		{"values amid it", begin(5, 1, 1) + get("FCGI_MPXS_CONNS"), raw(kindValuesResult, 0, "\x0f\x01FCGI_MPXS_CONNS0", 0), false},
		{"it is given up", begin(5, 1, 1) + raw(kindParams, 5, "xxx", 0) + raw(kindAbort, 5, "", 0), end(5, 0), false},
		{"it is given up, to close", begin(5, 1, 0) + raw(kindAbort, 5, "", 0), end(5, 0), true},
	} {
		sends := c.sends
		if !c.closes {
			if strings.HasSuffix(c.name, "amid it") {
				sends += one[len(begin(5, 1, 1)):]
			} else {
				sends += one
			}
		}
		text := []byte(sends)
		var cuts []int
		for i := range text {
			cuts = append(cuts, i)
		}
		for _, got := range []run{converse(text), converse(text, cuts...)} {
			if c.closes {
				if got.text != c.want || got.end != "closed" {
					t.Errorf("%s: %q, %s, want %q", c.name, got.text, got.end, c.want)
				}
				continue
			}
			if !strings.HasPrefix(got.text, c.want+"\n5 true true") || got.end != "" {
				t.Errorf("%s: %q, %q, want %q and the next request", c.name, got.text, got.end, c.want)
			}
		}
	}
}
