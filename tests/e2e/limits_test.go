package e2e

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

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
