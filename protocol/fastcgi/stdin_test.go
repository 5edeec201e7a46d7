package fastcgi

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/cgi/cgitest"
)

// A body is what its records bring, wherever they or what comes of them are cut.
func TestBodies(t *testing.T) {
	large := strings.Repeat("0123456789", 20000)
	for _, c := range []struct{ name, sends, want, end string }{
		{"counted", asks(1, "CONTENT_LENGTH=3") + brings(1, "abc") + ends(1), "abc", ""},
		{"of any length", asks(1) + brings(1, "abc") + brings(1, "de") + ends(1), "abcde", ""},
		{"of an unknown length", asks(1, "CONTENT_LENGTH=-1") + brings(1, "abc") + ends(1), "abc", ""},
		{"none", asks(1) + ends(1), "", ""},
		{"an empty length", asks(1, "CONTENT_LENGTH=") + ends(1), "", ""},
		{"of nothing", asks(1, "CONTENT_LENGTH=0") + ends(1), "", ""},
		{"with padding", asks(1, "CONTENT_LENGTH=3") + raw(kindStdin, 1, "a", 255) + raw(kindStdin, 1, "bc", 1) + raw(kindStdin, 1, "", 7), "abc", ""},
		{"large", asks(1, "CONTENT_LENGTH=200000") + brings(1, large) + ends(1), large, ""},
		{"something amid it", asks(1) + brings(1, "ab") + raw(kindStdin, 2, "no", 3) + raw(kindAbort, 2, "", 0) + brings(1, "c") + ends(1), "abc", ""},
		{"ended twice", asks(1, "CONTENT_LENGTH=1") + brings(1, "a") + ends(1) + ends(1), "a", ""},
		{"too long", asks(1, "CONTENT_LENGTH=3") + brings(1, "ab") + brings(1, "cd"), "ab", "more bytes than CONTENT_LENGTH"},
		{"too short", asks(1, "CONTENT_LENGTH=3") + brings(1, "ab") + ends(1), "ab", "ends before"},
		{"begun again", asks(1, "CONTENT_LENGTH=3") + brings(1, "ab") + begin(1, 1, 1), "ab", "type 1 (BEGIN_REQUEST) makes no sense"},
		{"parameters", asks(1, "CONTENT_LENGTH=3") + brings(1, "ab") + raw(kindParams, 1, "", 0), "ab", "type 4 (PARAMS) makes no sense"},
		{"an answer", asks(1, "CONTENT_LENGTH=3") + brings(1, "ab") + raw(kindStdout, 2, "", 0), "ab", "type 6 (STDOUT) makes no sense"},
		{"another version", asks(1, "CONTENT_LENGTH=3") + brings(1, "ab") + "\x03\x05\x00\x01", "ab", "of version 3"},
	} {
		for _, size := range []int{1, 3, 7, 1000, 1 << 20} {
			if size < 1000 && len(c.sends) > 1000 {
				continue
			}
			p, got, end := newParser(), "", ""
			for rest, kept := []byte(c.sends), []byte(nil); len(rest) > 0 && end == ""; {
				n := min(size, len(rest))
				kept, rest = append(bytes.Clone(kept), rest[:n]...), rest[n:]
				for end == "" {
					var n int
					var data []byte
					var err error
					if !p.Whole {
						n, err = p.Parse(kept)
					} else {
						n, data, _, err = p.Next(kept)
					}
					got += string(data)
					if err != nil {
						end = err.Error()
					}
					if kept = kept[n:]; n == 0 {
						break
					}
				}
			}
			if got != c.want || !strings.Contains(end, c.end) || (end == "") != (c.end == "") || end == "" && !p.ended {
				t.Errorf("%s, in pieces of %d: %d bytes, %.20q, %s; want %d, %.20q, %s", c.name, size, len(got), got, end, len(c.want), c.want, c.end)
			}
		}
	}
}

// A request can be given up while its body comes, and behind it.
func TestAborts(t *testing.T) {
	for _, sends := range []string{
		asks(1, "CONTENT_LENGTH=3") + brings(1, "ab"),
		asks(1) + brings(1, "ab"),
		asks(1) + ends(1),
		asks(1, "CONTENT_LENGTH=1") + brings(1, "a") + ends(1),
	} {
		p, n, err := parse(sends)
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		text := sends[n:] + raw(kindAbort, 1, "", 3)
		for len(text) > 0 && !p.Aborted {
			if n, _, _, err = p.Next([]byte(text)); n == 0 || err != nil {
				t.Fatalf("%q: %d, %v", text, n, err)
			}
			text = text[n:]
		}
		if !p.Aborted || text != "" || p.Closes {
			t.Errorf("%q: aborted %v, %q is left", sends, p.Aborted, text)
		}
	}
}

// What is dropped of a body is the rest of its record, and what comes behind it is looked at anew.
func TestDrop(t *testing.T) {
	head := asks(1)
	record := raw(kindStdin, 1, "abcdef", 3)
	for n := range len(record) {
		p, size, err := parse(head + record)
		if err != nil || size != len(head) {
			t.Fatal(size, err)
		}
		b := []byte(record[:n])
		taken, data, _, err := p.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 0 {
			more, _, _, _ := p.Next(b[taken:])
			taken += more
		}
		if p.Drop() {
			if taken != 0 {
				t.Errorf("%d bytes in: a record is said to begin", taken)
			}
			continue
		}
		rest := []byte(record[taken:] + "next")
		if taken, data, done, err := p.Next(rest[:1]); taken != 1 && !done || len(data) > 0 || err != nil {
			t.Errorf("%d bytes in: %d, %q, %v, %v", n, taken, data, done, err)
		} else if more, data, done, err := p.Next(rest[taken:]); !done || len(data) > 0 || err != nil || string(rest[taken+more:]) != "next" {
			t.Errorf("%d bytes in: %d, %q, %v, %v", n, taken+more, data, done, err)
		}
	}
}

// What clients write and read is what servers read and write.
func TestAnswers(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789"), 20000)
	var b []byte
	b = OpenStdout(append(b, raw(kindStderr, 1, "oh", 5)...), 1)
	from := len(b) - HeaderSize
	b = CloseStdout(append(b, "Status: 200 OK\r\n\r\n"...), 1, from)
	from = len(b)
	b = CloseStdout(append(OpenStdout(b, 1), large...), 1, from)
	b = append(AppendStdoutHeader(b, 1, 3), "abc"...)
	b = append(AppendEndRequest(b, 2, CannotMultiplex), raw(kindStdout, 2, "no", 0)...)
	b = AppendEnd(AppendStdout(b, 1, large), 1)
	in := bytes.NewReader(append(b, "behind"...))
	a, err := ReadAnswer(in, 1)
	if want := "Status: 200 OK\r\n\r\n" + string(large) + "abc" + string(large); err != nil || string(a.Stdout) != want || string(a.Stderr) != "oh" || a.Status != Complete || in.Len() != 6 {
		t.Fatalf("%v, %d bytes, %q, %d; %d are left", err, len(a.Stdout), a.Stderr, a.Status, in.Len())
	}
	if _, err := ReadAnswer(bytes.NewReader(b[:len(b)-1]), 1); err == nil {
		t.Error("half an answer is one")
	}
}

// FuzzConnection: what comes of a connection does not depend on its pieces; what is refused can
// be answered; and a request is what was sent.
func FuzzConnection(f *testing.F) {
	f.Add([]byte(asks(1, cgitest.Usual...)+brings(1, "abc")+ends(1)+asks(1)+ends(1)), 5, 40)
	f.Add([]byte(begin(1, 1, 1)+begin(2, 1, 1)+raw(kindGetValues, 0, params("FCGI_MPXS_CONNS="), 3)+raw(kindParams, 1, params("A=b")[:2], 1)), 3, 20)
	f.Add([]byte(asks(3)+brings(3, "abc")+raw(kindAbort, 3, "", 0)+begin(3, 2, 0)), 30, 50)
	f.Add([]byte(asks(3, "CONTENT_LENGTH=1")+brings(3, "abc")), 30, 50)
	f.Add([]byte(raw(77, 0, "x", 0)+raw(kindStdin, 9, "y", 2)+raw(kindStdout, 1, "", 0)), 9, 10)
	f.Add([]byte("GET / HTTP/1.1"), 3, 4)
	f.Add([]byte(begin(1, 1, 0)+raw(kindParams, 1, "\x80\x00\x00\x01\x01Ab\x01\x00A", 0)+raw(kindParams, 1, "\x00B", 1)+raw(kindParams, 1, "", 0)+brings(1, "ab")+raw(kindParams, 1, "", 0)), 30, 33)
	f.Add([]byte(begin(1, 1, 0)+raw(kindAbort, 1, "", 0)), 17, 20)
	f.Add([]byte(begin(1, 1, 0)+raw(kindParams, 1, "\x81", 0)+raw(kindParams, 1, "", 0)+ends(1)), 17, 20)
	f.Add([]byte(begin(1, 1, 1)+raw(kindParams, 1, "\x00\x01A", 0)+raw(kindParams, 1, "", 0)+ends(1)), 17, 20)
	f.Add([]byte(begin(1, 1, 1)+raw(99, 1, "A", 0)+raw(kindStdin, 1, "A", 0)), 17, 20)
	f.Add([]byte(asks(1)+brings(1, "abc")+raw(kindStdin, 1, "", 9)+ends(1)+raw(kindGetValues, 0, params("FCGI_MAX_CONNS=", "FCGI_MAX_REQS="), 0)), 17, 35)
	f.Add([]byte(raw(kindGetValues, 0, "\x09", 0)), 2, 3)
	f.Fuzz(func(t *testing.T, text []byte, one, two int) {
		whole, pieces := converse(text), converse(text, one, two)
		if whole != pieces {
			t.Fatalf("in pieces:\n%q, %s, want\n%q, %s", pieces.text, pieces.end, whole.text, whole.end)
		}
		p := newParser()
		n, err := p.Parse(bytes.Clone(text))
		if err != nil {
			cgitest.CheckError(t, err, 400, 431)
			if n != 0 {
				t.Fatalf("%d bytes, %v", n, err)
			}
		}
		if n > len(text) {
			t.Fatalf("%d bytes of %d", n, len(text))
		}
		if p.Whole {
			p.Request.BodyLength = max(p.Request.BodyLength, 0)
			cgitest.Compare(t, &p.Head, false, sentIn(text[:n], p.ID))
			checkDrop(t, p, text[n:], one)
		}
	})
}

// checkDrop takes a part of a body, and drops the rest: what is left of its record goes, and nothing else.
func checkDrop(t *testing.T, p *Parser, rest []byte, cut int) {
	taken := 0
	for b := rest[:min(max(cut, 0), len(rest))]; !p.ended && !p.Aborted; {
		n, _, _, err := p.Next(b[taken:])
		if taken += n; err != nil {
			return
		}
		if n == 0 {
			break
		}
	}
	if p.ended || p.Aborted {
		return
	}
	left := p.left + p.padding
	if p.Drop() != (left == 0) {
		t.Fatalf("%d bytes of a record are left", left)
	}
	if n, data, done, err := p.Next(rest[taken:]); left > 0 && (n != min(left, len(rest)-taken) || len(data) > 0 || done != (n == left) || err != nil) {
		t.Fatalf("%d bytes of %d were dropped, %q, %v, %v", n, left, data, done, err)
	}
}

// sentIn are the parameters of a request, taken apart in another way.
func sentIn(b []byte, id uint16) (all []bridge.Field) {
	var block []byte
	for len(b) >= HeaderSize {
		n := int(b[4])<<8 | int(b[5])
		if b[1] == kindParams && fmt.Sprint(b[2:4]) == fmt.Sprint([]byte{byte(id >> 8), byte(id)}) {
			block = append(block, b[HeaderSize:HeaderSize+n]...)
		}
		b = b[HeaderSize+n+int(b[6]):]
	}
	size := func() int {
		n := int(block[0])
		if block = block[1:]; n < 128 {
			return n
		}
		n = (n&127)<<24 | int(block[0])<<16 | int(block[1])<<8 | int(block[2])
		block = block[3:]
		return n
	}
	for len(block) > 0 {
		n, m := size(), size()
		all = append(all, bridge.Field{Name: block[:n], Value: block[n : n+m]})
		block = block[n+m:]
	}
	return all
}
