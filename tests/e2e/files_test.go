package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

// startFiles serves apps/files.py, which sends a file of uploadSize bytes, with one worker
// of one thread: whoever is answered while another's file is under way is answered by a
// worker that does not send it.
func startFiles(t *testing.T, args ...string) (s *server.Server, noted string, content []byte) {
	t.Helper()
	content, err := io.ReadAll(randomBytes(uploadSize))
	must(t, err)
	path := filepath.Join(t.TempDir(), "content")
	must(t, os.WriteFile(path, content, 0o600))
	noted, variable := notes(t)
	args = append(args, "--workers", "1", "--threads", "1")
	return start(t, server.Config{Application: "files:application", Args: args, Env: []string{variable, "CONTENT=" + path}}), noted, content
}

// TestFiles has files sent whole and in part, and asks for their heads.
func TestFiles(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		s, _, content := startFiles(t, "--python", p.path, "--host", host, "--reactors", reactorsFor(host))
		client := s.Client()
		defer client.CloseIdleConnections()
		ask := func(method, path string, header ...string) *http.Response {
			t.Helper()
			request, err := http.NewRequest(method, s.URL(path), nil)
			must(t, err)
			for i := 0; i < len(header); i += 2 {
				request.Header.Set(header[i], header[i+1])
			}
			response, err := client.Do(request)
			must(t, err)
			t.Cleanup(func() { response.Body.Close() })
			return response
		}
		want := func(response *http.Response, status int, body []byte) {
			t.Helper()
			if response.StatusCode != status || response.ContentLength != int64(len(body)) {
				t.Errorf("%s: status %d with a length of %d, want %d with %d", response.Request.URL, response.StatusCode, response.ContentLength, status, len(body))
			}
			if response.Request.Method == http.MethodHead {
				body = nil
			}
			if err := sameBytes(response.Body, bytes.NewReader(body)); err != nil {
				t.Errorf("%s: %v", response.Request.URL, err)
			}
		}
		for _, path := range []string{"/whole", "/unlinked", "/flask", "/django"} {
			want(ask("GET", path), http.StatusOK, content)
			want(ask("HEAD", path), http.StatusOK, content)
		}
		want(ask("GET", "/part"), http.StatusPartialContent, content[1000:20001000])
		want(ask("HEAD", "/part"), http.StatusPartialContent, content[1000:20001000])
		whole := ask("HEAD", "/flask")
		if tag := whole.Header.Get("ETag"); tag == "" {
			t.Error("Flask's answer has no ETag")
		} else if r := ask("GET", "/flask", "If-None-Match", tag); r.StatusCode != http.StatusNotModified {
			t.Errorf("a file that is known already: %s", r.Status)
		}
		want(ask("GET", "/flask", "Range", "bytes=5000000-39999999"), http.StatusPartialContent, content[5000000:40000000])
		if r := ask("GET", "/flask", "Range", "bytes=900000000-"); r.StatusCode != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("a range behind the end: %s", r.Status)
		}
		must(t, s.AtRest())
	})
}

// begin asks for a file on a connection of its own and reads the head of the answer.
func (c *connection) begin(t *testing.T, path string) *http.Response {
	t.Helper()
	c.send(t, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	response, err := http.ReadResponse(c.in, nil)
	must(t, err)
	if response.StatusCode != http.StatusOK || response.ContentLength != uploadSize {
		t.Fatalf("GET %s: %s with a length of %d", path, response.Status, response.ContentLength)
	}
	return response
}

// openFiles counts the front's descriptors of the file and of deleted ones.
func openFiles(t *testing.T, s *server.Server) (n int) {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.Pid()))
	must(t, err)
	for _, link := range links {
		to, err := os.Readlink(link)
		if err == nil && (strings.HasSuffix(to, "/content") || strings.HasPrefix(to, "/") && strings.HasSuffix(to, "(deleted)") && !strings.HasPrefix(to, "/memfd:")) {
			n++
		}
	}
	return n
}

// TestFileLeavesItsWorkerFree: clients that take their time hold no worker, and what they
// leave behind when they go is given back.
func TestFileLeavesItsWorkerFree(t *testing.T) {
	withReactors(t, func(t *testing.T, args []string) {
		s, _, _ := startFiles(t, args...)
		var clients []*connection
		for i := range 12 {
			c := connect(t, s)
			response := c.begin(t, []string{"/whole", "/unlinked", "/flask", "/django"}[i%4])
			if _, err := io.CopyN(io.Discard, response.Body, int64(i)<<16); err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
		}
		mustGet(t, s, "/pid")
		if n := openFiles(t, s); n != len(clients) {
			t.Errorf("%d files are open for %d clients", n, len(clients))
		}
		for _, c := range clients {
			c.Close()
		}
		must(t, s.AtRest())
		if err := server.Await(func() bool { return openFiles(t, s) == 0 }); err != nil {
			t.Errorf("%d files are open, and nobody wants them", openFiles(t, s))
		}
	})
}

// TestWorkerIsKilledAmidFile: a file whose worker was done with its request is sent whole,
// another one is visibly cut.
func TestWorkerIsKilledAmidFile(t *testing.T) {
	withReactors(t, func(t *testing.T, args []string) {
		s, noted, content := startFiles(t, args...)
		c := connect(t, s)
		response := c.begin(t, "/whole")
		pid, err := strconv.Atoi(mustGet(t, s, "/pid").body) // so it is done with the file
		must(t, err)
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		awaitWorkers(t, s, 1, pid)
		must(t, sameBytes(response.Body, bytes.NewReader(content)))

		response = connect(t, s).begin(t, "/slow")
		pid, err = strconv.Atoi(awaitNote(t, noted, "closing"))
		must(t, err)
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		if _, err := s.AwaitLog(fmt.Sprintf(`worker %d was killed by SIGKILL.*GET /slow`, pid)); err != nil {
			t.Error(err)
		}
		if n, err := io.Copy(io.Discard, response.Body); err == nil || n >= uploadSize {
			t.Errorf("the client sees %d bytes, and not that they are cut", n)
		}
		awaitWorkers(t, s, 1, pid)
		mustGet(t, s, "/pid")
		must(t, s.AtRest())
		if err := server.Await(func() bool { return openFiles(t, s) == 0 }); err != nil {
			t.Error("a file is still open")
		}
	})
}

// TestFileThatShrinks: a client sees that there is less than was announced, and the log
// says it once.
func TestFileThatShrinks(t *testing.T) {
	s, noted, _ := startFiles(t)
	response := connect(t, s).begin(t, "/shrinking")
	awaitNote(t, noted, "shrunk")
	if n, err := io.Copy(io.Discard, response.Body); err == nil {
		t.Errorf("the client sees %d bytes, and not that they are cut", n)
	}
	if _, err := s.AwaitLog("a file that is being sent has become shorter"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(s.Log(), "has become shorter"); n != 1 {
		t.Errorf("the log says it %d times", n)
	}
	must(t, s.AtRest())
}
