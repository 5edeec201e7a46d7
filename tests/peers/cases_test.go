package peers

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
)

// testCase is a request, as it is sent to nginx.
type testCase struct {
	name   string
	head   string // its first line and its fields, but Host and X-Case
	body   string
	way    string   // which of nginx's servers: buffered, or streamed
	apps   []string // of which applications; none: of all
	tries  int      // how often it is sent, as long as the answer is 200; 0: once
	noHost bool

	// Clients that go.
	part   int    // so many bytes of the body are sent, and then no more; 0: all
	take   int    // so many bytes of the answer are read, and then no more; 0: all
	awaits string // what the application notes of it
}

// Ways through nginx.
const (
	buffered = "buffered" // it takes bodies in, and answers
	streamed = "streamed" // it passes on what comes
)

// client is the address that nginx takes for the client's.
const client = "192.0.2.7"

func get(name, target string, fields ...string) testCase {
	return testCase{name: name, head: "GET " + target + " HTTP/1.1\r\n" + lines(fields), way: buffered}
}

func send(name, method, target, body string, fields ...string) testCase {
	fields = append([]string{fmt.Sprintf("Content-Length: %d", len(body))}, fields...)
	return testCase{name: name, head: method + " " + target + " HTTP/1.1\r\n" + lines(fields), body: body, way: buffered}
}

func lines(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	return strings.Join(fields, "\r\n") + "\r\n"
}

// on says how a case goes, and of which applications it is.
func (c testCase) on(way string, apps ...string) testCase {
	c.way, c.apps = way, apps
	return c
}

// text is the whole head.
func (c *testCase) text() string {
	host := "Host: localhost\r\n"
	if c.noHost || strings.Contains(c.head, "\r\nHost: ") {
		host = ""
	}
	return c.head + host + "X-Case: " + c.name + "\r\nX-Client: " + client + "\r\n\r\n"
}

// method is the request's.
func (c *testCase) method() string {
	method, _, _ := strings.Cut(c.head, " ")
	return method
}

// of says whether it is a case of the application.
func (c *testCase) of(app string) bool { return len(c.apps) == 0 || slices.Contains(c.apps, app) }

// mebibyte is client_max_body_size.
const mebibyte = 1 << 20

func cases() []testCase {
	return slices.Concat(methods(), targets(), fieldsOf(), bodies(), sizes(), answers(), clientsThatGo())
}

func methods() []testCase {
	bare := get("http10", "/plain", "X-A: 1")
	bare.head, bare.noHost = strings.Replace(bare.head, "HTTP/1.1", "HTTP/1.0", 1), true
	head := func(name, target string) testCase {
		c := get(name, target)
		c.head = "HEAD" + strings.TrimPrefix(c.head, "GET")
		return c
	}
	return []testCase{
		get("get", "/plain"),
		head("head", "/plain"), head("head-size", "/size?100000"), head("head-stream", "/stream?20"),
		send("post", "POST", "/plain", "abc"), send("put", "PUT", "/plain", "abc"), send("patch", "PATCH", "/plain", "abc"),
		send("delete", "DELETE", "/plain", ""), send("delete-body", "DELETE", "/plain", "abc"), send("get-body", "GET", "/plain", "abc"),
		send("options", "OPTIONS", "/plain", ""), send("propfind", "PROPFIND", "/plain", "<a/>", "Content-Type: text/xml", "Depth: 1"),
		bare,
	}
}

func targets() []testCase {
	return []testCase{
		get("path-encoded", "/caf%C3%A9/%2525/x"), get("path-slash", "/a%2Fb"), get("path-slashes", "//double//slash"),
		get("path-dots", "/a/../b/./c"), get("path-marks", "/with%20space;param=1,2+3"), get("path-latin1", "/caf%E9"),
		get("query-empty", "/plain?"), get("query-raw", "/plain?a=%20b+c&d=caf\xc3\xa9&a=2"),
		get("absolute", "http://localhost/absolute?a"), get("path-long", "/"+strings.Repeat("p", 700)),
	}
}

func fieldsOf() []testCase {
	many := make([]string, 90)
	for i := range many {
		many[i] = fmt.Sprintf("X-%d: %d", i, i)
	}
	return []testCase{
		get("repeated", "/plain", "X-Two: a", "X-Two: b"), get("cookies-in", "/plain", "Cookie: a=1", "Cookie: b=2"),
		get("empty-value", "/plain", "X-Empty:"), get("latin1-value", "/plain", "X-Name: caf\xe9"), get("underscore", "/plain", "X_Under: 1"),
		get("hop-by-hop", "/plain", "Connection: keep-alive, X-Hop", "X-Hop: 1", "Keep-Alive: 5", "TE: trailers"),
		get("says-https", "/plain", "X-Forwarded-Proto: https"), get("says-ssl", "/plain", "X-Forwarded-Ssl: on"),
		get("says-for", "/plain", "X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1;proto=https", "X-Real-Ip: 10.0.0.1"),
		get("httpoxy", "/plain", "Proxy: http://evil.example/"), get("authorization", "/plain", "Authorization: Basic YTpi"),
		get("host-port", "/plain", "Host: LOCALHOST:8080"), get("upgrade", "/plain", "Connection: Upgrade", "Upgrade: h2c"),
		get("many-fields", "/plain", many...), get("type-without-body", "/plain", "Content-Type: text/plain"),
		get("gzip", "/packed", "Accept-Encoding: gzip"), get("range", "/file", "Range: bytes=2-5"),
		get("not-modified", "/file", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"),
	}
}

func bodies() []testCase {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("packed"))
	z.Close()
	const boundary = "--edge\r\nContent-Disposition: form-data; name="
	upload := boundary + "\"title\"\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n" + boundary + "\"file\"; filename=\"a.bin\"\r\nContent-Type: application/x-own\r\n\r\n" + strings.Repeat("\x00\xff", 5000) + "\r\n--edge--\r\n"
	chunked := func(name, body string) testCase {
		return testCase{name: name, head: "POST /plain HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", body: body, way: buffered}
	}
	return []testCase{
		send("form", "POST", "/form", "a=1&a=2&b=gr%C3%BC%C3%9Fe+%26", "Content-Type: application/x-www-form-urlencoded"),
		send("upload", "POST", "/form", upload, "Content-Type: multipart/form-data; boundary=edge"),
		send("body-empty", "POST", "/plain", "", "Content-Type: text/plain"), send("body-gzip", "POST", "/plain", packed.String(), "Content-Encoding: gzip"),
		send("expect", "POST", "/plain", "abc", "Expect: 100-continue"),
		chunked("chunked", "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"), chunked("chunked-trailer", "3\r\nabc\r\n0\r\nX-After: 1\r\n\r\n"),
		chunked("chunked-streamed", "3\r\nabc\r\n0\r\n\r\n").on(streamed), chunked("chunked-empty", "0\r\n\r\n"),
		send("streamed", "POST", "/plain", strings.Repeat("s", 100000)).on(streamed),
	}
}

// sizes are those on both sides of each limit: of nginx's buffers and of --buffer-request, of the
// pipe, of what nginx takes, of uWSGI's variables, and of a uwsgi packet.
func sizes() (all []testCase) {
	for _, n := range []int{16384, 16385, 65536, 65537, 131073, mebibyte, mebibyte + 1} {
		all = append(all, send(fmt.Sprintf("body-%d", n), "POST", "/plain", strings.Repeat("b", n)))
	}
	for _, n := range []int{2000, 5000} {
		all = append(all, get(fmt.Sprintf("variables-%d", n), "/plain", "X-Long: "+strings.Repeat("v", n)))
	}
	for _, n := range []int{28000, 64000, 66000} {
		long := strings.Repeat("v", n/4)
		all = append(all, get(fmt.Sprintf("variables-%d", n), "/plain", "X-A: "+long, "X-B: "+long, "X-C: "+long, "X-D: "+long))
	}
	for _, n := range []int{0, 1, 65537, 131073, mebibyte} {
		all = append(all, get(fmt.Sprintf("answer-%d", n), fmt.Sprintf("/size?%d", n)))
	}
	return append(all, get("answer-stream", "/stream?50"), get("answer-streamed", "/stream?50").on(streamed),
		get("answer-head-3000", "/head?3000"), get("answer-head-5000", "/head?5000"))
}

func answers() []testCase {
	again := send("unread-large", "POST", "/unread", strings.Repeat("u", 900000))
	again.tries = 200
	return []testCase{
		get("no-content", "/status?204"), get("unchanged", "/status?304"), get("teapot", "/status?418"), get("unavailable", "/status?503"),
		get("redirect", "/redirect"), get("cookies-out", "/cookies"), get("own-fields", "/own"), get("file", "/file"),
		get("short", "/short"), get("long", "/long"), get("fails", "/fails"), get("fails-late", "/fails-late"),
		send("unread", "POST", "/unread", "u"), again,
		// Under uvicorn Starlette takes the body from who begins to answer before it is read, and he waits until nginx gives up.
		send("early", "POST", "/early", "abc").on(buffered, wsgi...),
	}
}

// clientsThatGo leave amid their request's body, and amid the answer.
func clientsThatGo() []testCase {
	gone := send("gone-amid-upload", "POST", "/plain", strings.Repeat("g", 200000))
	gone.part = 50000
	streams := gone.on(streamed)
	streams.name, streams.awaits = "gone-amid-streamed-upload", "read"
	endless, flowing := get("gone-amid-answer", "/endless"), get("gone-amid-streamed-answer", "/endless").on(streamed)
	endless.take, flowing.take = 100000, 100000
	endless.awaits, flowing.awaits = "ended", "ended"
	return []testCase{gone, streams, endless, flowing}
}
