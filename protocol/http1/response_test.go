package http1

import (
	"fmt"
	"testing"
	"time"

	"gobridge/bridge"
)

func TestAppendHead(t *testing.T) {
	date := []byte("Sun, 06 Nov 1994 08:49:37 GMT")
	for _, c := range []struct {
		name string
		h    bridge.ResponseHead
		r    Response
		want string
		f    Framing
		end  bool
	}{
		{"counted", bridge.ResponseHead{Status: 200, Reason: []byte("OK"), Lines: []byte("Content-Length: 5\r\n"), BodyLength: 5},
			Response{Minor: 1, KeepAlive: true, Date: date, Server: "s"},
			"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: s\r\n\r\n", Counted, false},
		{"chunked", bridge.ResponseHead{Status: 404, BodyLength: -1}, Response{Minor: 1, KeepAlive: true},
			"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n", Chunks, false},
		{"1.0 until close", bridge.ResponseHead{Status: 200, BodyLength: -1}, Response{KeepAlive: true},
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", UntilClose, true},
		{"1.0 keep-alive", bridge.ResponseHead{Status: 200, Lines: []byte("Content-Length: 0\r\n")}, Response{KeepAlive: true},
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", Counted, false},
		{"HEAD", bridge.ResponseHead{Status: 200, Lines: []byte("Content-Length: 7\r\n"), BodyLength: 7}, Response{Minor: 1, NoBody: true, KeepAlive: true},
			"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", Empty, false},
		{"HEAD without a length", bridge.ResponseHead{Status: 200, BodyLength: -1}, Response{NoBody: true, KeepAlive: true},
			"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", Empty, false},
		{"304 with a length", bridge.ResponseHead{Status: 304, Lines: []byte("Content-Length: 7\r\n"), BodyLength: 7}, Response{Minor: 1, KeepAlive: true},
			"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", Empty, false},
		{"204", bridge.ResponseHead{Status: 204, BodyLength: -1, Lines: []byte("X: y\r\n")}, Response{Minor: 1, KeepAlive: true},
			"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", Empty, false},
		{"204 with a length", bridge.ResponseHead{Status: 204, Lines: []byte("X: y\r\ncontent-length: 0\r\nZ: Content-Length: 1\r\n")}, Response{Minor: 1, KeepAlive: true},
			"HTTP/1.1 204 No Content\r\nX: y\r\nZ: Content-Length: 1\r\n\r\n", Empty, false},
		{"own reason for 200", bridge.ResponseHead{Status: 200, Reason: []byte("Fine"), BodyLength: 0}, Response{Minor: 1},
			"HTTP/1.1 200 Fine\r\nConnection: close\r\n\r\n", Counted, true},
		{"304", bridge.ResponseHead{Status: 304, BodyLength: -1}, Response{Minor: 1},
			"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n", Empty, true},
		{"own reason, date and server", bridge.ResponseHead{Status: 299, Reason: []byte("Fine"), Lines: []byte("Date: d\r\nServer: x\r\n"), HasDate: true, HasServer: true, BodyLength: -1},
			Response{Minor: 1, NoBody: true, KeepAlive: true, Date: date, Server: "s"},
			"HTTP/1.1 299 Fine\r\nDate: d\r\nServer: x\r\n\r\n", Empty, false},
		{"for a web server", bridge.ResponseHead{Status: 200, BodyLength: -1, Lines: []byte("X: y\r\n")}, Response{Alone: true},
			"HTTP/1.1 200 OK\r\nX: y\r\n\r\n", UntilClose, true},
		{"in CGI's form", bridge.ResponseHead{Status: 303, BodyLength: -1, Lines: []byte("Location: /\r\nstatus: 200 OK\r\n")}, Response{Alone: true, CGI: true},
			"Location: /\r\nStatus: 303 See Other\r\n\r\n", UntilClose, true},
		{"carried", bridge.ResponseHead{Status: 200, BodyLength: -1}, Response{Alone: true, CGI: true, Carried: true, KeepAlive: true},
			"Status: 200 OK\r\n\r\n", Carried, false},
		{"carried, counted", bridge.ResponseHead{Status: 200, BodyLength: 7, Lines: []byte("Content-Length: 7\r\n")}, Response{Alone: true, CGI: true, Carried: true},
			"Content-Length: 7\r\nStatus: 200 OK\r\n\r\n", Counted, true},
		{"carried, 204 with a length", bridge.ResponseHead{Status: 204, Lines: []byte("Content-Length: 0\r\nStatus: 1\r\nX: y\r\n")}, Response{Alone: true, CGI: true, Carried: true, KeepAlive: true},
			"X: y\r\nStatus: 204 No Content\r\n\r\n", Empty, false},
		{"closed by the application", bridge.ResponseHead{Status: 200, Lines: []byte("Content-Length: 0\r\n"), Close: true}, Response{Minor: 1, KeepAlive: true},
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", Counted, true},
		{"closed by the application, carried", bridge.ResponseHead{Status: 200, BodyLength: -1, Close: true}, Response{Alone: true, CGI: true, Carried: true, KeepAlive: true},
			"Status: 200 OK\r\n\r\n", Carried, false},
		{"unknown status", bridge.ResponseHead{Status: 777, BodyLength: -1}, Response{Minor: 1, NoBody: true, KeepAlive: true},
			"HTTP/1.1 777 \r\n\r\n", Empty, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, f, end := AppendHead(nil, &c.h, &c.r)
			if string(out) != c.want || f != c.f || end != c.end {
				t.Errorf("%q, framing %d, closes %v", out, f, end)
			}
		})
	}
}

func TestAppendLast(t *testing.T) {
	if got := string(AppendLast([]byte("x"), nil)); got != "x0\r\n\r\n" {
		t.Errorf("%q", got)
	}
	if got := string(AppendLast(nil, []byte("A: b\r\nC: d\r\n"))); got != "0\r\nA: b\r\nC: d\r\n\r\n" {
		t.Errorf("%q", got)
	}
}

func TestDate(t *testing.T) {
	var d Date
	at := time.Date(1994, 11, 6, 8, 49, 37, 5e8, time.UTC)
	for i, want := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"} {
		if got := string(d.At(at.Add(time.Duration(i) * time.Second).In(time.FixedZone("x", 3600)))); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestReason(t *testing.T) {
	for status, want := range map[int]string{200: "OK", 511: "Network Authentication Required", 299: "", 999: "", -1: ""} {
		if got := Reason(status); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
}

func TestAppendChunkSize(t *testing.T) {
	if got := fmt.Sprintf("%q", AppendChunkSize([]byte("x"), 255)); got != `"xff\r\n"` {
		t.Error(got)
	}
}
