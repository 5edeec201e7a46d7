package container

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gobridge/tests/server"
)

// composed is what the test looks at of a compose file, as the specification's own parser
// prints it.
type composed struct {
	Services map[string]service
	Volumes  map[string]any
}

type service struct {
	Build           *struct{ Context, Dockerfile string }
	Command         []string
	DependsOn       map[string]struct{ Condition string } `json:"depends_on"`
	Environment     map[string]string
	Healthcheck     *struct{ Test []string }
	Image, User     string
	ReadOnly        bool     `json:"read_only"`
	CapDrop         []string `json:"cap_drop"`
	StopGracePeriod string   `json:"stop_grace_period"`
	Tmpfs           []string
	Volumes         []mount
}

type mount struct {
	Type, Source, Target string
	ReadOnly             bool `json:"read_only"`
}

// readCompose has the parser check the file against the specification.
func readCompose(t *testing.T) (c composed) {
	t.Helper()
	text := output(t, root(t, "examples", "docker"), root(t, ".tools", "bin", "compose-spec"), "-format", "json", "compose.yaml")
	must(t, json.Unmarshal([]byte(text), &c))
	return c
}

// testCompose checks examples/docker/compose.yaml and then does what it says, step by step.
func testCompose(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	prepare, app, nginx := file.Services["prepare"], file.Services["app"], file.Services["nginx"]
	if len(file.Services) != 3 || app.Build == nil || prepare.Image != app.Image {
		t.Fatalf("the services are %+v", file.Services)
	}
	build(t, app.Image, filepath.Join(app.Build.Context, app.Build.Dockerfile), used(t, app.Build.Context))
	config, folder := configOf(t, app.Image), unpack(t, app.Image)
	for _, path := range leftovers {
		if _, err := os.Stat(filepath.Join(folder, "app", path)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s of the project's folder is in the image: %v", path, err)
		}
	}
	t.Run("the file", func(t *testing.T) { checkCompose(t, file, folder) })

	volumes := map[string]string{}
	for _, m := range slices.Concat(prepare.Volumes, app.Volumes) {
		if volumes[m.Source] == "" {
			volumes[m.Source] = newVolume(t, folder, m.Target)
		}
	}
	first := prepare.container(folder, config, volumes).start(t)
	if code := first.wait(); code != 0 {
		t.Fatalf("prepare ends with %d", code)
	}
	r := app.container(folder, config, volumes).serve(t)
	if said, code := r.do(app.Healthcheck.Test[1:]...); code != 0 {
		t.Errorf("the health check: %d, %s", code, said)
	}
	if page := r.must("gobridge", "request", "-f", "uwsgi:unix:/run/gobridge/app.sock", "/"); !strings.Contains(page, "Notes on gobridge") {
		t.Errorf("without nginx: %s", page)
	}
	visitNotes(t, startNginx(t, nginx, volumes))
	if left, err := os.ReadDir(volumes["uploads"]); err != nil || len(left) > 0 {
		t.Errorf("of uploads there are left %v, %v", left, err)
	}
	r.stop()
}

// leftovers are in a folder in which the example was run.
var leftovers = []string{"data/db.sqlite3", ".venv/pyvenv.cfg", "mysite/__pycache__/urls.pyc"}

// used is a copy of a project's folder in which it was run.
func used(t *testing.T, project string) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "project")
	must(t, os.CopyFS(folder, os.DirFS(project)))
	for _, path := range leftovers {
		path = filepath.Join(folder, path)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte("left"), 0o644))
	}
	return folder
}

// container is a service as its image is run, with these volumes.
func (s *service) container(folder string, config imageConfig, volumes map[string]string) *container {
	c := &container{folder: folder, config: config, env: s.Environment, tmpfs: s.Tmpfs, command: s.Command, volumes: map[string]string{}}
	for _, m := range s.Volumes {
		c.volumes[m.Target] = volumes[m.Source]
	}
	return c
}

// checkCompose looks for what the parser cannot know. The folder is that of the image of prepare
// and app.
func checkCompose(t *testing.T, file composed, folder string) {
	used := map[string]bool{}
	for name, s := range file.Services {
		if !s.ReadOnly || !slices.Contains(s.Tmpfs, "/tmp") || !slices.Contains(s.CapDrop, "ALL") {
			t.Errorf("%s: %+v", name, s)
		}
		for _, m := range s.Volumes {
			switch m.Type {
			case "volume":
				used[m.Source] = true
			case "bind":
				if _, err := os.Stat(m.Source); err != nil || !m.ReadOnly {
					t.Errorf("%s mounts %s: %v", name, m.Source, err)
				}
			}
			if s.Build == nil {
				continue
			}
			// What an engine would make itself would be root's.
			if info, err := os.Stat(filepath.Join(folder, m.Target)); err != nil {
				t.Errorf("%s mounts on %s: %v", name, m.Target, err)
			} else if info.Sys().(*syscall.Stat_t).Uid != 10001 && info.Mode()&os.ModeSticky == 0 {
				t.Errorf("%s may not write into %s", name, m.Target)
			}
		}
	}
	for name := range file.Volumes {
		if !used[name] {
			t.Errorf("nobody uses the volume %s", name)
		}
	}
	app := file.Services["app"]
	if c := app.DependsOn["prepare"].Condition; c != "service_completed_successfully" {
		t.Errorf("app waits for prepare until %q", c)
	}
	if c := file.Services["nginx"].DependsOn["app"].Condition; c != "service_healthy" {
		t.Errorf("nginx waits for app until %q", c)
	}
	help := output(t, folder, filepath.Join(folder, "usr/local/lib/gobridge/gobridge"), "run", "--help")
	m := regexp.MustCompile(`--graceful-timeout .*\(default: (\S+)\)`).FindStringSubmatch(help)
	if m == nil {
		t.Fatalf("the help does not say how long a stop may take:\n%s", help)
	}
	drain, err := time.ParseDuration(m[1])
	must(t, err)
	if grace, err := time.ParseDuration(app.StopGracePeriod); err != nil || grace <= drain {
		t.Errorf("app has %s to stop, %v, and may take %v", app.StopGracePeriod, err, drain)
	}
}

// startNginx runs this machine's nginx, until the end of the test, with the service's
// configuration as it is, but for where things are. It returns the site's URL.
func startNginx(t *testing.T, s service, volumes map[string]string) string {
	t.Helper()
	config := slices.IndexFunc(s.Volumes, func(m mount) bool { return m.Target == "/etc/nginx/nginx.conf" })
	if config < 0 {
		t.Fatalf("nginx has no configuration: %+v", s.Volumes)
	}
	content, err := os.ReadFile(s.Volumes[config].Source)
	must(t, err)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := free.Addr().String()
	must(t, free.Close())
	dir, nobody := t.TempDir(), account(t)
	must(t, os.Chown(dir, int(nobody.Uid), int(nobody.Gid)))
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	places := []string{"listen 8080;", "listen " + address + ";", " /dev/stderr ", " stderr ", " /dev/stdout;", " " + dir + "/access;", " /tmp/", " " + dir + "/"}
	for _, m := range s.Volumes {
		if m.Type == "volume" {
			places = append(places, m.Target+"/", volumes[m.Source]+"/")
		}
	}
	for i := 0; i < len(places); i += 2 {
		if !bytes.Contains(content, []byte(places[i])) {
			t.Fatalf("nginx.conf has no %q", places[i])
		}
	}
	text := strings.NewReplacer(places...).Replace(string(content))
	path := filepath.Join(dir, "nginx.conf")
	must(t, os.WriteFile(path, []byte(text), 0o644))
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // which is not on everyone's PATH
	}
	nginx := exec.Command(program, "-p", dir, "-c", path, "-e", "stderr", "-g", "daemon off;")
	nginx.SysProcAttr = &syscall.SysProcAttr{Credential: nobody}
	log := new(server.Record)
	nginx.Stderr = log
	must(t, nginx.Start())
	ended := make(chan error, 1)
	go func() { ended <- nginx.Wait() }()
	t.Cleanup(func() {
		_ = nginx.Process.Signal(syscall.SIGQUIT) // an error says that it has ended
		if err := <-ended; err != nil || t.Failed() {
			t.Errorf("nginx: %v\n%s", err, log)
		}
	})
	must(t, server.Await(func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil || len(ended) > 0
	}))
	return "http://" + address
}

func account(t *testing.T) *syscall.Credential {
	t.Helper()
	nobody, err := user.Lookup("nobody")
	must(t, err)
	uid, err := strconv.Atoi(nobody.Uid)
	must(t, err)
	gid, err := strconv.Atoi(nobody.Gid)
	must(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// visitNotes logs in, and has a file go up and come down again.
func visitNotes(t *testing.T, site string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	client := &http.Client{Jar: jar}
	get := func(path, want string) (string, http.Header) {
		t.Helper()
		response, err := client.Get(site + path)
		must(t, err)
		body := text(t, response)
		if response.StatusCode != 200 || !strings.Contains(body, want) {
			t.Fatalf("%s: %d, %s", path, response.StatusCode, body)
		}
		return body, response.Header
	}
	token := func(path string) string {
		t.Helper()
		body, _ := get(path, "")
		m := regexp.MustCompile(`name="csrfmiddlewaretoken" value="([^"]+)"`).FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("%s has no form: %s", path, body)
		}
		return m[1]
	}
	post := func(path, kind string, body io.Reader) {
		t.Helper()
		request, err := http.NewRequest("POST", site+path, body)
		must(t, err)
		request.Header.Set("Content-Type", kind)
		request.Header.Set("Origin", site) // as a browser does; Django compares it with Host
		response, err := client.Do(request)
		must(t, err)
		if said := text(t, response); response.StatusCode != 200 || response.Request.URL.Path != "/" {
			t.Fatalf("%s leads to %s: %d, %s", path, response.Request.URL, response.StatusCode, said)
		}
	}
	get("/", "Log in as demo")
	if _, header := get("/static/admin/css/base.css", "body"); header.Get("Cache-Control") != "max-age=3600" || !strings.HasPrefix(header.Get("Server"), "nginx") {
		t.Errorf("the style sheet is not nginx's: %v", header)
	}
	post("/login/", "application/x-www-form-urlencoded", strings.NewReader(url.Values{
		"username": {"demo"}, "password": {"demo"}, "csrfmiddlewaretoken": {token("/login/")}}.Encode()))
	content := bytes.Repeat([]byte("a line of the file\n"), 1<<17) // longer than what stays in memory, of gobridge and of Django
	var form bytes.Buffer
	fields := multipart.NewWriter(&form)
	must(t, fields.WriteField("csrfmiddlewaretoken", token("/add/")))
	must(t, fields.WriteField("title", "from a container"))
	part, err := fields.CreateFormFile("file", "lines.txt")
	must(t, err)
	_, err = part.Write(content)
	must(t, err)
	must(t, fields.Close())
	post("/add/", fields.FormDataContentType(), &form)
	body, _ := get("/", "from a container")
	m := regexp.MustCompile(`from a container</b>[^<]*<a href="(/file/\d+/)">`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("the list does not link to the file: %s", body)
	}
	response, err := client.Get(site + m[1])
	must(t, err)
	if got := text(t, response); got != string(content) {
		t.Errorf("the file that comes down has %d bytes, want %d", len(got), len(content))
	}
}
