package frameworks

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"gobridge/tests/server"
)

var asgiFrameworks = []framework{
	{name: "BlackSheep", requirement: "blacksheep", module: "on_blacksheep"},
	{name: "Django, ASGI", requirement: "Django", module: "on_django_asgi", wantsLength: true},
	{name: "Falcon, ASGI", requirement: "falcon", module: "on_falcon_asgi"},
	{name: "FastAPI", requirement: "fastapi", module: "on_fastapi", handsOver: true},
	{name: "Litestar", requirement: "litestar", module: "on_litestar"},
	{name: "Quart", requirement: "Quart", module: "on_quart", takesBytes: true},
	{name: "Sanic", requirement: "sanic", module: "on_sanic", takesBytes: true},
	{name: "Starlette", requirement: "starlette", module: "on_starlette", handsOver: true},
}

func TestASGIFrameworks(t *testing.T) {
	pinned := versions(t, "requirements-asgi.txt")
	content := someBytes(contentSize)
	for _, f := range asgiFrameworks {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.mustBeTold(t, pinned)
			v := f.serve(t, ofASGI, content)
			visitStreams(v)
			visitPages(v, &f, content)
			if f.name != "Django, ASGI" { // which has Channels for that: examples/channels
				arguments := []string{"ws://" + v.server.Address()}
				if f.takesBytes {
					arguments = append(arguments, "binary")
				}
				visitWith(v, "visit_echo.py", arguments...)
			}
		})
	}
}

// visitStreams visits what apps/contract.py describes of ASGI.
func visitStreams(v *visitor) {
	var lines strings.Builder
	for i := range 20000 {
		fmt.Fprintln(&lines, i)
	}
	mustBeSame(v, "GET /stream", []byte(v.see("/stream?lines=20000").body), []byte(lines.String()))
	if p := v.see("/later?what=was-written"); p.body != "soon" {
		v.Errorf("GET /later: %q", p.body)
	}
	if _, err := v.server.AwaitLog(`later: was-written\n`); err != nil {
		v.Error(err)
	}
}

// sentry takes what is sent to it, as Sentry's server does.
type sentry struct {
	*httptest.Server
	mu     sync.Mutex
	events strings.Builder
}

func newSentry(t *testing.T) *sentry {
	t.Helper()
	s := new(sentry)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unpacked
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events.Write(text)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sentry) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events.String()
}

// TestMonitored has Sentry and OpenTelemetry watch a FastAPI application: each failure is told
// with its own request, and each request has its span, under that of its client.
func TestMonitored(t *testing.T) {
	t.Parallel()
	told := newSentry(t)
	v := ofASGI.serve(t, server.Config{
		Application: "on_monitored:application", Dir: root(t, "tests", "frameworks", "apps"),
		Env: []string{"CONTENT=", "SENTRY_DSN=http://key@" + told.Listener.Addr().String() + "/1"},
	})
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736" // as in the W3C's Trace Context, 3.2
	request, err := http.NewRequest("GET", v.server.URL("/?name=Ada"), nil)
	must(t, err)
	request.Header.Set("traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
	response, err := v.client.Do(request)
	must(t, err)
	text, err := io.ReadAll(response.Body)
	must(t, err)
	must(t, response.Body.Close())
	if string(text) != `"Hello, Ada!"` {
		t.Errorf("%s: %s", response.Status, text)
	}
	for _, span := range []string{`inner INTERNAL ` + trace, `GET / SERVER ` + trace + ` .*'http\.(response\.)?status_code': 200`} {
		if _, err := v.server.AwaitLog(`span: ` + span); err != nil {
			t.Error(err)
		}
	}
	mustFail(v, "/error?who=Zoe")
	if err := server.Await(func() bool { return strings.Contains(told.text(), "a page that fails") }); err != nil {
		t.Fatalf("Sentry was not told: %v\n%s", err, v.server.Log())
	}
	for _, part := range []string{`"RuntimeError"`, `who=Zoe`, `/error`} {
		if !strings.Contains(told.text(), part) {
			t.Errorf("Sentry was not told %s:\n%s", part, told.text())
		}
	}
	if strings.Contains(told.text(), "Ada") {
		t.Error("Sentry was told of another request's tag")
	}
}
