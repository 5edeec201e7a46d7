package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// The go command as scripts/fuzz sees it in these tests: it lists the targets that LISTED
// names, and what a search says stands in SAYS; it fails if STATUS says so.
const fakeGo = `#!/bin/sh
case "$*" in
*-list*) printf '%s\n' $LISTED; echo "ok  	gobridge/x	0.001s" ;;
*-fuzz*) printf '%s\n' "$SAYS"; exit $STATUS ;;
env*) echo /nonexistent ;;
*) echo reached-the-coverage; exit 9 ;;
esac
`

// TestFuzzFails: no target, one that is not there, and one that finds something fail the
// stage; the deadline that go test takes for a failure at the end of its time does not.
func TestFuzzFails(t *testing.T) {
	root, err := server.Root()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(fakeGo), 0o755); err != nil {
		t.Fatal(err)
	}
	const failed = "--- FAIL: FuzzHostileWorker (5.05s)\n"
	for _, c := range []struct{ name, listed, says, status, want string }{
		{"no target in a package", "", "", "0", "the package bridge has no fuzz target"},
		{"a target that is not there", "FuzzHostileWorker", "testing: warning: no fuzz tests to fuzz\nPASS", "0", "has no fuzz target FuzzHostileWorker"},
		{"a failure", "FuzzHostileWorker", failed + "    response_fuzz_test.go:30: wrong\n    Failing input written to testdata", "1", "found something"},
		{"a failure at the end of the time", "FuzzHostileWorker", failed + "    context deadline exceeded\n    Failing input written to testdata", "1", "found something"},
		{"a failure to build", "FuzzHostileWorker", "FAIL	gobridge/bridge [build failed]", "1", "found something"},
		{"the end of the time", "FuzzHostileWorker", failed + "    context deadline exceeded\nFAIL", "1", "bridge: coverage"},
		{"nothing found", "FuzzHostileWorker", "PASS", "0", "bridge: coverage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := exec.Command(filepath.Join(root, "scripts", "fuzz"), "1")
			command.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "LISTED="+c.listed, "SAYS="+c.says, "STATUS="+c.status)
			out, err := command.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%v, and not %q:\n%s", err, c.want, out)
			}
		})
	}
}
