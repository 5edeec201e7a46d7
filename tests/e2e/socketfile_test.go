package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

// Unix sockets have the mode and the owner that they are to have, for as long as the server runs.
func TestSocketFiles(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	control := filepath.Join(dir, "control")
	paths := []string{filepath.Join(dir, "http"), filepath.Join(dir, "uwsgi")}
	uid, gid, owner := uint32(os.Getuid()), uint32(os.Getgid()), ":"+strconv.Itoa(os.Getgid())
	if os.Getuid() == 0 {
		uid, gid, owner = 4711, 65534, "4711:nogroup"
	}
	s := startHello(t, server.Config{Bind: "unix:" + paths[0], Args: []string{"--bind", "uwsgi:unix:" + paths[1], "--workers", "1",
		"--chmod-socket", "620", "--chown-socket", owner, "--control", control}})
	check := func(when string) {
		t.Helper()
		for _, path := range paths {
			var at syscall.Stat_t
			must(t, syscall.Lstat(path, &at))
			if at.Mode != syscall.S_IFSOCK|0o620 || at.Uid != uid || at.Gid != gid {
				t.Errorf("%s: %s has the mode %o and belongs to %d:%d, want 620 and %d:%d", when, path, at.Mode, at.Uid, at.Gid, uid, gid)
			}
		}
	}
	check("at the start")
	if out, err := s.Reload(control); err != nil {
		t.Errorf("reload: %v, %s", err, out)
	}
	check("after a reload")
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--bind", "unix:" + paths[0]}, 4, "another program listens on this socket"},
		{[]string{"--bind", "unix:" + filepath.Join(dir, "file")}, 4, "which is not a socket"},
		{[]string{"--chmod-socket", "rw"}, 2, "--chmod-socket rw: must be permissions in octal"},
		{[]string{"--chmod-socket", "1777"}, 2, "must be permissions in octal"},
		{[]string{"--chown-socket", "www data"}, 2, "must be USER, USER:GROUP or :GROUP"},
		{[]string{"--chown-socket", "nobody-here"}, 2, `there is no user "nobody-here" on this machine`},
		{[]string{"--chown-socket", "0:nobody-here"}, 2, `there is no group "nobody-here" on this machine`},
		{[]string{"--umask", "007"}, 2, "here it is --chmod-socket"},
		{[]string{"--bind", "https:127.0.0.1:0"}, 2, "needs a certificate: --certfile"},
		{[]string{"--certfile", "/dev/null"}, 2, "nothing is encrypted, for no --bind begins with https: or suwsgi:"},
		{[]string{"--bind", "suwsgi:127.0.0.1:0", "--certfile", "/dev/null", "--cert-reqs", "2"}, 2, "--ca-certs must say"},
		{[]string{"--bind", "suwsgi:127.0.0.1:0", "--certfile", "/dev/null"}, 2, "use the certificate in /dev/null"},
		{[]string{"--bind", "suwsgi:127.0.0.1:0", "--certfile", "/nowhere"}, 2, "no such file"},
	} {
		code, _, log, err := server.Command(server.Config{Dir: root(t, "examples", "hello")}, append([]string{"run", "app:application", "--control", "off"}, c.args...)...)
		must(t, err)
		if code != c.code || !strings.Contains(log, c.want) {
			t.Errorf("%q: code %d, %s", c.args, code, log)
		}
	}
	check("after others have come")
	must(t, s.Stop())
	for _, path := range paths {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}
