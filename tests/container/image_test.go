package container

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gobridge/tests/server"
)

func TestContainer(t *testing.T) {
	buildOurs(t)
	t.Run("image", testImage)
	t.Run("compose", testCompose)
}

func testImage(t *testing.T) {
	t.Parallel()
	config := configOf(t, "gobridge")
	folder := unpack(t, "gobridge")
	t.Run("what it says of itself", func(t *testing.T) { checkConfig(t, config) })
	t.Run("what is in it", func(t *testing.T) { checkContent(t, folder) })
	t.Run("three lines", func(t *testing.T) {
		build(t, "flask", root(t, "examples", "docker", "Dockerfile"), root(t, "examples", "flask"))
		c := &container{folder: unpack(t, "flask"), config: configOf(t, "flask"), tmpfs: []string{"/tmp"}, env: map[string]string{"GOBRIDGE_BIND": "127.0.0.1:0"}}
		visitFlask(t, c.serve(t))
	})
	// With the other host, which is what a Python has that is linked with its library.
	c := &container{folder: folder, config: config, tmpfs: []string{"/tmp"}, volumes: map[string]string{"/app": root(t, "tests", "container", "apps")},
		env: map[string]string{"GOBRIDGE_BIND": "127.0.0.1:0", "GOBRIDGE_WORKERS": "1", "GOBRIDGE_HOST": "embedded", "PYTHONDONTWRITEBYTECODE": "1"}}
	r := c.serve(t)
	t.Run("orphans", func(t *testing.T) { checkOrphans(t, r) })
	t.Run("health", func(t *testing.T) { checkHealth(t, r) })
	t.Run("docker stop", func(t *testing.T) { checkStop(t, r) })
	t.Run("nothing may be written", func(t *testing.T) {
		bare := *c
		bare.config.User = "12345:12345" // whom the image does not know
		bare.tmpfs, bare.env = nil, map[string]string{"GOBRIDGE_BIND": "127.0.0.1:0", "GOBRIDGE_HOST": "interpreter"}
		r := bare.serve(t)
		mustGet(t, r, "/", "hello")
		if text := r.text.String(); !strings.Contains(text, "there is no control socket") || !strings.Contains(text, "there is no folder for long request bodies") {
			t.Error("the log does not say what is missing")
		}
		r.stop()
	})
}

// checkConfig compares with what docs/containers.md promises.
func checkConfig(t *testing.T, c imageConfig) {
	if c.User != "10001:10001" || c.WorkingDir != "/app" || c.StopSignal != "SIGTERM" || strings.Join(c.Cmd, " ") != "gobridge run app:app" {
		t.Errorf("%+v", c)
	}
	if version := c.Labels["org.opencontainers.image.version"]; version != testVersion {
		t.Errorf("its labels say version %q: %v", version, c.Labels)
	}
	for _, variable := range []string{"VIRTUAL_ENV=/venv", "GOBRIDGE_BIND=:8000", "PYTHONUNBUFFERED=1"} {
		if !slices.Contains(c.Env, variable) {
			t.Errorf("it lacks %s: %v", variable, c.Env)
		}
	}
	if _, ok := c.ExposedPorts["8000/tcp"]; !ok {
		t.Errorf("the ports are %v", c.ExposedPorts)
	}
	// It may take as long as it looks, and more.
	if h := c.Healthcheck; h == nil || strings.Join(h.Test, " ") != "CMD gobridge status --stuck-after 10s" || h.Timeout <= 10*time.Second || h.StartPeriod < 2*time.Minute {
		t.Errorf("the health check is %+v", h)
	}
}

// ours are the places of what the Dockerfile adds to the Python image.
var ours = regexp.MustCompile(`^/(usr/local/bin/gobridge$|usr/local/lib/gobridge$|usr/local/lib/gobridge/(gobridge|gobridge-host\.so|LICENSE)$|venv$|venv/|app$|home/gobridge$|home/gobridge/\.|run/gobridge$|etc/\.pwd\.lock$|etc/(sub[ug]id|passwd|group|shadow|gshadow)-?$)`)

// mounted is where building has mounted something: an empty file or folder stays, as of
// /etc/hosts with any engine.
var mounted = regexp.MustCompile(`^/(etc/(hosts|hostname|resolv\.conf)|go(/pkg(/mod)?)?|root/\.cache(/go-build)?|usr/local/go|wheels)$`)

// checkContent wants nothing in the image but what is to be: no compiler, no sources.
func checkContent(t *testing.T, folder string) {
	_, pythonImage := baseImages(t)
	base, baseSize := list(t, unpack(t, pythonImage))
	added, size := list(t, folder)
	for _, path := range added {
		if !slices.Contains(base, path) && !ours.MatchString(path) && !mounted.MatchString(path) {
			t.Errorf("%s is in the image", path)
		}
	}
	t.Logf("the image has %.1f MB, %.1f of them its base image's", float64(size)/1e6, float64(baseSize)/1e6)
	if more := size - baseSize; more > 60e6 {
		t.Errorf("%d bytes are added to the base image", more)
	}
	if info, err := os.Stat(filepath.Join(folder, "usr/local/lib/gobridge/gobridge")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the program: %v, %v", info, err)
	}
}

// list are all paths below a folder, in order, and how much they have in them.
func list(t *testing.T, folder string) (paths []string, size int64) {
	t.Helper()
	must(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		paths = append(paths, strings.TrimPrefix(path, folder))
		return err
	}))
	return paths, size
}

// visitFlask looks at the example as its image runs it.
func visitFlask(t *testing.T, r *running) {
	if text := r.text.String(); !strings.HasPrefix(servedOn.FindString(text), "gobridge "+testVersion+" serves app:app on http://127.0.0.1:") {
		t.Errorf("it says %s", text)
	}
	mustGet(t, r, "/", "Hello!")
	upload := bytes.Repeat([]byte("0123456789"), 1<<17) // more than stays in memory
	response, err := r.client().Post("http://app/upload", "application/octet-stream", bytes.NewReader(upload))
	must(t, err)
	if body := text(t, response); response.StatusCode != 200 || !strings.Contains(body, fmt.Sprintf(`"size":%d`, len(upload))) {
		t.Errorf("the upload is answered with %d, %s", response.StatusCode, body)
	}
	// What there is of processes, and whose they are.
	all := r.processes()
	if all["1"].name != "gobridge" {
		t.Errorf("process 1 is %+v", all["1"])
	}
	for pid, p := range all {
		if p.user != "10001" {
			t.Errorf("process %s, %+v, is not the image's user's", pid, p)
		}
	}
	for _, path := range []string{"/app/x", "/venv/x", "/usr/local/bin/x", "/home/gobridge/x"} {
		if said, code := r.do("touch", path); code == 0 || !strings.Contains(said, "Read-only file system") {
			t.Errorf("touch %s: %d, %s", path, code, said)
		}
	}
	r.must("touch", "/tmp/x")
	r.must(r.config.Healthcheck.Test[1:]...)
	r.stop()
}

// mustGet asks for a page that has that in it.
func mustGet(t *testing.T, r *running, path, want string) {
	t.Helper()
	response, err := r.client().Get("http://app" + path)
	must(t, err)
	if body := text(t, response); response.StatusCode != 200 || !strings.Contains(body, want) {
		t.Errorf("%s: %d, %s", path, response.StatusCode, body)
	}
}

func text(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return string(body)
}

// checkOrphans: what the application leaves behind becomes process 1's, which buries it.
func checkOrphans(t *testing.T, r *running) {
	const count = 3
	for range count {
		mustGet(t, r, "/abandon", "abandoned")
	}
	var orphans []string
	must(t, server.Await(func() bool {
		text, _ := r.do("cat", "/tmp/orphans")
		orphans = strings.Fields(text)
		return len(orphans) == count
	}))
	for _, pid := range orphans {
		err := server.Await(func() bool { return r.processes()[pid] == process{} })
		if err != nil {
			t.Errorf("%+v is not buried", r.processes()[pid])
		}
	}
}

// await waits for a file in the container.
func (r *running) await(path string) {
	r.t.Helper()
	must(r.t, server.Await(func() bool {
		_, code := r.do("test", "-e", path)
		return code == 0
	}))
}

// ask asks for a page, which may take its time.
func (r *running) ask(path string) <-chan error {
	over := make(chan error, 1)
	go func() {
		response, err := r.client().Get("http://app" + path)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(response.Body)
			response.Body.Close()
			if err == nil && (response.StatusCode != 200 || len(body) == 0) {
				err = fmt.Errorf("%s: %d, %s", path, response.StatusCode, body)
			}
		}
		over <- err
	}()
	return over
}

// checkHealth: the image's command says whether the workers get on. Here it looks for a second
// only.
func checkHealth(t *testing.T, r *running) {
	command := slices.Clone(r.config.Healthcheck.Test[1:])
	command[len(command)-1] = "1s"
	check := func(when, want string, code int) {
		t.Helper()
		if said, got := r.do(command...); got != code || !strings.Contains(said, want) {
			t.Errorf("%s: %d, %s", when, got, said)
		}
	}
	check("at rest", "serving on http://", 0)
	hangs := r.ask("/wait")
	r.await("/tmp/begun")
	check("while a request runs", "1 request running, 0 waiting", 0)
	behind := r.ask("/")
	must(t, server.Await(func() bool { // when the other one has come
		_, code := r.do(command...)
		return code != 0
	}))
	check("while the only worker hangs", "gobridge: 1 request waits, and no worker has begun one for 1s", 8)
	r.must("touch", "/tmp/go")
	must(t, <-hangs)
	must(t, <-behind)
	check("when it goes on", "serving on http://", 0)
	r.must("rm", "/tmp/go", "/tmp/begun")
}

// checkStop: SIGTERM to process 1 has what runs finish.
func checkStop(t *testing.T, r *running) {
	answered := r.ask("/wait")
	r.await("/tmp/begun")
	must(t, syscall.Kill(r.first, syscall.SIGTERM))
	must(t, server.Await(func() bool { return strings.Contains(r.text.String(), "SIGTERM: finishing what is running") }))
	if said, code := r.do("gobridge", "status"); code != 8 || !strings.Contains(said, "draining") {
		t.Errorf("the status meanwhile: %d, %s", code, said)
	}
	r.must("touch", "/tmp/go")
	if err := <-answered; err != nil {
		t.Errorf("the request that ran: %v", err)
	}
	if code := r.wait(); code != 0 {
		t.Errorf("the container's exit code is %d", code)
	}
}
