package nginx

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

// Folder makes a folder for an nginx, and the account that it runs as, to which the folder
// belongs: nobody's if the tests run as root.
func Folder(t testing.TB) (dir string, account *syscall.Credential) {
	t.Helper()
	dir, err := os.MkdirTemp("", "gobridge-nginx")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Getuid() != 0 {
		return dir, nil
	}
	nobody, err := user.Lookup("nobody")
	must(t, err)
	uid, err := strconv.Atoi(nobody.Uid)
	must(t, err)
	gid, err := strconv.Atoi(nobody.Gid)
	must(t, err)
	must(t, os.Chown(dir, uid, gid))
	return dir, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// Base begins a configuration, for the folder that is the first of what it is formatted with: up
// to what stands in the block of http, which is open.
const Base = `
daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
`

// expected are what nginx says of what is as it should be: that an upload is kept in a file is
// told as a warning.
var expected = []string{"is buffered to a temporary file", "[notice]"}

// Start runs nginx with that configuration until the end of the test, and waits until it listens
// on the socket of that name in the folder. What it complains about is an error, but for lines
// with one of the texts in may.
func Start(t testing.TB, dir string, account *syscall.Credential, config, socket string, may ...string) {
	t.Helper()
	file := filepath.Join(dir, "nginx.conf")
	must(t, os.WriteFile(file, []byte(config), 0o644))
	log := new(server.Record)
	nginx := exec.Command(program(t), "-p", dir, "-c", file, "-e", "stderr")
	nginx.Dir, nginx.Stderr = dir, log
	nginx.SysProcAttr = &syscall.SysProcAttr{Credential: account}
	must(t, nginx.Start())
	t.Cleanup(func() {
		if err := nginx.Process.Signal(syscall.SIGQUIT); err != nil {
			t.Error(err)
		}
		if err := nginx.Wait(); err != nil {
			t.Errorf("nginx: %v", err)
		}
		for line := range strings.Lines(log.String()) {
			if !slices.ContainsFunc(append(may, expected...), func(text string) bool { return strings.Contains(line, text) }) {
				t.Errorf("nginx: %s", line)
			}
		}
	})
	err := server.Await(func() bool {
		conn, err := net.Dial("unix", filepath.Join(dir, socket))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	if err != nil {
		t.Fatalf("nginx does not listen: %s", log)
	}
}

// program is nginx's path, which is not on everyone's PATH.
func program(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("nginx"); err == nil {
		return path
	}
	const path = "/usr/sbin/nginx"
	if _, err := os.Stat(path); err != nil {
		t.Fatal("nginx is missing: scripts/setup test installs it, or apt-get install nginx-light")
	}
	return path
}

// Client is one of the nginx that listens on the socket of that name.
func Client(dir, socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", filepath.Join(dir, socket))
		},
	}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
