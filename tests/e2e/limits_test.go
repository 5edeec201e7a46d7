package e2e

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gobridge/tests/server"
)

// limited is a shell that runs gobridge with few descriptors.
func limited(t *testing.T) []string {
	return []string{"sh", "-c", `ulimit -n 128; exec "$@"`, "sh", root(t, "bin", "gobridge"), "run"}
}

// TestDescriptorsAreSpared: clients that hold all the connections there may be leave
// enough descriptors to replace workers, to reload and to say how the server is.
func TestDescriptorsAreSpared(t *testing.T) {
	_, variable := notes(t)
	s := start(t, server.Config{Command: append(limited(t), "behaviour:application"), Env: []string{variable},
		Args: []string{"--workers", "2", "--control", filepath.Join(shortDir(t), "control")}})
	m, err := s.AwaitLog(`(\d+) connections at most, for the process may open no more than 128 files`)
	must(t, err)
	first := connect(t, s)
	for range 150 {
		connect(t, s)
	}
	full := regexp.MustCompile(`in use connections=` + m[1] + `\b`)
	must(t, server.Await(func() bool {
		_, err := s.Usage()
		return err == nil && full.MatchString(s.Log())
	}))
	for range 3 {
		old := s.Workers()
		must(t, syscall.Kill(old[0], syscall.SIGKILL))
		awaitWorkers(t, s, 2, old[0])
	}
	must(t, s.Signal(syscall.SIGHUP))
	if _, err := s.AwaitLog(`generation 2 serves`); err != nil {
		t.Error(err)
	}
	first.send(t, "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
	if a := first.receive("GET"); a.status != 200 {
		t.Errorf("a client among %s: %+v", m[1], a)
	}
}

// TestNoDescriptors: when there is none left, those who are connected are served, those who are
// not wait, and it is said why.
func TestNoDescriptors(t *testing.T) {
	t.Parallel()
	s, _ := startBehaviour(t, "--workers", "1")
	kept := connect(t, s)
	ask := func(c *connection) answer {
		c.send(t, "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
		return c.receive("GET")
	}
	first := ask(kept)
	back := limit(t, s.Pid(), unix.RLIMIT_NOFILE, firstFree(t, s.Pid()))
	waits := connect(t, s)
	waits.send(t, "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := s.AwaitLog("no connection can be accepted, because the process has no file descriptors left: raise its limit"); err != nil {
		t.Error(err)
	}
	if a := ask(kept); a.status != 200 || a.body != first.body {
		t.Errorf("a client that was there before: %+v", a)
	}
	back()
	if a := waits.receive("GET"); a.status != 200 || a.body != first.body {
		t.Errorf("one that came meanwhile: %+v, by worker %s before", a, first.body)
	}
	must(t, s.AtRest())
}

// TestFullOutput: standard output is a pipe that is full, with somebody who does not read.
func TestFullOutput(t *testing.T) {
	dir := shortDir(t)
	shell := `mkfifo "$0" && exec 3<>"$0" && head -c 65536 /dev/zero >&3 && exec "$@" >&3`
	socket := filepath.Join(dir, "s")
	s, err := server.Run(server.Config{Command: []string{"sh", "-c", shell, filepath.Join(dir, "full"), root(t, "bin", "gobridge"), "run", "app:application"},
		Dir: root(t, "examples", "hello"), Bind: "unix:" + socket, Args: []string{"--workers", "1", "--python", anyPython(t), "--control", "off"}})
	must(t, err)
	defer s.Kill()
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) },
	}}
	must(t, server.Await(func() bool {
		defer client.CloseIdleConnections()
		return read(client.Get("http://localhost/")).body == greeting
	}))
	must(t, s.Stop())
}
