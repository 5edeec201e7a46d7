package frameworks

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"gobridge/tests/nginx"
	"gobridge/tests/server"
)

const exampleKey = "only for trying the example"

// TestFastAPIExample uses examples/fastapi as its README says.
func TestFastAPIExample(t *testing.T) {
	t.Parallel()
	v := ofASGI.serve(t, server.Config{Application: "app:app", Dir: root(t, "examples", "fastapi"), Env: []string{"DATA_DIR=" + t.TempDir()}})
	v.see("/", "swagger-ui") // leads to /docs
	v.see("/openapi.json", `"/notes/{id}/file"`, `"title":"Notes"`)

	for key, status := range map[string]int{"": http.StatusUnprocessableEntity, "wrong": http.StatusForbidden} {
		if p := v.change("POST", "/notes", key, "application/json", []byte(`{"title":"x"}`)); p.status != status {
			t.Errorf("with the key %q: status %d, want %d\n%s", key, p.status, status, p.body)
		}
	}
	if p := v.change("POST", "/notes", exampleKey, "application/json", []byte(`{"title":""}`)); p.status != http.StatusUnprocessableEntity {
		t.Errorf("a note without a title: status %d", p.status)
	}
	p := v.change("POST", "/notes", exampleKey, "application/json", []byte(`{"title":"Käse","text":"& Brot"}`))
	var note struct {
		ID   int
		File string
	}
	must(t, json.Unmarshal([]byte(p.body), &note))
	if p.status != http.StatusCreated || note.ID != 1 {
		t.Fatalf("the first note: status %d\n%s", p.status, p.body)
	}
	v.see("/notes?q=Brot", "Käse")
	if p := v.see("/notes?q=nothing"); p.body != "[]" {
		t.Errorf("what is not there is found: %s", p.body)
	}

	content := someBytes(contentSize)
	kind, body := v.multipart(nil, []file{{"file", "Fähre.bin", "application/octet-stream", content}})
	v.mustShow(v.change("PUT", "/notes/1/file", exampleKey, kind, body.Bytes()), "Fähre.bin")
	mustBeSame(t, "GET /notes/1/file", []byte(v.see("/notes/1/file").body), content)

	if p := v.change("DELETE", "/notes/1", exampleKey, "", nil); p.status != http.StatusNoContent {
		t.Errorf("DELETE: status %d", p.status)
	}
	for _, path := range []string{"/notes/1", "/notes/1/file"} {
		if p := v.get(path); p.status != http.StatusNotFound {
			t.Errorf("%s after it was deleted: status %d", path, p.status)
		}
	}
	visitWith(v, "visit_fastapi.py", v.server.Address())
}

// change sends a request with a key, if it is not empty.
func (v *visitor) change(method, path, key, kind string, body []byte) page {
	v.Helper()
	request, err := http.NewRequest(method, v.server.URL(path), bytes.NewReader(body))
	must(v, err)
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	if key != "" {
		request.Header.Set("X-API-Key", key)
	}
	return v.send(request)
}

// visitWith runs a program of clients, mostly with where the server is, to its end, which must be a good one.
func visitWith(v *visitor, name string, arguments ...string) {
	v.Helper()
	ofASGI.run(v.T, root(v.T, "tests", "frameworks", "clients"), []string{keepsBytecode}, "python", append([]string{name}, arguments...)...)
}

// TestChatExample has people talk in examples/chat.
func TestChatExample(t *testing.T) {
	t.Parallel()
	v := ofASGI.serve(t, server.Config{Application: "app:app", Dir: root(t, "examples", "chat"), Args: []string{"--workers", "1"}})
	v.see("/", "<title>Chat on gobridge</title>")
	visitWith(v, "visit_chat.py", v.server.Address())
}

// TestChatBehindNginxExample does so behind nginx, with examples/nginx/websocket.conf as it is but
// for where things are.
func TestChatBehindNginxExample(t *testing.T) {
	t.Parallel()
	dir, account := nginx.Folder(t)
	app, site := filepath.Join(dir, "app"), filepath.Join(dir, "site")
	v := ofASGI.serve(t, server.Config{Application: "app:app", Dir: root(t, "examples", "chat"), Bind: "unix:" + app, Args: []string{"--workers", "1"}})
	nginx.Start(t, dir, account, nginx.Example(t, root(t, "examples", "nginx", "websocket.conf"), map[string]string{
		"unix:/tmp/gobridge-example/http.sock": "unix:" + app, "listen 127.0.0.1:8080;": "listen unix:" + site + ";", "$host:$server_port;": "$host;",
	}), "site")
	v.client = nginx.Client(dir, "site")
	if p := v.see("/", "<title>Chat on gobridge</title>"); !strings.HasPrefix(p.header.Get("Server"), "nginx") {
		t.Errorf("the page is not nginx's: %v", p.header)
	}
	visitWith(v, "visit_chat.py", site)
}

// TestChannelsExample has people use examples/channels.
func TestChannelsExample(t *testing.T) {
	t.Parallel()
	v := ofASGI.serve(t, server.Config{Application: "board.asgi:application", Dir: root(t, "examples", "channels"), Args: []string{"--workers", "1"}})
	v.see("/", "Your name")
	visitWith(v, "visit_channels.py", v.server.Address())
}
