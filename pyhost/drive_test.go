package pyhost_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gobridge/pyhost"
)

// TestHostServesWithoutFront drives each host through ctest/drive.py, which plays
// the front: requests, forks, subprocesses, signals, threads, drain, failures. This
// test's own executable holds the embedded host. Here with one interpreter; with every
// other one ctest/drive.sh does it, under the sanitizers.
func TestHostServesWithoutFront(t *testing.T) {
	library := filepath.Join(t.TempDir(), "gobridge-host.so")
	if out, err := exec.Command("../scripts/build-host", library).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	lastHost(t, func(t *testing.T, i *pyhost.Interpreter, h pyhost.Host) {
		arguments := []string{"ctest/drive.py", string(h), "-", i.Path, library}
		if h == pyhost.HostEmbedded {
			arguments = []string{"ctest/drive.py", string(h), i.Library, i.Path, self}
		}
		out, err := exec.Command("python3", arguments...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
	})
}
