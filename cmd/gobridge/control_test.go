package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// fakeServer does what the control socket asks for, as a test wants it.
type fakeServer struct {
	answer controlAnswer
	about  serverStatus
	wait   chan struct{} // for the reload to end; nil: at once
}

func (f *fakeServer) reloadAsked(say func(string)) controlAnswer {
	say("half way")
	if f.wait != nil {
		<-f.wait
	}
	return f.answer
}

func (f *fakeServer) status() *serverStatus { return &f.about }

func serveControl(t *testing.T, path string, does controlled) *control {
	t.Helper()
	c, err := openControl(path, does, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	go c.run()
	t.Cleanup(c.close)
	return c
}

func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func TestControlAnswers(t *testing.T) {
	path := socketPath(t)
	f := &fakeServer{answer: controlAnswer{Code: exitApplication, Text: "it failed"}, about: serverStatus{Pid: 7, State: serving}}
	c := serveControl(t, path, f)
	var said []string
	a, err := ask(path, "reload", time.Minute, func(s string) { said = append(said, s) })
	if err != nil || a.Code != exitApplication || a.Text != "it failed" || fmt.Sprint(said) != "[half way]" {
		t.Errorf("reload: %+v, %v, %v", a, said, err)
	}
	if a, err = ask(path, "status", time.Minute, nil); err != nil || a.Status == nil || a.Status.Pid != 7 {
		t.Errorf("status: %+v, %v", a, err)
	}
	if a, err = ask(path, "dance", time.Minute, nil); err != nil || a.Code != exitUsage || !strings.Contains(a.Text, `"dance"`) {
		t.Errorf("an unknown request: %+v, %v", a, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	c.close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's file stays: %v", err)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) > 0 {
		t.Errorf("these stay: %v", left)
	}
}

// What is no request is answered, and harms nobody else.
func TestControlRefusesNonsense(t *testing.T) {
	path := socketPath(t)
	serveControl(t, path, &fakeServer{})
	for _, sent := range []string{"nonsense\n", "\n", strings.Repeat("x", 3*controlLine) + "\n", `{"do":1}` + "\n"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(sent)) // some of it may not be taken
		var a controlAnswer
		err = json.NewDecoder(conn).Decode(&a)
		if len(sent) < controlLine && (err != nil || !a.Done || a.Code != exitUsage) {
			t.Errorf("%.20q: %+v, %v", sent, a, err)
		}
		conn.Close()
	}
	silent, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if a, err := ask(path, "status", time.Minute, nil); err != nil || a.Status == nil {
		t.Errorf("beside a client that says nothing: %+v, %v", a, err)
	}
}

func TestAskErrors(t *testing.T) {
	path := socketPath(t)
	check := func(what string, limit time.Duration, code exitCode, text string) {
		t.Helper()
		if _, err := ask(path, "reload", limit, nil); err == nil || codeOf(err) != code || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v (code %d), want %q (code %d)", what, err, codeOf(err), text, code)
		}
	}
	check("nothing there", 0, exitNoServer, "no server has its control socket at "+path)
	abandoned(t, path)
	check("a file that was left", 0, exitNoServer, "no server listens on "+path)
	f := &fakeServer{wait: make(chan struct{})}
	serveControl(t, path, f)
	check("a long reload", 50*time.Millisecond, exitNotYet, "has not answered within 50ms")
	close(f.wait)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err == nil {
			conn.Close()
		}
	}()
	check("a server that ends", 0, exitNoServer, "ended before it had answered")
}

// abandoned leaves a socket's file on which nobody listens.
func abandoned(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestClaim(t *testing.T) {
	path := socketPath(t)
	first := serveControl(t, path, &fakeServer{})
	if _, err := openControl(path, &fakeServer{}, zerolog.Nop()); !errors.Is(err, errTaken) {
		t.Errorf("a second server's claim: %v", err)
	}
	first.close()
	abandoned(t, path)
	second := serveControl(t, path, &fakeServer{about: serverStatus{Pid: 2}})
	if a, err := ask(path, "status", time.Minute, nil); err != nil || a.Status.Pid != 2 {
		t.Errorf("in the place of one that was left: %+v, %v", a, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openControl(path, &fakeServer{}, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("in the place of another file: %v", err)
	}
	second.close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("somebody else's file was removed: %v", err)
	}
	long := filepath.Join(filepath.Dir(path), strings.Repeat("x", 100))
	if _, err := openControl(long, &fakeServer{}, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("a long path: %v", err)
	}
}

// Of servers that start at the same moment on what a killed one left, one gets the path.
func TestClaimIsOneOnly(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", filepath.Dir(socketPath(t)))
	t.Setenv("TMPDIR", dir)
	private, err := pyhost.PrivateDir(false)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(private, controlName(dir, "a:b"))
	abandoned(t, path)
	abandoned(t, path+"-4711")
	var wg sync.WaitGroup
	servers := make([]*service, 3)
	for i := range servers {
		servers[i] = &service{settings: &settings{application: "a:b", chdir: dir}, log: zerolog.Nop()}
		wg.Go(func() { servers[i].startOwnControl() })
	}
	wg.Wait()
	var have []string
	for _, v := range servers {
		if v.control != nil { // all of them have our pid, so that one finds both paths taken
			have = append(have, v.control.path)
			v.control.close()
		}
	}
	own := fmt.Sprintf("%s-%d", path, os.Getpid())
	if len(have) != 2 || !(have[0] == path && have[1] == own || have[0] == own && have[1] == path) {
		t.Errorf("they have %v", have)
	}
	if left, _ := filepath.Glob(filepath.Join(private, "*")); len(left) > 0 {
		t.Errorf("these are left: %v", left)
	}
}

// The same of a path that is named, on what a killed server has left there.
func TestNamedClaimIsOneOnly(t *testing.T) {
	path := socketPath(t)
	for range 20 {
		abandoned(t, path)
		var wg sync.WaitGroup
		servers := make([]*service, 4)
		errs := make([]error, len(servers))
		for i := range servers {
			servers[i] = &service{settings: &settings{control: path}, log: zerolog.Nop()}
			wg.Go(func() { errs[i] = servers[i].startControl() })
		}
		wg.Wait()
		have := 0
		for i, v := range servers {
			if v.control != nil {
				have++
				v.control.close()
			} else if !errors.Is(errs[i], errTaken) {
				t.Errorf("one that does not have it says %v", errs[i])
			}
		}
		if have != 1 {
			t.Fatalf("%d servers have it", have)
		}
	}
}

func TestFind(t *testing.T) {
	runtime := filepath.Dir(socketPath(t))
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	t.Setenv("TMPDIR", runtime)
	private, err := pyhost.PrivateDir(false)
	if err != nil {
		t.Fatal(err)
	}
	shop, blog := t.TempDir(), t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(shop, link); err != nil {
		t.Fatal(err)
	}
	abandoned(t, filepath.Join(private, "control-left"))
	for i, s := range []serverStatus{{Application: "a:b", Dir: shop}, {Application: "c:d", Dir: shop}, {Application: "a:b", Dir: blog}} {
		s.Pid = i + 1
		serveControl(t, filepath.Join(private, fmt.Sprintf("control-%d", i+1)), &fakeServer{about: s})
	}
	for _, c := range []struct {
		what string
		wanted
		pid  int
		code exitCode
		text string
	}{
		{"alone in its folder", wanted{dir: blog}, 3, 0, ""},
		{"by its name", wanted{dir: shop, application: "c:d"}, 2, 0, ""},
		{"through a link", wanted{dir: link, application: "a:b"}, 1, 0, ""},
		{"two in a folder", wanted{dir: shop}, 0, exitUsage, "c:d in " + shop + ", pid 2: --control " + filepath.Join(private, "control-2")},
		{"in another folder", wanted{dir: runtime}, 0, exitNoServer, "a:b in " + blog + ", pid 3"},
		{"another name", wanted{dir: blog, application: "c:d"}, 0, exitNoServer, "a server of c:d in " + blog + " was not found"},
	} {
		s, err := c.find()
		switch {
		case c.pid != 0:
			if err != nil || s.status.Pid != c.pid {
				t.Errorf("%s: %+v, %v", c.what, s, err)
			}
		case err == nil || codeOf(err) != c.code || !strings.Contains(err.Error(), c.text):
			t.Errorf("%s: %v (code %d)", c.what, err, codeOf(err))
		}
	}
}

// Nobody's folder but the one of whom its name says is looked into.
func TestOwnFolder(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, pyhost.PrivateName(os.Geteuid()))
	if err := os.Mkdir(good, 0o700); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, pyhost.PrivateName(os.Geteuid()+1))
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if !ownFolder(good) || ownFolder(other) || ownFolder(filepath.Join(dir, "none")) {
		t.Errorf("%v, %v", ownFolder(good), ownFolder(other))
	}
	if err := os.Chmod(good, 0o755); err != nil || ownFolder(good) {
		t.Errorf("one that is open to others is good (%v)", err)
	}
}

// TestMayControl: the same user may. Another one is turned away before the file's mode is asked.
func TestMayControl(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	file := os.NewFile(uintptr(pair[0]), "pair")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := mayControl(conn.(*net.UnixConn)); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		peer, own uint32
		may       bool
	}{{0, 1000, true}, {1000, 1000, true}, {1001, 1000, false}, {1000, 0, false}} {
		if (allowed(c.peer, c.own) == nil) != c.may {
			t.Errorf("user %d at a server of user %d: %v", c.peer, c.own, allowed(c.peer, c.own))
		}
	}
}
