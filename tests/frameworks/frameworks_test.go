package frameworks

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// framework is one that is tested.
type framework struct {
	name        string // as docs/frameworks.md has it
	requirement string // as tests/requirements-frameworks.txt has it
	module      string // in apps
	prepared    bool   // whether its module has a prepare_ beside it
	handsOver   bool   // whether it returns files in wsgi.file_wrapper, or sends them by path
	greets      string // by default a name that is not ASCII
	wantsLength bool   // whether it cannot take an upload whose length is not said
	takesBytes  bool   // whether its WebSocket takes text and bytes alike
	before      int    // the minor version of Python from which on it cannot be imported, or 0
	visit       func(*visitor, *framework, []byte)
}

var frameworks = []framework{
	{name: "bobo", requirement: "bobo", module: "on_bobo", handsOver: true},
	{name: "Bottle", requirement: "bottle", module: "on_bottle", handsOver: true},
	{name: "CherryPy", requirement: "CherryPy", module: "on_cherrypy"},
	{name: "Django", requirement: "Django", module: "on_django", handsOver: true},
	{name: "Falcon", requirement: "falcon", module: "on_falcon", handsOver: true},
	{name: "Flask", requirement: "Flask", module: "on_flask", handsOver: true},
	{name: "prestans", requirement: "prestans", module: "on_prestans", greets: "Grace"},
	{name: "py4web", requirement: "py4web", module: "on_py4web", prepared: true, handsOver: true},
	{name: "Pyramid", requirement: "pyramid", module: "on_pyramid", handsOver: true},
	{name: "Trac", requirement: "Trac", module: "on_trac", prepared: true, handsOver: true, visit: visitTrac},
	{name: "TurboGears", requirement: "TurboGears2", module: "on_turbogears"},
	{name: "Uliweb", requirement: "Uliweb3", module: "on_uliweb", handsOver: true, before: 13},
	{name: "web.py", requirement: "web.py", module: "on_webpy"},
	{name: "webapp2", requirement: "webapp2", module: "on_webapp2", handsOver: true},
	{name: "Werkzeug", requirement: "Werkzeug", module: "on_werkzeug", handsOver: true},
}

// contentSize is that of the file that goes up and comes down: more than a pipe holds.
const contentSize = 1<<20 + 17

func TestFrameworks(t *testing.T) {
	pinned := versions(t, "requirements-frameworks.txt")
	content := someBytes(contentSize)
	python := ofFrameworks.minor(t)
	for _, f := range frameworks {
		if f.before > 0 && python >= f.before {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.mustBeTold(t, pinned)
			visit := f.visit
			if visit == nil {
				visit = visitPages
			}
			visit(f.serve(t, ofFrameworks, content), &f, content)
		})
	}
}

// mustBeTold wants the documentation to have its row.
func (f *framework) mustBeTold(t *testing.T, pinned map[string]string) {
	t.Helper()
	handsOver := "no"
	if f.handsOver {
		handsOver = "yes"
	}
	mustBeTold(t, f.name, pinned[f.requirement], handsOver)
}

// serve serves a module of apps, with what it finds in its variables.
func (f *framework) serve(t *testing.T, in environment, content []byte) *visitor {
	t.Helper()
	scratch, apps := t.TempDir(), root(t, "tests", "frameworks", "apps")
	path := filepath.Join(scratch, "public", "file")
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, content, 0o600))
	variables := []string{"SCRATCH=" + scratch, "CONTENT=" + path}
	if f.prepared {
		script := "prepare" + strings.TrimPrefix(f.module, "on") + ".py"
		in.run(t, apps, append(variables, "PYTHONDONTWRITEBYTECODE=1"), "python", script)
	}
	return in.serve(t, server.Config{Application: f.module + ":application", Dir: apps, Env: variables})
}

// visitPages visits what apps/contract.py describes.
func visitPages(v *visitor, f *framework, content []byte) {
	name := f.greets
	if name == "" {
		name = "Grüße aus Köln"
	}
	hello, query := "Hello, "+name+"!", "/?"+url.Values{"name": {name}}.Encode()
	v.see(query, hello)
	v.mustShow(v.post("/form", url.Values{"name": {name}}), hello)

	told := fmt.Sprintf("random.bin %d %x", len(content), sha256.Sum256(content))
	upload := file{"file", "random.bin", "application/octet-stream", content}
	v.mustShow(v.post("/upload", nil, upload), told)
	for _, waits := range []bool{false, true} {
		if p := v.postChunked("/upload", waits, nil, upload); !f.wantsLength {
			v.mustShow(p, told)
		} else if p.status == http.StatusOK {
			v.Error("an upload without a length is taken now, which docs/frameworks.md denies")
		}
	}

	mustBeSame(v, "GET /file", []byte(v.see("/file").body), content)
	if p := v.get("/nowhere"); p.status != http.StatusNotFound {
		v.Errorf("a page that is not there: status %d", p.status)
	}
	mustFail(v, "/error")
	f.mustHandOver(v, "/file")
	v.see(query, hello)
}

// mustHandOver wants a file that was got to be handed over to the server, or not, as the
// list says. It comes after mustFail, which has waited for what stands later in the log.
func (f *framework) mustHandOver(v *visitor, path string) {
	v.Helper()
	if over := strings.Contains(v.server.Log(), "handed over: "+path); over != f.handsOver {
		v.Errorf("GET %s: handed over to the server: %v, want %v", path, over, f.handsOver)
	}
}

// mustFail wants a page to fail, and its traceback to be in the log.
func mustFail(v *visitor, path string) {
	v.Helper()
	if p := v.get(path); p.status != http.StatusInternalServerError {
		v.Fatalf("a page that fails: status %d\n%s", p.status, p.body)
	}
	if _, err := v.server.AwaitLog(`(?s)Traceback \(most recent call last\).*line \d+, in fail\b.*RuntimeError: a page that fails`); err != nil {
		v.Error(err)
	}
}
