package container

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gobridge/tests/server"
)

// root is a path in the repository.
func root(t *testing.T, below ...string) string {
	t.Helper()
	dir, err := server.Root()
	must(t, err)
	return filepath.Join(append([]string{dir}, below...)...)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// output runs a command in the folder, to its good end, and returns what it prints.
func output(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	var out, log strings.Builder
	c := exec.Command(name, args...)
	c.Dir, c.Stdout, c.Stderr = dir, &out, &log
	if err := c.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), log.String())
	}
	return strings.TrimSpace(out.String())
}

// buildah runs it in the store that scripts/container-bases has made.
func buildah(t *testing.T, args ...string) string {
	t.Helper()
	store := root(t, ".tools", "container")
	return output(t, store, "buildah", append([]string{"--root", filepath.Join(store, "storage"), "--runroot", filepath.Join(store, "run"), "--storage-driver", "vfs"}, args...)...)
}

// baseImages are the stand-ins' names.
func baseImages(t *testing.T) (goImage, pythonImage string) {
	t.Helper()
	text, err := os.ReadFile(root(t, ".tools", "container", "names"))
	if err != nil {
		t.Fatalf("%v: scripts/setup container brings it", err)
	}
	names := strings.Fields(string(text))
	return names[0], names[1]
}

// build builds an image of a Dockerfile, as docker build does it: with what each base image's
// build needs of this machine in volumes, which leave nothing in the image.
func build(t *testing.T, tag, dockerfile, context string, args ...string) {
	t.Helper()
	begin := time.Now()
	buildah(t, append(append([]string{"bud", "--pull-never", "--disable-compression", "--format", "docker", "--isolation", "chroot", "--tag", tag, "--file", dockerfile,
		"--volume", root(t, ".tools", "container", "wheels") + ":/wheels:ro"}, args...), context)...)
	t.Cleanup(func() { buildah(t, "rmi", tag) })
	t.Logf("%s was built in %v", tag, time.Since(begin).Round(time.Second))
}

// buildOurs builds the image gobridge, of the repository's own Dockerfile. The Go of this machine,
// what it has compiled already, and its modules are mounted where the base image has its own.
func buildOurs(t *testing.T) {
	t.Helper()
	goImage, pythonImage := baseImages(t)
	args := []string{"--build-arg", "GO_IMAGE=" + goImage, "--build-arg", "PYTHON_IMAGE=" + pythonImage, "--build-arg", "VERSION=" + testVersion}
	where := strings.Split(output(t, root(t), "go", "env", "GOROOT", "GOCACHE", "GOMODCACHE"), "\n")
	for i, inside := range []string{"/usr/local/go:ro", "/root/.cache/go-build", "/go/pkg/mod:ro"} {
		args = append(args, "--volume", where[i]+":"+inside)
	}
	build(t, "gobridge", root(t, "Dockerfile"), root(t), args...)
}

const testVersion = "9.8.7"

// imageConfig is what an image says of how it is run.
type imageConfig struct {
	User, WorkingDir, StopSignal string

	Env, Cmd     []string
	Labels       map[string]string
	ExposedPorts map[string]struct{}
	Healthcheck  *healthcheck
}

type healthcheck struct {
	Test                           []string
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

func configOf(t *testing.T, image string) imageConfig {
	t.Helper()
	var about struct{ Docker struct{ Config imageConfig } }
	must(t, json.Unmarshal([]byte(buildah(t, "inspect", "--type", "image", image)), &about))
	return about.Docker.Config
}

// unpack makes an image's file system, until the end of the test.
func unpack(t *testing.T, image string) (folder string) {
	t.Helper()
	name := buildah(t, "from", "--pull-never", image)
	t.Cleanup(func() { buildah(t, "rm", name) })
	return buildah(t, "mount", name)
}
