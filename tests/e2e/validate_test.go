package e2e

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// examples are all of the folder examples, and what a person does with each.
var examples = map[string]struct {
	application string
	visit       func(b *browser)
}{
	"hello": {"app:application", func(b *browser) {
		b.see("/", strings.TrimSpace(greeting))
		b.see("/environ", "wsgi.version = (1, 0)")
	}},
	"flask": {"app:app", func(b *browser) {
		b.see("/", "Hello!")
		b.post("/name", url.Values{"name": {"Grüße"}})
		b.see("/", "Grüße")
		uploadToFlask(b, false)
		uploadToFlask(b, true)
		b.see("/count/1000", "999")
		b.see("/info")
		b.post("/count/3", nil)
	}},
	"django": {"mysite.wsgi:application", func(b *browser) {
		logIn(b)
		addAndChange(b, "validated")
		uploadAndDownload(b, "file", 1<<20)
		b.see("/static/admin/css/base.css")
		b.see("/count/1000/", "999")
		b.get("/nowhere/")
	}},
}

// otherExamples are no WSGI applications, so that the validator knows nothing of them:
// tests/frameworks visits those of ASGI, nginx's tests use what is nginx's, and tests/container builds
// and runs what is docker's.
var otherExamples = []string{"channels", "chat", "docker", "fastapi", "nginx"}

// TestExamplesAreValid has wsgiref.validate between the server and each example, on one
// interpreter: on all of them it watches an application of its own (tests/conformance).
func TestExamplesAreValid(t *testing.T) {
	folders, err := filepath.Glob(root(t, "examples", "*"))
	must(t, err)
	for _, folder := range folders {
		name := filepath.Base(folder)
		if slices.Contains(otherExamples, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			example, ok := examples[name]
			if !ok {
				t.Fatal("nobody visits this example")
			}
			visitValidated(t, anyPython(t), folder, example.application, example.visit)
		})
	}
}

func visitValidated(t *testing.T, python, folder, application string, visit func(b *browser)) {
	env := []string{"VALIDATED=" + application, "PYTHONPATH=" + root(t, "tests", "e2e", "apps")}
	if strings.HasSuffix(folder, "django") {
		env = append(env, "DATA_DIR="+djangoData(t, python))
	}
	s := start(t, server.Config{Application: "validating:application", Dir: folder, Env: env, Args: []string{"--python", python, "--workers", "1"}})
	visit(newBrowser(t, s.Client(), s.URL("")))
	must(t, s.Stop())
	for _, complaint := range []string{"Traceback", "AssertionError", "WSGIWarning", "without being closed"} {
		if strings.Contains(s.Log(), complaint) {
			t.Fatalf("there is a complaint:\n%s", s.Log())
		}
	}
}
