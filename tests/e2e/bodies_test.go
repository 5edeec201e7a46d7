package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gobridge/tests/server"
)

// startBodies serves apps/bodies.py with one worker of one thread, which a slow client would
// hold. Bodies are stored in dir.
func startBodies(t *testing.T, dir string, args ...string) *server.Server {
	t.Helper()
	return start(t, server.Config{Application: "bodies:application", Args: append(args, "--spool-dir", dir, "--workers", "1", "--threads", "1")})
}

// upload is a POST and what bodies.py says of it.
func upload(path string, body []byte, chunked bool) (head, framed, want string) {
	head, framed = fmt.Sprintf("Content-Length: %d", len(body)), string(body)
	if chunked {
		head, framed = "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	}
	return fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", path, head), framed,
		fmt.Sprintf("%d %x %d None True", len(body), sha256.Sum256(body), len(body))
}

// TestBodiesAreTakenIn: clients whose bodies and heads come slowly hold no worker, and every
// byte comes to the application, however it reads; long bodies from files that nobody sees.
func TestBodiesAreTakenIn(t *testing.T) {
	body, err := io.ReadAll(randomBytes(3_000_000))
	must(t, err)
	onEach(t, func(t *testing.T, p *python, host string) {
		dir := t.TempDir()
		s := startBodies(t, dir, "--python", p.path, "--host", host, "--reactors", reactorsFor(host))
		type slow struct {
			*connection
			rest, want string
		}
		var waiting []slow
		for _, size := range []int{1, 1000, 64 << 10, 64<<10 + 1, 300_000, len(body)} {
			for _, path := range []string{"pieces", "lines", "all", "unread"} {
				for _, chunked := range []bool{false, true} {
					c := connect(t, s)
					head, framed, want := upload(path, body[:size], chunked)
					held := 1 + len(framed)/3
					c.send(t, "%s", head)
					c.send(t, "%s", framed[:len(framed)-held])
					waiting = append(waiting, slow{c, framed[len(framed)-held:], want})
				}
			}
			connect(t, s).send(t, "GET /never HTTP/1.1\r\nHost: ")
		}
		pid := mustGet(t, s, "/pid").body // nobody is in its way
		for i, c := range waiting {
			c.send(t, "%s", c.rest)
			if a := c.receive("POST"); a.err != nil || a.status != 200 || a.body != c.want && a.body != pid {
				t.Errorf("upload %d: %+v, want %s", i, a, c.want)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("the folder has %v, %v", left, err)
		}
		must(t, s.AtRest())
		must(t, noneDeleted(s.Pid()))
		for _, worker := range s.Workers() {
			must(t, noneDeleted(worker))
		}
	})
}

// noneDeleted waits until a process has no file open that has no name any more.
func noneDeleted(pid int) error {
	return server.Await(func() bool {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, link := range links {
			to, _ := os.Readlink(link)
			if strings.HasSuffix(to, "(deleted)") && !strings.HasPrefix(to, "/memfd:") {
				return false
			}
		}
		return err == nil
	})
}

// limit sets how much of a resource a process may use, and returns what takes that back.
func limit(t *testing.T, pid, resource int, most uint64) (back func()) {
	t.Helper()
	var old unix.Rlimit
	must(t, unix.Prlimit(pid, resource, nil, &old))
	set := func(most uint64) {
		t.Helper()
		must(t, unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: old.Max}, nil))
	}
	set(most)
	return func() { set(old.Cur) }
}

// firstFree is the number that a process's next descriptor would have: with that as its limit
// it can have none.
func firstFree(t *testing.T, pid int) (n uint64) {
	t.Helper()
	for ; ; n++ {
		if _, err := os.Lstat(fmt.Sprintf("/proc/%d/fd/%d", pid, n)); err != nil {
			return n
		}
	}
}

// TestNoRoomForBodies: when a body finds no room on the disk, or there is no descriptor for
// its file, its client is told and the log says why. All else goes on, and so do bodies when
// the shortage is over.
func TestNoRoomForBodies(t *testing.T) {
	body, err := io.ReadAll(randomBytes(500_000))
	must(t, err)
	post := func(t *testing.T, c *connection, size int) answer {
		t.Helper()
		head, framed, want := upload("pieces", body[:size], true)
		c.send(t, "%s", head)
		if _, err := io.WriteString(c, framed); err != nil {
			t.Log("sending:", err) // it may be refused amid it
		}
		a := c.receive("POST")
		if a.status == 200 && a.body != want {
			t.Errorf("%+v, want %s", a, want)
		}
		return a
	}
	type shortage struct {
		name   string
		begin  func(t *testing.T, s *server.Server, dir string) (end func())
		status int
		log    string
	}
	shortages := []shortage{
		{"files may not be so long", func(t *testing.T, s *server.Server, dir string) func() {
			return limit(t, s.Pid(), unix.RLIMIT_FSIZE, 200_000)
		},
			507, "has no room on the disk"},
		{"no descriptors", func(t *testing.T, s *server.Server, dir string) func() {
			return limit(t, s.Pid(), unix.RLIMIT_NOFILE, firstFree(t, s.Pid()))
		}, 503, "for want of file descriptors"},
		{"no descriptors in the worker", func(t *testing.T, s *server.Server, dir string) func() {
			worker := s.Workers()[0]
			return limit(t, worker, unix.RLIMIT_NOFILE, firstFree(t, worker))
		}, 500, "OSError: the request body cannot be read .*too many files open"},
	}
	if os.Getuid() == 0 {
		shortages = append(shortages, shortage{"a full disk", func(t *testing.T, s *server.Server, dir string) func() {
			must(t, unix.Mount("small", dir, "tmpfs", 0, "size=300k"))
			return func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) }
		}, 507, "has no room on the disk"})
	}
	for _, short := range shortages {
		t.Run(short.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := startBodies(t, dir)
			kept := connect(t, s)
			pid := mustGet(t, s, "/pid").body
			large := []*connection{connect(t, s), connect(t, s), connect(t, s)}
			for _, c := range large { // so that they are there when there are no more descriptors
				c.send(t, "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
				c.receive("GET")
			}
			kept.send(t, "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
			kept.receive("GET")
			end := short.begin(t, s, dir)
			for _, c := range large[:2] {
				if a := post(t, c, len(body)); a.status != short.status {
					t.Errorf("%+v, want %d", a, short.status)
				}
			}
			if _, err := s.AwaitLog(short.log); err != nil {
				t.Error(err)
			}
			if a := post(t, kept, 50_000); a.status != 200 {
				t.Errorf("a body that memory holds: %+v", a)
			}
			end()
			if a := post(t, large[2], len(body)); a.status != 200 {
				t.Errorf("afterwards: %+v", a)
			}
			if again := mustGet(t, s, "/pid").body; again != pid {
				t.Errorf("the worker is another one: %s instead of %s", again, pid)
			}
			must(t, s.AtRest())
			must(t, noneDeleted(s.Pid()))
		})
	}
}

// TestSpoolDir: a folder that will not do is a wrong setting; one in memory is told of.
func TestSpoolDir(t *testing.T) {
	dir := t.TempDir()
	for _, wrong := range []string{filepath.Join(dir, "none"), "/proc"} {
		code, _, log, err := server.Command(server.Config{Dir: root(t, "tests", "e2e", "apps")},
			"run", "bodies:application", "--bind", "127.0.0.1:0", "--python", anyPython(t), "--spool-dir", wrong)
		if err != nil || code != 2 || !strings.Contains(log, "--spool-dir "+wrong) {
			t.Errorf("%s: code %d, %v\n%s", wrong, code, err, log)
		}
	}
	var about unix.Statfs_t
	must(t, unix.Statfs("/dev/shm", &about))
	if s := startBodies(t, "/dev/shm"); about.Type == unix.TMPFS_MAGIC && !strings.Contains(s.Log(), "/dev/shm, where long request bodies are stored, is a tmpfs") {
		t.Errorf("nothing is said of a folder in memory:\n%s", s.Log())
	}
}
