package e2e

import (
	"os"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

// TestFirstProcess runs the server as process 1 of a PID namespace, as a container does
// without an init of its own: it reaps what the application abandons, signals reach it,
// and its exit code is the container's.
func TestFirstProcess(t *testing.T) {
	noted, variable := notes(t)
	outside := []string{"unshare", "--pid", "--fork", "--mount-proc"}
	if os.Geteuid() != 0 {
		outside = append(outside, "--user", "--map-root-user")
	}
	s, err := server.Start(server.Config{
		Command: append(outside, root(t, "bin", "gobridge"), "run", "orphans:application"),
		Dir:     root(t, "tests", "e2e", "apps"), Env: []string{variable},
		Args: []string{"--python", anyPython(t), "--workers", "2"},
	})
	must(t, err)
	defer s.Kill()
	front := s.Children(s.Pid(), "gobridge")
	if len(front) != 1 {
		t.Fatalf("the processes beneath unshare are %v", front)
	}
	if a := mustGet(t, s, "/"); a.body != "1" {
		t.Errorf("a worker's parent is process %s of its namespace, want 1", a.body)
	}
	awaitNote(t, noted, "orphan")
	if err := server.Await(func() bool { return len(s.Zombies(front[0])) == 0 }); err != nil {
		t.Errorf("zombies are left: %v", s.Zombies(front[0]))
	}
	must(t, syscall.Kill(front[0], syscall.SIGTERM))
	if code := s.Wait(); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.Log())
	}
}
