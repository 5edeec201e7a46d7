package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// The go command as scripts/fuzz sees it in these tests: it makes a test program, unless BUILD
// says what it fails with. The program lists the targets that LISTED names; its search says what
// stands in SAYS, and fails if STATUS says so.
const fakeGo = `#!/bin/sh
case "$*" in
env*) echo /nonexistent ;;
*-fuzz*)
	if [ -n "$BUILD" ]; then echo "$BUILD"; exit 1; fi
	while [ "$1" != -o ]; do shift; done
	cp "$PROGRAM" "$2" ;;
esac
`

const fakeProgram = `#!/bin/sh
case "$*" in
*-test.list*) printf '%s\n' $LISTED ;;
*-test.fuzz*) printf '%s\n' "$SAYS"; exit $STATUS ;;
*) exit 9 ;;
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
	program := filepath.Join(bin, "program")
	for path, text := range map[string]string{filepath.Join(bin, "go"): fakeGo, program: fakeProgram} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const failed = "--- FAIL: FuzzHostileWorker (5.05s)\n"
	for _, c := range []struct{ name, listed, build, says, status, want string }{
		{"no target in a package", "", "", "", "0", "the package bridge has no fuzz target"},
		{"a target that is not there", "FuzzHostileWorker", "", "testing: warning: no fuzz tests to fuzz\nPASS", "0", "has no fuzz target FuzzHostileWorker"},
		{"a failure", "FuzzHostileWorker", "", failed + "    response_fuzz_test.go:30: wrong\n    Failing input written to testdata", "1", "found something"},
		{"a failure at the end of the time", "FuzzHostileWorker", "", failed + "    context deadline exceeded\n    Failing input written to testdata", "1", "found something"},
		{"a failure to build", "FuzzHostileWorker", "FAIL	gobridge/bridge [build failed]", "", "0", "the tests of bridge cannot be built"},
		{"the end of the time", "FuzzHostileWorker", "", failed + "    context deadline exceeded\nFAIL", "1", "bridge: coverage"},
		{"nothing found", "FuzzHostileWorker", "", "PASS", "0", "bridge: coverage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := exec.Command(filepath.Join(root, "scripts", "fuzz"), "1")
			command.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "PROGRAM="+program, "LISTED="+c.listed, "BUILD="+c.build, "SAYS="+c.says, "STATUS="+c.status)
			out, err := command.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%v, and not %q:\n%s", err, c.want, out)
			}
		})
	}
}
