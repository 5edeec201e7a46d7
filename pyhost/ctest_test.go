package pyhost

import (
	"os/exec"
	"testing"
)

// TestWorkerSideInC runs the C tests of inbox, claim, pipes, news, segment and
// control messages, under each sanitizer.
func TestWorkerSideInC(t *testing.T) {
	for _, sanitizer := range []string{"address", "thread"} {
		t.Run(sanitizer, func(t *testing.T) {
			t.Parallel()
			out, err := exec.Command("ctest/run.sh", sanitizer).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
