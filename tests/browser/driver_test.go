package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// driver is a chromedriver that runs.
type driver struct{ url string }

var driverPort = regexp.MustCompile(`started successfully on port (\d+)`)

// startDriver runs a chromedriver until the end of the test.
func startDriver(t *testing.T) *driver {
	t.Helper()
	process := exec.Command("chromedriver", "--port=0")
	process.Env = append(os.Environ(), "TMPDIR="+leftovers(t))
	output, err := process.StdoutPipe()
	must(t, err)
	must(t, process.Start())
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
	var said strings.Builder
	for b := make([]byte, 4096); ; {
		n, err := output.Read(b)
		said.Write(b[:n])
		if m := driverPort.FindStringSubmatch(said.String()); m != nil {
			go io.Copy(io.Discard, output) // ends with the process
			return &driver{"http://127.0.0.1:" + m[1]}
		}
		if err != nil {
			t.Fatalf("chromedriver did not start (%v): %s", err, said.String())
		}
	}
}

// leftovers is a folder for what Chromium leaves behind, until its last process has ended, too.
func leftovers(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "")
	must(t, err)
	t.Cleanup(func() { must(t, server.Await(func() bool { return os.RemoveAll(dir) == nil })) })
	return dir
}

// What Chromium is told: to show nothing, to run as any user (it opens pages of ours alone), and to leave alone
// what it does beside showing pages.
var browserArguments = []string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
	"--disable-background-networking", "--disable-component-update", "--disable-sync"}

// window is a browser of its own: with its own cookies, and one page. Its profile is a new one, which chromedriver
// makes.
type window struct {
	*testing.T
	session string // the URL of its session
}

func (d *driver) open(t *testing.T, url string) *window {
	t.Helper()
	options := map[string]any{"args": browserArguments}
	capabilities := map[string]any{"alwaysMatch": map[string]any{"browserName": "chrome", "goog:chromeOptions": options}}
	w := &window{t, d.url}
	var made struct{ SessionID string }
	w.ask("POST", "/session", map[string]any{"capabilities": capabilities}, &made)
	w.session = d.url + "/session/" + made.SessionID
	t.Cleanup(func() { w.ask("DELETE", "", nil, nil) })
	w.ask("POST", "/url", map[string]any{"url": url}, nil)
	return w
}

// ask sends a command of WebDriver, and reads the value of its answer.
func (w *window) ask(method, path string, body, value any) {
	w.Helper()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		must(w, err)
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, w.session+path, sent)
	must(w, err)
	response, err := http.DefaultClient.Do(request)
	must(w, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(w, err)
	answer := struct{ Value any }{value}
	if err := json.Unmarshal(text, &answer); err != nil || response.StatusCode != http.StatusOK {
		w.Fatalf("%s %s: %s, %v\n%s", method, path, response.Status, err, text)
	}
}

// run runs a script in the page, and returns what it returns.
func (w *window) run(script string) any {
	w.Helper()
	var value any
	w.ask("POST", "/execute/sync", map[string]any{"script": script, "args": []any{}}, &value)
	return value
}

// enter types a text into a field and presses the return key, as a person does.
func (w *window) enter(field, text string) {
	w.Helper()
	var element map[string]string
	w.ask("POST", "/element", map[string]any{"using": "css selector", "value": field}, &element)
	for _, id := range element {
		w.ask("POST", "/element/"+id+"/value", map[string]any{"text": text + "\ue007"}, nil)
	}
}

// await waits until a script returns the value.
func (w *window) await(script string, want any) {
	w.Helper()
	var got any
	if err := server.Await(func() bool {
		got = w.run(script)
		return fmt.Sprint(got) == fmt.Sprint(want)
	}); err != nil {
		w.Fatalf("%s is %v, want %v: %v", script, got, want, err)
	}
}

// awaitText waits until an element shows a text.
func (w *window) awaitText(element, want string) {
	w.Helper()
	w.await("return document.querySelector('"+element+"')?.textContent", want)
}

// serve runs an example with one worker until the end of the test.
func serve(t *testing.T, example, application string, args ...string) *server.Server {
	t.Helper()
	root, err := server.Root()
	must(t, err)
	python := filepath.Join(root, ".tools", "frameworks", "asgi", "bin", "python")
	return server.UntilEnd(t, server.Config{Application: application, Dir: filepath.Join(root, "examples", example),
		Args: append(args, "--python", python, "--workers", "1", "--control", filepath.Join(t.TempDir(), "control"))})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
