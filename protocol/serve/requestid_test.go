package serve

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"gobridge/bridge"
)

func TestRequestIDs(t *testing.T) {
	made := regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, c := range []struct {
		values []string
		keeps  bool
	}{
		{nil, false},
		{[]string{"abc-123"}, true},
		{[]string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, true},
		{[]string{strings.Repeat("a", 128)}, true},
		{[]string{strings.Repeat("a", 129)}, false},
		{[]string{""}, false},
		{[]string{"a b"}, false},
		{[]string{"a\"b"}, false},
		{[]string{"a\\b"}, false},
		{[]string{"a]b"}, false},
		{[]string{"ä"}, false},
		{[]string{"a", "a"}, false},
		{[]string{"a", ""}, false},
	} {
		q := &bridge.Request{Fields: []bridge.Field{{Name: []byte("Host"), Value: []byte("x")}}}
		for _, v := range c.values {
			q.Fields = append(q.Fields, bridge.Field{Name: []byte("x-rEQUEST-id"), Value: []byte(v)})
		}
		var w work
		w.identify(q, []byte("X-Request-ID"), "x-request-id")
		id, field := string(q.ID), q.Fields[len(q.Fields)-1]
		if len(q.Fields) != 2 || string(q.Fields[0].Name) != "Host" || string(field.Value) != id {
			t.Errorf("%q: the id is %q, the fields %q", c.values, id, q.Fields)
		}
		if c.keeps != (len(c.values) == 1 && id == c.values[0]) || !c.keeps && !made.MatchString(id) {
			t.Errorf("%q: the id is %q", c.values, id)
		}
	}
	var m madeID
	seen := map[string]bool{}
	for range 1000 {
		seen[string(m.make())] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d of 1000 ids differ", len(seen))
	}
}

// The id is in the access log, and in the name that the bridge logs a request by.
func TestRequestIDInTheLogs(t *testing.T) {
	out := new(syncBuffer)
	names := make(chan string, 1)
	s := start(t, 1, func(c *call) {
		names <- c.client.Describe()
		c.start(200, 2)
		io.WriteString(c, "ok")
	}, func(s *Settings) { s.AccessLog, s.RequestID = out, "X-Request-ID" })
	c := s.dial(t)
	c.send("GET /a HTTP/1.1\r\nHost: x\r\nUser-Agent: me\r\nX-Request-ID: one\r\n\r\n")
	c.want("GET", 200, "ok")
	if name := <-names; name != "GET /a [one]" {
		t.Errorf("the request is called %q", name)
	}
	eventually(t, "a line", func() bool { return strings.Contains(out.String(), "\n") })
	if !regexp.MustCompile(` 200 2 "-" "me" \d\.\d{6} one\n$`).MatchString(out.String()) {
		t.Errorf("the access log: %s", out.String())
	}
}

func FuzzRequestID(f *testing.F) {
	f.Add([]byte("a-1"))
	f.Fuzz(func(t *testing.T, value []byte) {
		q := &bridge.Request{Fields: []bridge.Field{{Name: []byte("x-request-id"), Value: value}}}
		new(work).identify(q, []byte("X-Request-ID"), "x-request-id")
		if len(q.ID) == 0 || len(q.ID) > longestID || strings.ContainsAny(string(q.ID), " \r\n\"\\[]") || len(q.Fields) != 1 {
			t.Errorf("%q: %q, %q", value, q.ID, q.Fields)
		}
	})
}
