package conformance

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"gobridge/tests/server"
)

// client is a connection on which requests are written as they are, and answers read
// without repairing anything.
type client struct {
	net.Conn
	in       *bufio.Reader
	trailers []field // behind the last chunk
}

// dial connects to the server's first address.
func dial(t *testing.T, s *server.Server) *client {
	t.Helper()
	conn, err := s.Dial()
	return connected(t, conn, err)
}

func connected(t *testing.T, conn net.Conn, err error) *client {
	t.Helper()
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(server.Patience))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{Conn: conn, in: bufio.NewReader(conn)}
}

func (c *client) send(t *testing.T, format string, a ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(c, format, a...); err != nil {
		t.Fatal(err)
	}
}

// framing is how the end of an answer's body was known.
type framing string

const (
	none    framing = "none" // there is no body
	counted framing = "counted"
	chunked framing = "chunked"
	closing framing = "closing" // by the end of the connection
)

type field struct{ name, value string }

// answer is a response as it came.
type answer struct {
	version, reason string
	status          int
	fields          []field
	framing         framing
	body            string
	chunks          []string  // of a chunked body
	trailers        []field   // behind the last chunk
	cut             error     // why the body is not whole
	early           []*answer // the informational ones before it
}

// all are the values of the fields of that name, in their order.
func (a *answer) all(name string) (values []string) {
	for _, f := range a.fields {
		if strings.EqualFold(f.name, name) {
			values = append(values, f.value)
		}
	}
	return values
}

// get is the value of the fields of that name, joined; empty if there are none.
func (a *answer) get(name string) string { return strings.Join(a.all(name), ", ") }

// String is for messages.
func (a *answer) String() string {
	return fmt.Sprintf("%s %d %q %v, %s body of %d bytes %.300q, cut: %v", a.version, a.status, a.reason, a.fields, a.framing, len(a.body), a.body, a.cut)
}

// receive reads the final answer to a request with the method. That there is none, or one
// whose head is no HTTP, ends the test.
func (c *client) receive(t *testing.T, method string) *answer {
	t.Helper()
	var early []*answer
	for {
		a, err := c.head()
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		if a.status >= 200 {
			a.early = early
			if err := c.body(a, method); err != nil {
				t.Fatalf("%v: %v", a, err)
			}
			return a
		}
		early = append(early, a)
	}
}

// line reads a line that must end with CR LF.
func (c *client) line() (string, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%q, and then %w", line, err)
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return "", fmt.Errorf("the line %q does not end with CR LF", line)
	}
	return text, nil
}

// head reads a status line and the fields behind it.
func (c *client) head() (*answer, error) {
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	version, rest, _ := strings.Cut(line, " ")
	code, reason, ok := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if !strings.HasPrefix(version, "HTTP/1.") || !ok || err != nil || len(code) != 3 {
		return nil, fmt.Errorf("the status line is %q", line)
	}
	a := &answer{version: version, status: status, reason: reason, framing: none}
	a.fields, err = c.fields()
	return a, err
}

// fields reads header lines, or trailers, and the blank line behind them.
func (c *client) fields() (fields []field, err error) {
	for {
		line, err := c.line()
		if err != nil || line == "" {
			return fields, err
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok || name == "" || strings.ContainsAny(name, " \t") || strings.ContainsAny(value, "\r\x00") {
			return nil, fmt.Errorf("the header line is %q", line)
		}
		fields = append(fields, field{name, value})
	}
}

// body reads what follows a head (RFC 9112 section 6.3). An error is a wrong framing; what
// only ends too early is noted in the answer.
func (c *client) body(a *answer, method string) error {
	lengths, codings := a.all("Content-Length"), a.all("Transfer-Encoding")
	if len(lengths) > 1 || len(codings) > 1 || len(lengths)+len(codings) > 1 {
		return errors.New("several fields say how long the body is")
	}
	switch {
	case method == "HEAD" || a.status == 204 || a.status == 304:
		return nil
	case len(codings) > 0:
		if codings[0] != "chunked" {
			return fmt.Errorf("the transfer coding is %q", codings[0])
		}
		a.framing = chunked
		a.cut = c.chunks(a)
	case len(lengths) > 0:
		n, err := strconv.Atoi(lengths[0])
		if err != nil {
			return err
		}
		a.framing = counted
		a.body, a.cut = c.count(n)
	default:
		a.framing = closing
		var text []byte
		text, a.cut = io.ReadAll(c.in)
		a.body = string(text)
	}
	return nil
}

func (c *client) count(n int) (string, error) {
	text := make([]byte, n)
	got, err := io.ReadFull(c.in, text)
	return string(text[:got]), err
}

// chunk reads one chunk; the last one is empty, and the trailers come with it.
func (c *client) chunk() (string, error) {
	line, err := c.line()
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(line, 16, 31)
	if err != nil {
		return "", fmt.Errorf("the chunk's size is %q", line)
	}
	if n == 0 {
		c.trailers, err = c.fields()
		return "", err
	}
	text, err := c.count(int(n))
	if err != nil {
		return text, err
	}
	if end, err := c.line(); err != nil || end != "" {
		return text, fmt.Errorf("behind the chunk is %q: %w", end, err)
	}
	return text, nil
}

func (c *client) chunks(a *answer) error {
	var whole strings.Builder
	for {
		text, err := c.chunk()
		if whole.WriteString(text); err != nil || text == "" {
			a.body, a.trailers = whole.String(), c.trailers
			return err
		}
		a.chunks = append(a.chunks, text)
	}
}

// end wants the server to close the connection in an orderly way, with nothing before that.
func (c *client) end(t *testing.T) {
	t.Helper()
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		t.Errorf("instead of the connection's end: %.300q, %v", rest, err)
	}
}

// finish closes the client's sending half, reset the connection as a killed client does.
func (c *client) finish() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.New("this connection has no halves")
	}
	return half.CloseWrite()
}

func (c *client) reset() error {
	conn := c.Conn
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn() // which says nothing of an end then
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return err
		}
	}
	return conn.Close()
}
