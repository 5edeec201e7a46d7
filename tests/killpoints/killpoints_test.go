package killpoints

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gobridge/pyhost"
	"gobridge/tests/server"
)

// labels are the steps that steps.h lists.
func labels(t *testing.T, root string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "pyhost", "steps.h"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\s+X\((\w+)\)`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Fatal("steps.h lists no steps")
	}
	return all
}

// build makes the server with kill points, and the storm, in build/killpoints.
func build(t *testing.T, root string) (gobridge, storm string) {
	t.Helper()
	dir := filepath.Join(root, "build", "killpoints")
	gobridge, storm = filepath.Join(dir, "gobridge"), filepath.Join(dir, "storm")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"go", "build", "-tags", "killpoints", "-o", gobridge, "./cmd/gobridge"},
		// Beside the binary it is taken before the one inside.
		{"scripts/build-host", "--killpoints", filepath.Join(dir, "gobridge-host.so")},
		{"go", "build", "-o", storm, "./tests/storm"},
	} {
		c := exec.Command(command[0], command[1:]...)
		c.Dir = root
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	return gobridge, storm
}

// hosts are those that this machine's python3 can live in.
func hosts(t *testing.T) (all []pyhost.Host) {
	t.Helper()
	i, err := pyhost.Find(pyhost.FindOptions{Python: python})
	if err != nil {
		t.Fatal(err)
	}
	if i.Library != "" {
		all = append(all, pyhost.HostEmbedded)
	}
	if i.Ctypes {
		all = append(all, pyhost.HostInterpreter)
	}
	if len(all) == 0 {
		t.Fatalf("%s can be hosted in no way", i.Path)
	}
	return all
}

const python = "python3"

func TestEveryStep(t *testing.T) {
	root, err := server.Root()
	if err != nil {
		t.Fatal(err)
	}
	gobridge, storm := build(t, root)
	for _, host := range hosts(t) {
		for _, label := range labels(t, root) {
			t.Run(string(host)+"/"+label, func(t *testing.T) {
				t.Parallel()
				c := exec.Command(storm, "-gobridge", gobridge, "-workers", "2", "-connections", "16", "-duration", "2s",
					"-killpoint", label+":10", "-args", "--python "+python+" --host "+string(host))
				c.Dir = root
				out, err := c.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				t.Logf("%s", out)
			})
		}
	}
}
