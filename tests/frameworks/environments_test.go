package frameworks

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// environment is a virtual environment that scripts/setup has made.
type environment string

const (
	ofFrameworks   environment = "frameworks"
	ofApplications environment = "applications"
	ofASGI         environment = "asgi"
)

func root(t *testing.T, below ...string) string {
	t.Helper()
	dir, err := server.Root()
	must(t, err)
	return filepath.Join(append([]string{dir}, below...)...)
}

// bin is a program of the environment.
func (e environment) bin(t *testing.T, name string) string {
	t.Helper()
	path := root(t, ".tools", "frameworks", string(e), "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v (make frameworks, make frameworks-asgi and make applications bring it)", err)
	}
	return path
}

// minor is the second number of its Python's version.
func (e environment) minor(t *testing.T) int {
	t.Helper()
	out, err := exec.Command(e.bin(t, "python"), "-c", "import sys; print(sys.version_info[1])").Output()
	must(t, err)
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	must(t, err)
	return n
}

// keepsBytecode lets Python write bytecode, which other tests forbid it: in an environment it
// does no harm, and a large application starts several times.
const keepsBytecode = "PYTHONDONTWRITEBYTECODE="

// run runs a program of the environment to its end, which must be a good one.
func (e environment) run(t *testing.T, dir string, variables []string, name string, args ...string) {
	t.Helper()
	c := exec.Command(e.bin(t, name), args...)
	c.Dir, c.Env = dir, append(os.Environ(), variables...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// serve runs gobridge with two workers, if no number is said, until the end of the test, which it must reach and
// end well.
func (e environment) serve(t *testing.T, c server.Config) *visitor {
	t.Helper()
	c.Args = append(c.Args, "--python", e.bin(t, "python"))
	if e == ofASGI {
		c.Env = append(c.Env, keepsBytecode)
	} else {
		c.Args = append(c.Args, "--threads", "2")
	}
	if !slices.Contains(c.Args, "--workers") {
		c.Args = append(c.Args, "--workers", "2")
	}
	return newVisitor(t, server.UntilEnd(t, c))
}

// versions are those of the packages that a file of requirements pins, by name.
func versions(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(root(t, "tests", file))
	must(t, err)
	pinned := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, ";")
		if name, version, ok := strings.Cut(strings.TrimSpace(line), "=="); ok {
			pinned[name] = version
		}
	}
	return pinned
}

// mustBeTold wants docs/frameworks.md to have a row that begins with these columns: of what was
// tested, its version, and what else the test knows.
func mustBeTold(t *testing.T, columns ...string) {
	t.Helper()
	page, err := os.ReadFile(root(t, "docs", "frameworks.md"))
	must(t, err)
	if row := "\n| " + strings.Join(columns, " | ") + " |"; !strings.Contains(string(page), row) {
		t.Errorf("docs/frameworks.md lacks a row that begins with %s", row[1:])
	}
}

// someBytes are the same ones each time, of which no two pieces are alike.
func someBytes(size int) []byte {
	content := make([]byte, size)
	source := rand.NewChaCha8([32]byte{2})
	_, _ = source.Read(content) // it never fails
	return content
}

func mustBeSame(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes came that are not the %d that were sent", what, len(got), len(want))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
