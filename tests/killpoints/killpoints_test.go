package killpoints

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"gobridge/pyhost"
	"gobridge/tests/pythons"
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

// build makes the server with kill points, and the storm, in a folder of this run's own:
// another one may be under way on another interpreter.
func build(t *testing.T, root string) (gobridge, storm string) {
	t.Helper()
	dir := t.TempDir()
	gobridge, storm = filepath.Join(dir, "gobridge"), filepath.Join(dir, "storm")
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

// flavours are the ways in which each step is tried: in a worker of one thread, where it is
// known how many requests it has begun, in one of several threads, and in one of an event loop,
// or of several without a GIL; in each host that the interpreter can live in.
func flavours(t *testing.T) (all []flavour) {
	t.Helper()
	i, err := pyhost.Find(t.Context(), pyhost.FindOptions{Python: python()})
	if err != nil {
		t.Fatal(err)
	}
	var hosts []pyhost.Host
	if i.Library != "" {
		hosts = append(hosts, pyhost.HostEmbedded)
	}
	if i.Ctypes {
		hosts = append(hosts, pyhost.HostInterpreter)
	}
	if len(hosts) == 0 {
		t.Fatalf("%s can be hosted in no way", i.Path)
	}
	last, loops := hosts[len(hosts)-1], "1"
	if i.NoGIL {
		loops = "2"
	}
	return []flavour{{hosts[0], "wsgi", "1", "1"}, {last, "wsgi", "3", "4"}, {last, "asgi", "1", loops}}
}

type flavour struct {
	host              pyhost.Host
	iface             string
	reactors, threads string
}

// loopSteps are those to which an event loop comes in a way of its own.
var loopSteps = []string{"claimed", "request_waits", "request_woken", "response_waits", "response_woken", "outcome_stored", "done", "sleep_flag", "sleep_over"}

// python is the one that is listed last: this machine's own.
var python = sync.OnceValue(func() string {
	all, err := pythons.List()
	if err != nil {
		panic(err)
	}
	return all[len(all)-1].Path
})

// lost says how many requests a worker of one thread takes with it when it dies at the
// step; -1 where that depends.
func lost(label string) string {
	switch label {
	case "inbox_seen", "inbox_taken", "sleep_flag", "sleep_over", "done":
		return "0" // nothing is claimed, or all of it is answered
	case "news_bit", "news_summary", "news_rung":
		return "-1" // there is news amid a request, and at its end
	}
	return "1"
}

func TestEveryStep(t *testing.T) {
	root, err := server.Root()
	if err != nil {
		t.Fatal(err)
	}
	gobridge, storm := build(t, root)
	for _, f := range flavours(t) {
		for _, label := range labels(t, root) {
			if f.iface == "asgi" && !slices.Contains(loopSteps, label) {
				continue
			}
			t.Run(string(f.host)+"-"+f.iface+"/"+label, func(t *testing.T) {
				t.Parallel()
				want := "-1"
				if f.threads == "1" && f.iface == "wsgi" {
					want = lost(label)
				}
				c := exec.Command(storm, "-gobridge", gobridge, "-interface", f.iface, "-workers", "2", "-threads", f.threads, "-connections", "16", "-duration", "100ms",
					"-killpoint", label+":10", "-lost", want, "-args", "--python "+python()+" --host "+string(f.host)+" --reactors "+f.reactors)
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
