package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gobridge/tests/server"
)

// TestControlIsFound: the commands find the server by its folder and its name, in the
// private folder of the user.
func TestControlIsFound(t *testing.T) {
	runtime := shortDir(t)
	env := []string{"XDG_RUNTIME_DIR=" + runtime, "TMPDIR=" + runtime}
	dir := t.TempDir()
	copyFile(t, root(t, "examples", "hello", "app.py"), filepath.Join(dir, "app.py"))
	copyFile(t, root(t, "examples", "hello", "app.py"), filepath.Join(dir, "second.py"))
	here, elsewhere := server.Config{Dir: dir, Env: env}, server.Config{Dir: runtime, Env: env}
	run := func(application string) *server.Server {
		t.Helper()
		return start(t, server.Config{Application: application, Dir: dir, Env: env, Args: []string{"--workers", "1"}})
	}
	sockets := func() []string {
		found, err := filepath.Glob(filepath.Join(runtime, "gobridge-*", "control-*"))
		must(t, err)
		return found
	}

	_, log := command(t, here, 7, "status")
	if !strings.Contains(log, "was not found") {
		t.Errorf("without a server: %s", log)
	}
	s := run("app:application")
	out, _ := command(t, here, 0, "status")
	if !strings.Contains(out, "app:application in "+dir) {
		t.Errorf("in its folder: %s", out)
	}
	if out, _ = command(t, elsewhere, 0, "reload", "--chdir", dir); !strings.Contains(out, "generation 2 serves") {
		t.Errorf("from elsewhere: %s", out)
	}
	if _, log = command(t, elsewhere, 7, "status"); !strings.Contains(log, "app:application in "+dir) {
		t.Errorf("it is not listed elsewhere: %s", log)
	}

	second := run("second:application")
	if _, log = command(t, here, 2, "reload"); !strings.Contains(log, "2 servers fit") || strings.Count(log, "--control ") != 2 {
		t.Errorf("with two applications: %s", log)
	}
	command(t, here, 0, "reload", "second:application")
	must(t, second.Stop())

	again := run("app:application")
	m, err := again.AwaitLog(`another server of this application runs already.*--control (\S+)`)
	must(t, err)
	command(t, here, 2, "status")
	must(t, again.Signal(syscall.SIGSTOP))
	stopped := fmt.Sprintf("the server with pid %d is stopped", again.Pid())
	if _, log = command(t, elsewhere, 7, "status", "--control", m[1]); !strings.Contains(log, stopped) {
		t.Errorf("of a server that is stopped: %s", log)
	}
	if _, log = command(t, elsewhere, 7, "status"); !strings.Contains(log, stopped) || !strings.Contains(log, "--control "+m[1]) {
		t.Errorf("when a server is stopped that may be the one: %s", log)
	}
	must(t, again.Signal(syscall.SIGCONT))
	for range 40 { // enough for its worker to know its pace
		if a := get(again, "/"); a.status != 200 {
			t.Fatal(a)
		}
	}
	out, _ = command(t, elsewhere, 0, "status", "--control", m[1], "--json")
	var status struct {
		Pid, Connections int
		Generations      []struct{ Workers []struct{ Pace float64 } }
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil || status.Pid != again.Pid() || status.Generations[0].Workers[0].Pace <= 0 {
		t.Errorf("the second server's status, %v: %s", err, out)
	}

	// What killed servers leave is in nobody's way, and the next one clears it away.
	s.Kill()
	again.Kill()
	s.Wait()
	again.Wait()
	if left := sockets(); len(left) != 2 {
		t.Errorf("the killed servers have left %v", left)
	}
	command(t, here, 7, "status")
	s = run("app:application")
	command(t, here, 0, "status")
	if have := sockets(); len(have) != 1 {
		t.Errorf("there are the sockets %v", have)
	}
	must(t, s.Stop())
	if left := sockets(); len(left) > 0 {
		t.Errorf("these are left: %v", left)
	}
}

func TestControlPaths(t *testing.T) {
	path := filepath.Join(shortDir(t), "control")
	config := func(args ...string) server.Config {
		return server.Config{Application: "app:application", Dir: root(t, "examples", "hello"),
			Args: append(args, "--python", anyPython(t), "--workers", "1")}
	}
	s := start(t, config("--control", path))
	mistake(t, config("--control", path), 4, "--control "+path, "another server listens on this control socket")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	for where, why := range map[string]string{
		"/no/such/folder/control": "there is no folder /no/such/folder", "/proc/control": "/proc", "/dev/null/control": "/dev/null is not a folder",
		filepath.Dir(path): "this is a folder",
	} {
		mistake(t, config("--control", where), 4, "--control "+where+": ", why)
	}
	must(t, s.Stop())
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket's file stays")
	}

	runtime := shortDir(t)
	none := config("--control", "off")
	none.Env = []string{"XDG_RUNTIME_DIR=" + runtime}
	start(t, none)
	if found, _ := filepath.Glob(filepath.Join(runtime, "*", "control-*")); len(found) > 0 {
		t.Errorf("with --control off there is %v", found)
	}
}

// TestControlBelongsToItsUser: another user's command is turned away.
func TestControlBelongsToItsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can be another user as well")
		return
	}
	c := startChanging(t, "--workers", "1")
	open := filepath.Dir(c.control)
	must(t, os.Chmod(open, 0o755))
	nobody := server.Config{Dir: "/", User: 65534, Binary: filepath.Join(open, "gobridge")}
	binary, err := os.ReadFile(root(t, "bin", "gobridge"))
	must(t, err)
	must(t, os.WriteFile(nobody.Binary, binary, 0o755))
	if _, log := command(t, nobody, 7, "reload", "--control", c.control); !strings.Contains(log, "belongs to another user") {
		t.Errorf("by the file's mode: %s", log)
	}
	must(t, os.Chmod(c.control, 0o666))
	if _, log := command(t, nobody, 2, "reload", "--control", c.control); !strings.Contains(log, "user 65534 may not control") {
		t.Errorf("by the peer's name: %s", log)
	}
	if _, err := c.AwaitLog("somebody was kept from the control socket"); err != nil {
		t.Error(err)
	}
}

// TestServiceManager: it is told what the server does.
func TestServiceManager(t *testing.T) {
	path := filepath.Join(shortDir(t), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	defer manager.Close()
	must(t, manager.SetReadDeadline(time.Now().Add(server.Patience)))
	told := func(want string) {
		t.Helper()
		b := make([]byte, 1000)
		n, err := manager.Read(b)
		must(t, err)
		if !strings.HasPrefix(string(b[:n]), want) {
			t.Fatalf("the manager was told %q, want %q", b[:n], want)
		}
	}
	s := start(t, server.Config{Application: "app:application", Dir: root(t, "examples", "hello"),
		Env: []string{"NOTIFY_SOCKET=" + path}, Args: []string{"--workers", "1"}})
	told("READY=1\n")
	must(t, s.Signal(syscall.SIGHUP))
	told("RELOADING=1\nMONOTONIC_USEC=")
	told("READY=1\nSTATUS=generation 2 serves")
	must(t, s.Signal(syscall.SIGTERM))
	told("STOPPING=1")
}
