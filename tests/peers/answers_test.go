package peers

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gobridge/tests/server"
)

// outcome is what came of a case, by name: of the answer "status", "body", "end", and
// "header" with a name behind it; of what the application noted "called", "read", "ended", and
// "environ" or "scope" with a name.
type outcome map[string]string

// absent stands for what one of two outcomes lacks.
const absent = "-"

func (o outcome) of(what string) string {
	if value, ok := o[what]; ok {
		return value
	}
	return absent
}

// ask sends a case to a site, and tells of the answer.
func (s *site) ask(dir string, c *testCase) outcome {
	for range max(c.tries-1, 0) {
		if o := s.askOnce(dir, c); o["status"] != "200" {
			return o
		}
	}
	return s.askOnce(dir, c)
}

func (s *site) askOnce(dir string, c *testCase) outcome {
	conn, err := net.Dial("unix", filepath.Join(dir, s.name+"-"+c.way))
	must(s.t, err)
	defer conn.Close()
	must(s.t, conn.SetDeadline(time.Now().Add(server.Patience)))
	body := c.body
	if c.part > 0 {
		body = body[:c.part]
	}
	sent := make(chan struct{})
	go func() { // it is answered before it has sent all, and nginx may take no more then
		defer close(sent)
		if _, err := io.WriteString(conn, c.text()); err == nil {
			_, _ = io.WriteString(conn, body)
		}
	}()
	if c.part > 0 {
		if <-sent; c.awaits != "" && !s.whole {
			s.await(c.name, "given") // nginx would not bother it for a client that has gone already
		}
		return outcome{"end": "none"}
	}
	return read(conn, c)
}

// await waits until the application has noted that of a case.
func (s *site) await(name, note string) {
	begin := fmt.Sprintf(`{"case": %q, %q: `, name, note)
	err := server.Await(func() bool {
		text, err := os.ReadFile(s.notes)
		return err == nil && strings.Contains(string(text), begin)
	})
	if err != nil {
		s.t.Errorf("%s: the application never noted %q of %s", s.name, note, name)
	}
}

// read reads the answer, and what became of it.
func read(conn net.Conn, c *testCase) outcome {
	in := bufio.NewReader(conn)
	var r *http.Response
	var err error
	for {
		if r, err = http.ReadResponse(in, &http.Request{Method: c.method()}); err != nil {
			return outcome{"end": "none"}
		}
		if r.StatusCode >= 200 {
			break
		}
	}
	// The body is not closed: that would wait for all of it.
	o := outcome{"status": strconv.Itoa(r.StatusCode), "end": "whole"}
	for name, values := range r.Header {
		o["header "+name] = strings.Join(values, " | ")
	}
	if r.ContentLength >= 0 && r.Header.Get("Content-Length") != "" {
		o["header Content-Length"] = strconv.FormatInt(r.ContentLength, 10)
	}
	o["framing"] = strings.Join(r.TransferEncoding, ",")
	if c.take > 0 {
		if _, err := io.ReadFull(r.Body, make([]byte, c.take)); err != nil {
			o["end"] = "cut"
		}
		return o
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		o["end"] = "cut"
	}
	o["body"] = brief(string(text))
	return o
}

// brief shows the beginning of a long text, and what is the same of another one only if all is.
func brief(text string) string {
	if len(text) <= 120 {
		return text
	}
	return fmt.Sprintf("%.40s... (%d bytes, %x)", text, len(text), sha256.Sum256([]byte(text)))[:100]
}

// line is what applications note.
type line struct {
	Case   string
	Given  map[string]any
	Fields map[string]string // of a scope
	Read   string
	Ended  string
}

// noted adds what the site's application has noted to the outcomes, by case.
func (s *site) noted(outcomes map[string]outcome) {
	text, err := os.ReadFile(s.notes)
	must(s.t, err)
	calls := map[string]int{}
	for each := range strings.Lines(string(text)) {
		var l line
		must(s.t, json.Unmarshal([]byte(each), &l))
		o := outcomes[l.Case]
		if o == nil {
			s.t.Errorf("%s was asked %q, which is no case", s.name, l.Case)
			continue
		}
		switch {
		case l.Given != nil:
			if calls[l.Case]++; calls[l.Case] == 1 {
				s.given(o, &l)
			}
		case l.Read != "":
			o["read"] = l.Read
		case l.Ended != "":
			o["ended"] = l.Ended
		}
	}
	for name := range outcomes {
		outcomes[name]["called"] = strconv.FormatBool(calls[name] > 0)
	}
}

// given adds an environ, or a scope.
func (s *site) given(o outcome, l *line) {
	kind := "environ "
	if l.Fields != nil {
		kind = "scope "
		for name, values := range l.Fields {
			o["field "+name] = values
		}
	}
	for name, value := range l.Given {
		if inner, ok := value.(map[string]any); ok {
			for key, value := range inner {
				o[kind+name+"."+key] = s.textOf(value)
			}
			continue
		}
		o[kind+name] = s.textOf(value)
	}
}

// textOf is a value that was noted; where a site has its socket is its own affair.
func (s *site) textOf(value any) string {
	text, ok := value.(string)
	if !ok {
		return "there"
	}
	return brief(strings.ReplaceAll(text, s.socket, "SOCKET"))
}

// unequal are the names of what two outcomes differ in, but for what no two answers have in common,
// and for what an application was given that was called only once of the two.
func unequal(a, b outcome) (names []string) {
	for _, o := range []outcome{a, b} {
		for name := range o {
			kind, _, _ := strings.Cut(name, " ")
			given := kind == "environ" || kind == "scope" || kind == "field" || kind == "read"
			if a.of(name) == b.of(name) || slices.Contains(names, name) || name == "header Date" || given && a.of("called") != b.of("called") {
				continue
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
