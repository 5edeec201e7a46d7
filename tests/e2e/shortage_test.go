package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

// apart runs gobridge in a mount namespace of its own, in which a command has mounted what
// the test needs; its $0 is a path.
func apart(t *testing.T, mount, path string, command ...string) []string {
	unshare := []string{"unshare", "--mount"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--map-root-user")
	}
	return append(append(unshare, "sh", "-c", mount+` && exec "$@"`, path, root(t, "bin", "gobridge"), "run"), command...)
}

// TestWorkerIsKilledForMemory: the kernel counts whom it kills because memory is short. Here
// the count is a file of the test's.
func TestWorkerIsKilledForMemory(t *testing.T) {
	t.Parallel()
	count := filepath.Join(t.TempDir(), "vmstat")
	write := func(n int) {
		must(t, os.WriteFile(count, fmt.Appendf(nil, "nr_free_pages 1\noom_kill %d\n", n), 0o600))
	}
	write(4)
	noted, variable := notes(t)
	s := start(t, server.Config{Command: apart(t, `mount --bind "$0" /proc/vmstat`, count, "behaviour:application"), Env: []string{variable}, Args: []string{"--workers", "2"}})
	kill := func() string {
		t.Helper()
		pid, err := strconv.Atoi(mustGet(t, s, "/pid").body)
		must(t, err)
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		awaitWorkers(t, s, 2, pid)
		return strconv.Itoa(pid)
	}
	if _, err := s.AwaitLog(`worker ` + kill() + ` was killed by SIGKILL; another one takes its place`); err != nil {
		t.Error(err)
	}
	lost := make(chan answer)
	go func() { lost <- get(s, "/sleep?seconds=600") }()
	pid, err := strconv.Atoi(awaitNote(t, noted, "sleep"))
	must(t, err)
	write(5)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	if a := <-lost; a.status != http.StatusBadGateway {
		t.Errorf("the request that it ran: %+v", a)
	}
	if _, err := s.AwaitLog(fmt.Sprintf(`worker %d was killed by SIGKILL, most likely by the kernel because the machine was out of memory \(oom_kill has grown in /proc/vmstat\); another one takes its place.*GET /sleep`, pid)); err != nil {
		t.Error(err)
	}
	awaitWorkers(t, s, 2, pid)
	for range 20 {
		mustGet(t, s, "/pid")
	}
	must(t, s.AtRest())
}

// TestWorkerIsKilledByTheKernel does so where it may make a cgroup that limits memory: root may,
// where the file system of cgroups is there to be written. Elsewhere TestWorkerIsKilledForMemory
// shows what the front makes of the kernel's count.
func TestWorkerIsKilledByTheKernel(t *testing.T) {
	t.Parallel()
	group, err := limitedGroup(t, 300<<20)
	if err != nil {
		t.Logf("no cgroup can be made here: %v", err)
		return
	}
	noted, variable := notes(t)
	s := start(t, server.Config{Env: []string{variable}, Args: []string{"--workers", "2", "--log-level", "debug"},
		Command: []string{"sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, group, root(t, "bin", "gobridge"), "run", "behaviour:application"}})
	if _, err := s.AwaitLog(fmt.Sprintf(`what is auto is settled memory-budget=%d `, 75<<20)); err != nil {
		t.Error(err)
	}
	if a := get(s, "/grow"); a.status != http.StatusBadGateway {
		t.Errorf("the request that wants too much: %+v", a)
	}
	pid, err := strconv.Atoi(awaitNote(t, noted, "grow"))
	must(t, err)
	if _, err := s.AwaitLog(fmt.Sprintf(`worker %d was killed by SIGKILL, most likely by the kernel because the cgroup was out of its memory of 300 MiB.*another one takes its place.*GET /grow`, pid)); err != nil {
		t.Error(err)
	}
	awaitWorkers(t, s, 2, pid)
	for range 20 {
		mustGet(t, s, "/pid")
	}
	must(t, s.AtRest())
}

// limitedGroup makes a cgroup of either version with so much memory below the test's own, or,
// where that has processes and so can have none (cgroups(7)), beside it.
func limitedGroup(t *testing.T, limit int) (dir string, err error) {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	must(t, err)
	for line := range strings.Lines(string(own)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		files := map[string][]string{
			"memory": {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"},
			"":       {"/sys/fs/cgroup", "memory.max", "memory.swap.max"},
		}[parts[1]]
		if files == nil {
			continue
		}
		for _, above := range []string{parts[2], filepath.Dir(parts[2])} {
			dir = filepath.Join(files[0], above, fmt.Sprintf("gobridge-test-%d", os.Getpid()))
			if err = os.Mkdir(dir, 0o700); err != nil {
				continue
			}
			t.Cleanup(func() { os.Remove(dir) }) // no process of the server is left in it
			if err = setLimit(dir, files[1], limit); err == nil {
				if err := setLimit(dir, files[2], limit); err != nil {
					t.Logf("swap is not limited: %v", err)
				}
				return dir, nil
			}
		}
	}
	return "", err
}

// setLimit writes into a file that a file system of cgroups has made.
func setLimit(dir, name string, limit int) error {
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(file, limit)
	return errors.Join(err, file.Close())
}

// TestFullLogDisk: the file system of the access log is full for a while.
func TestFullLogDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	path := filepath.Join(disk, "access.log")
	s := start(t, server.Config{Command: apart(t, `mount -t tmpfs -o size=64k none "$0"`, disk, "app:application"), Dir: root(t, "examples", "hello"),
		Args: []string{"--workers", "1", "--access-log", path}})
	inside := fmt.Sprintf("/proc/%d/root", s.Pid())
	logged := func(what string) func() bool {
		return func() bool {
			text, _ := os.ReadFile(filepath.Join(inside, path))
			return strings.Contains(string(text), what)
		}
	}
	mustGet(t, s, "/before")
	must(t, server.Await(logged("GET /before ")))
	fill := filepath.Join(inside, disk, "fill")
	if err := os.WriteFile(fill, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("a megabyte fits onto the small disk")
	}
	must(t, server.Await(func() bool { // until the page that the log has begun is full, too
		for range 20 {
			mustGet(t, s, "/meanwhile")
		}
		return strings.Contains(s.Log(), "the access log cannot be written: its lines are lost until it can")
	}))
	if !strings.Contains(s.Log(), "no space left on device") {
		t.Error("it is not said why")
	}
	must(t, os.Remove(fill))
	must(t, server.Await(func() bool { mustGet(t, s, "/after"); return logged("GET /after ")() }))
	m, err := s.AwaitLog(`the access log can be written again; lines were lost.* lines=(\d+)`)
	must(t, err)
	text, err := os.ReadFile(filepath.Join(inside, path))
	must(t, err)
	if m[1] == "0" {
		t.Errorf("no line was lost:\n%s", text)
	}
	for line := range strings.Lines(string(text)) {
		if n := strings.Count(line, "HTTP/1.1"); n > 1 {
			t.Errorf("a line with %d requests: %s", n, line)
		}
	}
}

// TestFullLog: nothing that the server writes anywhere can be written.
func TestFullLog(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(shortDir(t), "s")
	s, err := server.Run(server.Config{Command: []string{"sh", "-c", `exec "$@" >/dev/full 2>&1`, "sh", root(t, "bin", "gobridge"), "run", "app:application"},
		Dir: root(t, "examples", "hello"), Bind: "unix:" + socket, Args: []string{"--workers", "1", "--python", anyPython(t), "--control", "off", "--access-log", "/dev/full"}})
	must(t, err)
	defer s.Kill()
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) },
	}}
	defer client.CloseIdleConnections()
	must(t, server.Await(func() bool { return read(client.Get("http://localhost/")).body == greeting }))
	for range 100 {
		if a := read(client.Get("http://localhost/")); a.body != greeting {
			t.Fatalf("%+v", a)
		}
	}
	must(t, s.Stop())
}

// TestAccessLogIsOpenedAnew at SIGUSR1, as logrotate has it.
func TestAccessLogIsOpenedAnew(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	must(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "access.log")
	s := startHello(t, server.Config{Args: []string{"--workers", "1", "--access-log", path}})
	has := func(file, what string) {
		t.Helper()
		if err := server.Await(func() bool { text, _ := os.ReadFile(file); return strings.Contains(string(text), what) }); err != nil {
			t.Errorf("%s has no %q", file, what)
		}
	}
	rotated := path + ".1"
	mustGet(t, s, "/one")
	must(t, os.Rename(path, rotated))
	mustGet(t, s, "/two")
	has(rotated, "GET /two ")
	must(t, s.Signal(syscall.SIGUSR1))
	_, err := s.AwaitLog("the access log was opened anew")
	must(t, err)
	mustGet(t, s, "/three")
	has(path, "GET /three ")
	if text, _ := os.ReadFile(path); strings.Contains(string(text), "GET /two ") {
		t.Errorf("the new file has an old line: %s", text)
	}
	moved := dir + ".moved"
	must(t, os.Rename(dir, moved))
	must(t, s.Signal(syscall.SIGUSR1))
	_, err = s.AwaitLog("the access log could not be opened anew: it goes on in the file that was opened before.*no such file or directory")
	must(t, err)
	mustGet(t, s, "/four")
	has(filepath.Join(moved, "access.log"), "GET /four ")
}
