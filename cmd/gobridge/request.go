package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"gobridge/bridge"
	"gobridge/protocol/http1"
)

// gobridge request asks a server one thing and prints the answer, as curl does, by each protocol
// that gobridge serves: of web servers' ones curl speaks none. This file has its options, and makes the
// request of them; endpoint.go says whom it goes to and by which protocol, exchange.go sends it, inside
// TLS by handshake.go.

// asked are the options of the request command.
type asked struct {
	method    string
	fields    []string // NAME: VALUE
	variables []string // NAME=VALUE
	data      []string // texts, @FILE, @-
	output    string
	head      bool
	verbose   bool
	fail      bool
	limit     time.Duration
	trust     trusting
}

// requestTable is what the request command takes, with the names that curl has for it. The
// environment says nothing of it.
var requestTable = []setting{
	{"request", "X", "", text("METHOD"), "method; default: GET, and POST with --data",
		func(s *settings) any { return &s.asked.method }},
	{"header", "H", "", listOf(anything("FIELD")), "header field, 'Name: value'; 'Name:' leaves one out that is sent by itself; may be given several times",
		func(s *settings) any { return &s.asked.fields }},
	{"data", "d", "", listOf(anything("DATA|@FILE|@-")), "body: a text, a file's content or that of standard input, as it is; several are joined by &",
		func(s *settings) any { return &s.asked.data }},
	{"var", "", "", listOf(anything("NAME=VALUE")), "variable by uwsgi, FastCGI or SCGI, beside those that a web server sends, or instead of one; may be given several times",
		func(s *settings) any { return &s.asked.variables }},
	{"include", "i", "false", yes, "print the answer's head, too",
		func(s *settings) any { return &s.asked.head }},
	{"verbose", "v", "false", yes, "tell on standard error what is sent, and what comes",
		func(s *settings) any { return &s.asked.verbose }},
	{"output", "o", "", text("FILE"), "write the answer to a file",
		func(s *settings) any { return &s.asked.output }},
	{"fail", "f", "false", yes, "exit with 10 when the answer's status is 400 or more, and print no body",
		func(s *settings) any { return &s.asked.fail }},
	{"timeout", "m", "off", span.orOff(), "for the whole answer to come",
		func(s *settings) any { return &s.asked.limit }},
	{"insecure", "k", "false", yes, "inside TLS, take any certificate for the server's",
		func(s *settings) any { return &s.asked.trust.anybody }},
	{"cacert", "", "", text("FILE"), "certificates, in PEM, by which the server's must be signed; default: those of the system",
		func(s *settings) any { return &s.asked.trust.authorities }},
	{"cert", "E", "", text("FILE"), "certificate to show to the server, in PEM, with the chain behind it",
		func(s *settings) any { return &s.asked.trust.certificate }},
	{"key", "", "", text("FILE"), "its private key, in PEM; default: it is in --cert, too",
		func(s *settings) any { return &s.asked.trust.key }},
}

// anything is any value, even an empty one.
func anything(placeholder string) kind {
	return kind{placeholder: placeholder, must: placeholder, parse: func(value string) (any, error) { return value, nil }}
}

// requestCommand is gobridge request.
func requestCommand(c *cli.Context) error {
	s, err := readTable(requestTable, flagsAlone(c))
	if err != nil {
		return err
	}
	to, err := endpointOf(c.Args().Slice())
	if err != nil {
		return err
	}
	shake, err := s.asked.trust.handshake(to)
	if err != nil {
		return err
	}
	body, err := bodyOf(s.asked.data, os.Stdin)
	if err != nil {
		return err
	}
	defer body.Close()
	q, err := s.asked.question(to, body.size, len(s.asked.data) > 0)
	if err != nil {
		return err
	}
	e := &exchange{to: to, shake: shake, question: q, body: body, asked: &s.asked, out: c.App.Writer, log: c.App.ErrWriter}
	return e.run()
}

// flagsAlone is the source of a command that the environment says nothing of.
func flagsAlone(c *cli.Context) source {
	from := fromContext(c)
	return func(s *setting) ([]string, bool) {
		if !c.IsSet(s.name) {
			return nil, false
		}
		return from(s)
	}
}

// question makes the request.
func (a *asked) question(to *endpoint, size int64, hasBody bool) (*bridge.Request, error) {
	if len(a.variables) > 0 && !to.speaks.variables {
		return nil, usage("--var is for the protocols of web servers, as in uwsgi:127.0.0.1:3031: HTTP has no variables, and -H is for header fields")
	}
	q := &bridge.Request{Method: []byte(a.method), Target: []byte(to.path), BodyLength: size, Peer: &to.peer}
	fields := []string{"Host: " + to.host, "User-Agent: gobridge/" + version, "Accept: */*"}
	if a.method == "" {
		q.Method = []byte("GET")
	}
	if hasBody {
		if a.method == "" {
			q.Method = []byte("POST")
		}
		fields = append(fields, "Content-Type: application/x-www-form-urlencoded")
	}
	if !to.speaks.variables {
		fields = append(fields, "Connection: close")
	}
	var err error
	q.Fields, err = fieldsOf(fields, a.fields)
	return q, err
}

// fieldsOf are the usual fields, with those that were written instead of or beside them.
func fieldsOf(usual, written []string) (fields []bridge.Field, err error) {
	replaced := map[string]bool{}
	for _, line := range written {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !http1.IsToken([]byte(name)) {
			return nil, usage("--header %s: must be like 'Accept: text/html'", quoteEmpty(line))
		}
		replaced[strings.ToLower(name)] = true
		if value = strings.TrimSpace(value); value != "" {
			fields = append(fields, bridge.Field{Name: []byte(name), Value: []byte(value)})
		}
	}
	var kept []bridge.Field
	for _, line := range usual {
		name, value, _ := strings.Cut(line, ": ")
		if !replaced[strings.ToLower(name)] {
			kept = append(kept, bridge.Field{Name: []byte(name), Value: []byte(value)})
		}
	}
	return append(kept, fields...), nil
}

// contents is a request's body.
type contents struct {
	io.Reader
	size  int64
	files []*os.File
}

// Close closes the files that it is read from.
func (b *contents) Close() {
	for _, f := range b.files {
		f.Close()
	}
}

// bodyOf makes a body of what was written. Files are read as they are sent.
func bodyOf(data []string, stdin io.Reader) (*contents, error) {
	b := new(contents)
	var parts []io.Reader
	for i, each := range data {
		if i > 0 {
			parts = append(parts, strings.NewReader("&"))
			b.size++
		}
		part, size, err := b.part(each, stdin)
		if err != nil {
			b.Close()
			return nil, usage("--data %s: %w", each, err)
		}
		parts = append(parts, part)
		b.size += size
	}
	b.Reader = io.MultiReader(parts...)
	return b, nil
}

func (b *contents) part(text string, stdin io.Reader) (io.Reader, int64, error) {
	name, isFile := strings.CutPrefix(text, "@")
	switch {
	case !isFile:
		return strings.NewReader(text), int64(len(text)), nil
	case name == "-":
		all, err := io.ReadAll(stdin)
		return strings.NewReader(string(all)), int64(len(all)), err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	b.files = append(b.files, f)
	info, err := f.Stat()
	if err != nil || info.Mode().IsRegular() {
		return f, sizeOf(info), err
	}
	all, err := io.ReadAll(f) // of a pipe nobody knows the size
	return strings.NewReader(string(all)), int64(len(all)), err
}

func sizeOf(info os.FileInfo) int64 {
	if info == nil {
		return 0
	}
	return info.Size()
}

// unanswered says why there is no answer, and what to do.
func (e *exchange) unanswered(err error) error {
	var none *exitError
	to, limit := e.to, e.asked.limit
	switch {
	case errors.As(err, &none):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &exitError{exitNotYet, fmt.Errorf("%s has not answered within --timeout %v", to, limit)}
	case e.answer.Status == 0 && e.shake.lacksCertificate():
		err = fmt.Errorf("%s: %w: %s", to, err, showOne)
	case errors.Is(err, http1.ErrNoAnswer):
		err = fmt.Errorf("%s: %w: %s", to, err, to.silence())
	default:
		err = fmt.Errorf("%s: %w", to, err)
	}
	return &exitError{exitNoServer, err}
}

// unreached says why nobody could be connected to, and what to do.
func unreached(to *endpoint, limit time.Duration, err error) error {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return &exitError{exitNotYet, fmt.Errorf("%s could not be connected to within --timeout %v", to, limit)}
	case errors.Is(err, os.ErrNotExist):
		err = fmt.Errorf("there is no socket %s: it is made when a server starts with --bind %s", to.address, to.bind())
	case errors.Is(err, os.ErrPermission):
		err = fmt.Errorf("this user may not use the socket %s, or enter its folder", to.address)
	case isRefused(err):
		err = fmt.Errorf("nobody listens on %s: is the server running, and is that its --bind? (gobridge status tells)", to.address)
	default:
		err = fmt.Errorf("%s: %w", to, err)
	}
	return &exitError{exitNoServer, err}
}
