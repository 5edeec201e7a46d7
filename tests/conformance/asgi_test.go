package conformance

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gobridge/tests/certs"
	"gobridge/tests/server"
)

// asgi is what the checks of ASGI ask: servers of apps/asgi_checks.py on one interpreter in
// one host. Most ask one alone, which has one worker.
type asgi struct {
	python, host string
	loops        string         // --threads of one: where there is no GIL, it has several event loops
	encrypted    bool           // one and two speak HTTPS
	all          bool           // ask also for what the interpreter makes no difference to, but for its being there
	one          *server.Server // a worker; also on the socket
	two          *server.Server // two workers of the ASGI 2 form, mounted at /shop
	socket       string         // path
	meeting      string         // folder in which the workers of two note their starts
}

// asgiChecks are the lines of the table that are not about WebSocket.
var asgiChecks = []check[*asgi]{
	{"scope header names lower-cased bytes; order and duplicates kept", scopeNames},
	{"scope header values are bytes without white space around them", scopeValues},
	{"raw_path as sent, path percent-decoded UTF-8, what is none becomes U+FFFD", scopePaths},
	{"query_string bytes, undecoded, b\"\" when absent", scopeQuery},
	{"root_path from the option; path includes it", scopeRoot},
	{"client is (host, port) or None", scopeClient},
	{"server is (host, port) or (path, None)", scopeServer},
	{"scheme changed only by trusted proxies", scopeScheme},
	{"http_version exactly 1.0 or 1.1", scopeVersion},
	{"method upper-case; unknown methods passed on", scopeMethod},
	{"asgi is {version, spec_version}", scopeASGI},
	{"scope, asgi, extensions fresh for each request; state a shallow copy", scopeIsFresh},
	{"extensions listed only if usable", scopeExtensions},
	{"request body without its chunks", bodyIsDechunked},
	{"more_body False exactly once; an empty body is one event", bodyEndsOnce},
	{"100-continue sent on the first receive only", continueOnReceive},
	{"receive after the body blocks until the client leaves: http.disconnect within 100 ms, repeated", disconnectIsTold},
	{"http.disconnect also when the response is complete, repeated", disconnectAfterResponse},
	{"client gone in mid-response: send raises OSError, nothing is logged", sendRaisesOSError},
	{"the application is not cancelled when its client leaves", leavingCancelsNothing},
	{"response.start does not flush; exception before the first body: 500, after: cut", startStaysOpen},
	{"headers optional in response.start", headersAreOptional},
	{"header names in any case; CR, LF, NUL refused, never on the wire", asgiHeadersAreChecked},
	{"the application's transfer-encoding ignored; framing by version", framingIsOurs},
	{"body and more_body default; send returns when the bytes are taken (back-pressure)", piecesFlow},
	{"fewer or more bytes than Content-Length: an error, and the connection is closed", asgiLengthIsKept},
	{"HEAD, 204, 304 without body; Content-Length of HEAD kept", asgiNoBody},
	{"second start, body before start, unknown and wrong types raise from send; unknown keys ignored", wrongMessagesRaise},
	{"messages after the end raise; return without a response: 500", endIsTheEnd},
	{"trailers behind chunked bodies for clients with TE: trailers, borne for the others", trailersAreSent},
	{"lifespan raises: served without (auto), exit 3 (on); startup.failed: message and exit 3", lifespanFails},
	{"requests begin only after startup.complete", startupComesFirst},
	{"shutdown after the last request; state still there", shutdownComesLast},
	{"one lifespan for each worker; ASGI 2 double callables", lifespanPerWorker},
	{"pathsend: an absolute path, once, and nothing else of the body", pathIsSent},
	{"zerocopysend: parts of files among pieces of the body; the descriptor is the application's", filesAreMixed},
	{"early_hint: its links leave before the head", hintsLeave},
}

// asgiMore are what the specification leaves open and applications rely on.
var asgiMore = []check[*asgi]{
	{"contextvars are the request's own, in a task that shows the application's coroutine", contextIsOwn},
	{"one task receives while another sends; several send at once, in order", tasksShareARequest},
	{"receive can be a task, be waited for with a limit, and be cancelled", receiveIsACoroutine},
	{"what is sent and not awaited goes out all the same", unawaitedIsSent},
	{"SystemExit, KeyboardInterrupt and cancellation: 500, and the worker goes on", endingsAreBorne},
	{"nothing is left of requests that are over", nothingIsLeft},
	{"what is logged of a request has its id", linesHaveIDs},
	{"exception handlers, cancelled tasks, time limits, anyio's groups; asyncio's debug mode", tasksAsPeopleDo},
	{"background tasks and the application's end come behind the response", backgroundGoesOn},
	{"a stream that watches for its client's leaving ends by cancellation", streamIsCancelled},
	{"what has no end is cut before the graceful timeout, and the shutdown still comes", endlessEnds},
	{"--interface: told by how the application is called, in all forms of one; --loop", interfacesAreTold},
	{"a loop that the import has made serves, with what was begun in it; not behind a fork", importsMakeLoops},
	{"the first step of a request comes at once from Python 3.12 on", stepIsEager},
	{"an upload that is not buffered comes piece by piece, and no further than it is taken; who leaves amid it is told", uploadsFlow},
	{"--limit-concurrency, --ws-max-size, --ws-max-queue, --ws-per-message-deflate, --ws-ping-interval, --ws-ping-timeout, --pathsend", optionsHold},
	{"a loop that the application stops finishes what it runs; one that fails ends its worker; both are told", stoppedLoops},
}

// TestASGI asks for the ASGI half of the table on every interpreter in each of its hosts.
func TestASGI(t *testing.T) {
	everywhere(t, func(t *testing.T, i interpreter) { askASGI(t, i, false) })
}

// TestASGIByTLS asks for the same by HTTPS, on one interpreter.
func TestASGIByTLS(t *testing.T) {
	t.Parallel()
	askASGI(t, lastInterpreter(t), true)
}

func askASGI(t *testing.T, i interpreter, encrypted bool) {
	t.Helper()
	where := i.String()
	if encrypted {
		where += " by TLS"
	}
	a := startASGI(t, &i, encrypted)
	runTable(t, "ASGI", where, asgiChecks, a)
	runTable(t, "ASGI-WebSocket", where, asgiSockets, a)
	runTable(t, "ASGI+", where, asgiMore, a)
	if err := a.one.AtRest(); err != nil {
		t.Error(err)
	}
}

func startASGI(t *testing.T, i *interpreter, encrypted bool) *asgi {
	t.Helper()
	dir := t.TempDir()
	a := &asgi{python: i.path, host: i.host, loops: "1", all: i.last, encrypted: encrypted, socket: filepath.Join(dir, "s"), meeting: dir}
	if i.noGIL {
		a.loops = "2"
	}
	c := server.Config{Application: "asgi_checks:application", Dir: "apps"}
	common := []string{"--python", a.python, "--host", a.host}
	if encrypted {
		common = append(common, encrypt(t, &c)...)
	}
	c.Args = append(slices.Clip(common), "--workers", "1", "--threads", a.loops, "--bind", "unix:"+a.socket, "--forwarded-allow-ips", "127.0.0.1")
	a.one = server.UntilEnd(t, c)
	c.Application, c.Env = "asgi_checks:double", []string{"MEETING=" + dir, "PYTHONASYNCIODEBUG=1"}
	// The plain loop of asyncio here, and uvloop above if the interpreter has it.
	c.Args = append(slices.Clip(common), "--workers", "2", "--root-path", "/shop", "--loop", "asyncio", "--forwarded-allow-ips", "192.0.2.1", "--request-id-header", "X-Request-ID")
	a.two = server.UntilEnd(t, c)
	return a
}

// encrypt has a server speak HTTPS by its first address; it returns the arguments for that.
func encrypt(t *testing.T, c *server.Config) []string {
	t.Helper()
	authority, err := certs.New("a test")
	path := filepath.Join(t.TempDir(), "server")
	if err == nil {
		err = authority.Write(path, pkix.Name{CommonName: "localhost"}, "localhost")
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Bind, c.TLS = "https:127.0.0.1:0", &tls.Config{RootCAs: authority.Pool(), ServerName: "localhost"}
	return []string{"--certfile", path + ".pem", "--keyfile", path + ".key"}
}

func (a *asgi) ask(t *testing.T, method, target, text string, more ...string) *answer {
	t.Helper()
	return askServer(t, a.one, method, target, text, more...)
}

// get asks for a page and wants 200.
func (a *asgi) get(t *testing.T, target string, more ...string) *answer {
	t.Helper()
	got := a.ask(t, "GET", target, "", more...)
	if got.status != 200 || got.cut != nil {
		t.Fatalf("GET %s: %v", target, got)
	}
	return got
}

func (a *asgi) notes(t *testing.T, query string) string {
	t.Helper()
	return a.get(t, "/notes?"+query).body
}

// awaitNotes waits until a page has noted exactly these lines.
func (a *asgi) awaitNotes(t *testing.T, query string, noted ...string) {
	t.Helper()
	want, got := strings.Join(noted, "\n")+"\n", ""
	if err := server.Await(func() bool { got = a.notes(t, query); return len(got) >= len(want) }); err != nil || got != want {
		t.Errorf("%s has noted %q, want %q", query, got, want)
	}
}

func (a *asgi) open(t *testing.T, gate string) {
	t.Helper()
	a.get(t, "/open?"+gate)
}

func (a *asgi) logged(t *testing.T, pattern string) {
	t.Helper()
	if _, err := a.one.AwaitLog(pattern); err != nil {
		t.Error(err)
	}
}

// value is one of a scope, with its type: of bytes and str the text, of tuples, lists and
// dicts more of them.
type value struct {
	kind string
	is   any
}

func (v *value) UnmarshalJSON(b []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil || len(raw) != 2 {
		return fmt.Errorf("%s is no pair: %w", b, err)
	}
	if err := json.Unmarshal(raw[0], &v.kind); err != nil {
		return err
	}
	switch v.kind {
	case "list", "tuple":
		var all []value
		err := json.Unmarshal(raw[1], &all)
		v.is = all
		return err
	case "dict":
		var all map[string]value
		err := json.Unmarshal(raw[1], &all)
		v.is = all
		return err
	}
	return json.Unmarshal(raw[1], &v.is)
}

// String writes it as Python would, except that keys are in order.
func (v value) String() string {
	switch is := v.is.(type) {
	case []value:
		var all []string
		for _, one := range is {
			all = append(all, one.String())
		}
		if v.kind == "tuple" {
			return "(" + strings.Join(all, ", ") + ")"
		}
		return "[" + strings.Join(all, ", ") + "]"
	case map[string]value:
		return fmt.Sprint(is)
	case string:
		if v.kind == "bytes" {
			return fmt.Sprintf("b'%s'", is)
		}
		return "'" + is + "'"
	}
	return fmt.Sprint(v.is)
}

// scope is what the page tells of its scope.
func (a *answer) scope(t *testing.T) map[string]value {
	t.Helper()
	var v value
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v: %v", a, err)
	}
	return v.is.(map[string]value)
}

// wantScope compares members of a scope with what Python would write of them.
func wantScope(t *testing.T, got map[string]value, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if v, ok := got[name]; !ok || v.String() != text {
			t.Errorf("%s is %v, want %s", name, v, text)
		}
	}
}

// starts are the pids that lifespan has noted.
func (a *asgi) starts(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(a.meeting, "starts"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}
