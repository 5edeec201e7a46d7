package e2e

import (
	"testing"

	"gobridge/tests/server"
)

// TestForksThatReturn: the child of a view that forks and returns ends well, whichever request
// of its thread it is: some are timed by the host.
func TestForksThatReturn(t *testing.T) {
	s := start(t, server.Config{Application: "returns:application", Dir: root(t, "tests", "e2e", "apps"), Args: []string{"--python", anyPython(t), "--workers", "1"}})
	for n := range 32 {
		if a := mustGet(t, s, "/"); a.body != "0" {
			t.Errorf("request %d: its child's status is %s, and it should be 0", n+1, a.body)
		}
	}
}
