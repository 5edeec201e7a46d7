package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gobridge/tests/server"
)

// root is the repository's folder.
func root(t *testing.T, below ...string) string {
	t.Helper()
	dir, err := server.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{dir}, below...)...)
}

// anyPython names the environment that .tools/pythons lists last, which is Debian's own
// interpreter where there is one: for tests in which the interpreter does not matter.
func anyPython(t *testing.T) string {
	all := pythons(t)
	return all[len(all)-1].path
}

// start runs a server until the end of the test, which it must reach and end well.
func start(t *testing.T, c server.Config) *server.Server {
	t.Helper()
	if c.Dir == "" {
		c.Dir = root(t, "tests", "e2e", "apps")
	}
	if !strings.Contains(strings.Join(c.Args, " "), "--python") {
		c.Args = append(c.Args, "--python", anyPython(t))
	}
	c.MayEnd = true
	return server.UntilEnd(t, c)
}

// withReactors runs f with one reactor and with three.
func withReactors(t *testing.T, f func(t *testing.T, args []string)) {
	for _, n := range []string{"1", "3"} {
		t.Run(n+" reactors", func(t *testing.T) {
			t.Parallel()
			f(t, []string{"--reactors", n})
		})
	}
}

// notes is a file in which an application notes what it does, and how to name it to it.
func notes(t *testing.T) (path, variable string) {
	path = filepath.Join(t.TempDir(), "notes")
	return path, "NOTES=" + path
}

// awaitNote waits until a line of the file begins with a word, and returns what follows.
func awaitNote(t *testing.T, path, word string) string {
	t.Helper()
	var rest string
	found := func() bool {
		text, _ := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			after, ok := strings.CutPrefix(line, word+" ")
			if ok && strings.HasSuffix(after, "\n") {
				rest = strings.TrimSpace(after)
				return true
			}
		}
		return false
	}
	if err := server.Await(found); err != nil {
		t.Fatalf("the application never noted %q", word)
	}
	return rest
}

// answer is a response, read as a whole.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of reading it: the answer is cut, or there is none
}

func read(response *http.Response, err error) answer {
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body), err}
}

// get asks for a path on a connection of its own.
func get(s *server.Server, path string) answer {
	client := s.Client()
	defer client.CloseIdleConnections()
	return read(client.Get(s.URL(path)))
}

func mustGet(t *testing.T, s *server.Server, path string) answer {
	t.Helper()
	a := get(s, path)
	if a.err != nil || a.status != http.StatusOK {
		t.Fatalf("GET %s: %d %v\n%s", path, a.status, a.err, a.body)
	}
	return a
}

// connection is one to which bytes are written as they are.
type connection struct {
	net.Conn
	in *bufio.Reader
}

func connect(t *testing.T, s *server.Server) *connection {
	t.Helper()
	conn, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(server.Patience)); err != nil {
		t.Fatal(err)
	}
	return &connection{conn, bufio.NewReader(conn)}
}

func (c *connection) send(t *testing.T, format string, a ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(c, format, a...); err != nil {
		t.Fatal(err)
	}
}

// receive reads the answer to a request with the given method.
func (c *connection) receive(method string) answer {
	return read(http.ReadResponse(c.in, &http.Request{Method: method}))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, text, 0o644))
}

// linkVenv makes the environment of an interpreter appear elsewhere too.
func linkVenv(t *testing.T, python, to string) {
	t.Helper()
	must(t, os.Symlink(filepath.Dir(filepath.Dir(python)), to))
}
