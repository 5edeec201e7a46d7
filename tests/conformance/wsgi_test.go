package conformance

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"gobridge/tests/server"
)

// wsgi is what the checks of WSGI ask: two servers of apps/checks.py on one interpreter in
// one host. Most ask threads alone, whose one worker has two threads.
type wsgi struct {
	threads   *server.Server // a worker of two threads; also on the socket
	processes *server.Server // two workers of one thread, mounted at /shop
	socket    string         // path
}

var wsgiChecks = []check[*wsgi]{
	{"environ is exactly builtin dict, fresh per request", environIsFresh},
	{"all CGI values native str, latin-1 decoded, header bytes kept", valuesAreLatin1},
	{"REQUEST_METHOD, SCRIPT_NAME, PATH_INFO, QUERY_STRING, SERVER_NAME, SERVER_PORT, SERVER_PROTOCOL present", variablesArePresent},
	{"SCRIPT_NAME + PATH_INFO: cut at a slash only, percent-decoded once, // kept", pathIsSplit},
	{"CONTENT_TYPE, CONTENT_LENGTH; duplicates joined; underscore and Proxy headers dropped", headersAreVariables},
	{"HTTPS=on and wsgi.url_scheme", schemeIsTold},
	{"wsgi.version (1, 0); multithread, multiprocess, run_once truthful", flagsAreTruthful},
	{"no process environment in environ", processIsPrivate},
	{"start_response returns write(); what is written precedes the iterable", writePrecedes},
	{"start_response twice: AssertionError; with exc_info replaced before the head is sent, raised again after", startTwice},
	{"start_response called lazily, by a generator's first next()", startLazily},
	{"no start_response at all: 500", startNever},
	{"headers not sent until the first non-empty piece", headStaysOpen},
	{"status NNN reason; a bad one or 1xx refused", statusIsChecked},
	{"headers a list of 2-tuples of str; CR and LF refused; hop-by-hop dropped", headersAreChecked},
	{"Set-Cookie duplicates and the order of headers kept", cookiesAreKept},
	{"close() called exactly once: normal end, exception, client gone, HEAD", closeIsCalledOnce},
	{"each piece is sent before the next is asked for", piecesAreSentAtOnce},
	{"list or tuple of one piece: the server adds Content-Length", lengthIsAdded},
	{"over-long body truncated, short body closes the connection, both logged", lengthIsKept},
	{"HEAD, 204, 304 without body", noBodyWhereNone},
	{"HTTP/1.0: no chunks, close; keep-alive honoured with Content-Length", oldClients},
	{"wsgi.input: read(), read(n), readline, readlines(hint), iteration, mixed, all stop at the body's end", inputIsRead},
	{"chunked input delivered; wsgi.input_terminated", chunkedInputIsRead},
	{"Expect: 100-continue answered when the body is read", continueIsSent},
	{"unread body drained up to a bound, or the connection closed", unreadIsDrained},
	{"wsgi.errors: write, flush, writelines to the log", errorsAreLogged},
	{"wsgi.file_wrapper: position, Content-Length, range, anything with read(), close() called", filesAreSent},
	{"exception before the head: 500 and a traceback; after: cut; SystemExit and the like; None and str items", faultsAreAnswered},
	{"client gone while the application computes: it finishes, nothing is left", leavingIsBorne},
}

// TestWSGI asks for the WSGI half of the table on every interpreter in each of its hosts,
// and for what PEP 3333 says beside it.
func TestWSGI(t *testing.T) {
	everywhere(t, func(t *testing.T, i interpreter) {
		w := startWSGI(t, i.path, i.host)
		runTable(t, "WSGI", i.String(), wsgiChecks, w)
		runTable(t, "PEP3333", i.String(), pepChecks, w)
		if err := w.threads.AtRest(); err != nil {
			t.Error(err)
		}
	})
}

func startWSGI(t *testing.T, python, host string) *wsgi {
	t.Helper()
	dir := t.TempDir()
	c := server.Config{
		Application: "checks:application", Dir: "apps", Env: []string{"MEETING=" + dir, "SECRET=of the process"},
	}
	w := &wsgi{socket: filepath.Join(dir, "s")}
	common := []string{"--python", python, "--host", host}
	c.Args = append(common[:4:4], "--workers", "1", "--threads", "2", "--bind", "unix:"+w.socket)
	w.threads = server.UntilEnd(t, c)
	c.Args = append(common[:4:4], "--workers", "2", "--threads", "1", "--root-path", "/shop", "--buffer-request", "off")
	w.processes = server.UntilEnd(t, c)
	return w
}

var names atomic.Int64

// unique is a name that no other check uses.
func unique() string { return fmt.Sprintf("n%d.", names.Add(1)) }

// ask sends a request on a connection of its own and reads the answer. more are header lines
// without their ends; the body of a POST is text.
func (w *wsgi) ask(t *testing.T, method, target, text string, more ...string) *answer {
	t.Helper()
	return askServer(t, w.threads, method, target, text, more...)
}

func askServer(t *testing.T, s *server.Server, method, target, text string, more ...string) *answer {
	t.Helper()
	c := dial(t, s)
	defer c.Close()
	if text != "" {
		more = append(more, fmt.Sprintf("Content-Length: %d", len(text)))
	}
	c.send(t, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n%s", method, target, lines(more), text)
	return c.receive(t, method)
}

func lines(headers []string) string {
	var all strings.Builder
	for _, h := range headers {
		all.WriteString(h + "\r\n")
	}
	return all.String()
}

// get asks for a page and wants 200.
func (w *wsgi) get(t *testing.T, target string, more ...string) *answer {
	t.Helper()
	a := w.ask(t, "GET", target, "", more...)
	if a.status != 200 || a.cut != nil {
		t.Fatalf("GET %s: %v", target, a)
	}
	return a
}

// notes are those of a page that was asked with the query.
func (w *wsgi) notes(t *testing.T, query string) string {
	t.Helper()
	return w.get(t, "/notes?"+query).body
}

// awaitNote waits until a page has noted the line.
func (w *wsgi) awaitNote(t *testing.T, query, line string) {
	t.Helper()
	if err := server.Await(func() bool { return strings.Contains(w.notes(t, query), line+"\n") }); err != nil {
		t.Fatalf("%q was never noted, but %q", line, w.notes(t, query))
	}
}

// open lets those go on who wait for the gate.
func (w *wsgi) open(t *testing.T, gate string) {
	t.Helper()
	w.get(t, "/open?"+gate)
}

// logged wants the pattern in the log.
func (w *wsgi) logged(t *testing.T, pattern string) {
	t.Helper()
	if _, err := w.threads.AwaitLog(pattern); err != nil {
		t.Error(err)
	}
}

// onSocket connects by the unix socket.
func (w *wsgi) onSocket(t *testing.T) *client {
	t.Helper()
	conn, err := net.Dial("unix", w.socket)
	return connected(t, conn, err)
}

// seen is what the page variables tells of environ.
type seen struct {
	Kind, Fresh bool
	Process     []string
	Names       []string
	Variables   map[string][2]string // type and value
}

func (a *answer) seen(t *testing.T) (s seen) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		t.Fatalf("%v: %v", a, err)
	}
	return s
}

// want compares variables of type str.
func (s *seen) want(t *testing.T, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got, ok := s.Variables[name]; !ok || got != [2]string{"str", value} {
			t.Errorf("%s is %q, want the str %q", name, got, value)
		}
	}
}

// lack wants variables not to be there.
func (s *seen) lack(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if got, ok := s.Variables[name]; ok {
			t.Errorf("there is %s: %q", name, got)
		}
	}
}
