package scripts

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"gobridge/tests/server"
)

// TestBench runs the benchmarks' own tests: that they read, judge and write rightly. They
// measure nothing.
func TestBench(t *testing.T) {
	t.Parallel()
	root, err := server.Root()
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(root, ".venv", "bin", "python")
	for _, name := range []string{"test_bench.py", "test_asgi.py"} {
		out, err := exec.Command(python, "-B", filepath.Join(root, "tests", "bench", name)).CombinedOutput()
		if err != nil || !regexp.MustCompile(`Ran [1-9]\d* tests`).Match(out) {
			t.Errorf("%s: %v:\n%s", name, err, out)
		}
	}
}
