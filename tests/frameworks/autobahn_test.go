package frameworks

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gobridge/tests/server"
)

// What kosoku runs of the Autobahn test suite: what it has of the protocol and of its limits, and of
// compression what does not take minutes: one for each offer of a client. Those with short messages are
// not among them, because kosoku 0.1.0 fails itself when it makes those.
var autobahnCases = []string{"1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*",
	"12.3.3", "12.4.3", "12.5.4", "13.1.3", "13.2.3", "13.3.3", "13.4.4", "13.5.5", "13.6.3", "13.7.3"}

// TestASGIAutobahn has the Autobahn test suite talk to a WebSocket that says the same again.
func TestASGIAutobahn(t *testing.T) {
	t.Parallel()
	v := ofASGI.serve(t, server.Config{Application: "websocket_echo:application", Dir: root(t, "tests", "frameworks", "apps"),
		Args: []string{"--workers", "1", "--lifespan", "off"}})
	report := t.TempDir()
	args := []string{"-o", report}
	for _, c := range autobahnCases {
		args = append(args, "-i", c)
	}
	c := exec.Command(ofASGI.bin(t, "kosoku"), append(args, v.server.Address())...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("kosoku: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(report, "index.json"))
	must(t, err)
	var servers map[string]map[string]struct{ Behavior, BehaviorClose string }
	must(t, json.Unmarshal(text, &servers))
	verdicts := map[string]int{}
	for _, cases := range servers {
		for name, is := range cases {
			verdicts[is.Behavior]++
			// Not strict is who fails with what is wrong, and not with what was right before it.
			if is.Behavior != "OK" && is.Behavior != "NON-STRICT" && is.Behavior != "INFORMATIONAL" || is.BehaviorClose == "FAILED" {
				t.Errorf("case %s: %+v", name, is)
			}
		}
	}
	t.Logf("%v", verdicts)
	if verdicts["OK"] < 290 {
		t.Errorf("only these were run: %v", verdicts)
	}
}
