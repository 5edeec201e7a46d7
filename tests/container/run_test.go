package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gobridge/tests/server"
)

// container is what is to be run.
type container struct {
	folder  string // its root file system
	config  imageConfig
	env     map[string]string // on top of the image's
	tmpfs   []string
	volumes map[string]string // folders of this machine, by their place inside
	command []string          // instead of the image's
}

// running is a container that was started.
type running struct {
	*container
	t       *testing.T
	unshare *exec.Cmd
	first   int // its process 1, as this machine counts it
	text    server.Record
	ended   chan struct{}
	address string
}

// variables are the container's environment: the image's, the home of its user, and its own.
func (c *container) variables() (out []string) {
	out = append(append(out, "HOME=/home/gobridge"), c.config.Env...)
	for name, value := range c.env {
		out = append(out, name+"="+value)
	}
	return out
}

// start runs the container, which is gone at the end of the test.
func (c *container) start(t *testing.T) *running {
	t.Helper()
	args := []string{"--mount", "--pid", "--fork", root(t, "tests", "container", "enter"), c.folder, c.config.User, c.config.WorkingDir}
	for _, path := range c.tmpfs {
		args = append(args, "--tmpfs", path)
	}
	for path, folder := range c.volumes {
		args = append(args, "--volume", folder+":"+path)
	}
	for _, variable := range c.variables() {
		args = append(args, "--env", variable)
	}
	command := c.command
	if len(command) == 0 {
		command = c.config.Cmd
	}
	r := &running{container: c, t: t, unshare: exec.Command("unshare", append(append(args, "--"), command...)...), ended: make(chan struct{})}
	r.unshare.Stdout, r.unshare.Stderr = &r.text, &r.text
	must(t, r.unshare.Start())
	go func() {
		_ = r.unshare.Wait() // ProcessState has it
		close(r.ended)
	}()
	t.Cleanup(func() {
		for !r.over() { // all processes of the namespace end with its first, and unshare with them
			if first := r.findFirst(); first != 0 {
				_ = syscall.Kill(first, syscall.SIGKILL) // an error says that it has ended
			}
			time.Sleep(time.Millisecond)
		}
		if t.Failed() {
			t.Logf("the container's log:\n%s", &r.text)
		}
	})
	return r
}

// servedOn finds the address in the line that says that the server serves.
var servedOn = regexp.MustCompile(`(?m)^gobridge \S+ serves .* on (?:http://([^\s,/]+)|uwsgi:unix:\S+) with .*$`)

// serve starts the container and waits until it serves.
func (c *container) serve(t *testing.T) *running {
	t.Helper()
	r := c.start(t)
	var m []string
	err := server.Await(func() bool {
		m = servedOn.FindStringSubmatch(r.text.String())
		return m != nil || r.over()
	})
	if err != nil || m == nil {
		t.Fatalf("the container does not serve: %v", err)
	}
	r.address = m[1]
	r.first = r.findFirst()
	return r
}

// findFirst is the container's process 1, as this machine counts it: what unshare has forked; 0
// if there is none.
func (r *running) findFirst() (pid int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", r.unshare.Process.Pid))
	if err == nil {
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil {
		return 0 // it has ended, or not begun
	}
	return pid
}

func (r *running) over() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// wait waits for the container's end and returns its exit code.
func (r *running) wait() int {
	r.t.Helper()
	must(r.t, server.Await(r.over))
	return r.unshare.ProcessState.ExitCode()
}

// stop does what docker stop does, and wants a good end.
func (r *running) stop() {
	r.t.Helper()
	must(r.t, syscall.Kill(r.first, syscall.SIGTERM))
	if code := r.wait(); code != 0 {
		r.t.Errorf("the container's exit code is %d", code)
	}
}

// do runs a command in the container, as docker exec does, and returns what it says, and its
// exit code.
func (r *running) do(command ...string) (text string, code int) {
	r.t.Helper()
	uid, gid, _ := strings.Cut(r.config.User, ":")
	args := []string{"--target", strconv.Itoa(r.first), "--mount", "--pid", "--root", "--wd", "--setuid", uid, "--setgid", gid, "/usr/bin/env", "-i"}
	out, err := exec.Command("nsenter", append(append(args, r.variables()...), command...)...).CombinedOutput()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), e.ExitCode()
	}
	must(r.t, err)
	return string(out), 0
}

// must runs a command in the container to its good end.
func (r *running) must(command ...string) string {
	r.t.Helper()
	text, code := r.do(command...)
	if code != 0 {
		r.t.Fatalf("%v in the container: exit code %d, %s", command, code, text)
	}
	return text
}

// client speaks with the container's server.
func (r *running) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", r.address)
	}}}
}

// process is one of the container's, as it sees them itself.
type process struct{ name, state, user string }

// processes are the container's, by their numbers.
func (r *running) processes() map[string]process {
	r.t.Helper()
	all := map[string]process{}
	// Some end meanwhile, so cat may fail.
	text, _ := r.do("sh", "-c", "cat /proc/[0-9]*/status")
	for about := range strings.SplitSeq(text, "Name:") {
		fields := map[string]string{}
		for line := range strings.Lines("Name:" + about) {
			name, value, _ := strings.Cut(line, ":")
			fields[name] = strings.TrimSpace(value)
		}
		if pid := fields["Pid"]; pid != "" {
			all[pid] = process{fields["Name"], strings.Fields(fields["State"])[0], strings.Fields(fields["Uid"])[0]}
		}
	}
	return all
}

// newVolume is a volume as an engine makes a new one: it takes over whose the folder at its
// place in the image is.
func newVolume(t *testing.T, folder, inside string) string {
	t.Helper()
	info, err := os.Stat(filepath.Join(folder, inside))
	must(t, err)
	volume := t.TempDir()
	must(t, os.Chmod(volume, info.Mode().Perm()|info.Mode()&os.ModeSticky))
	owner := info.Sys().(*syscall.Stat_t)
	must(t, os.Chown(volume, int(owner.Uid), int(owner.Gid)))
	for dir := filepath.Dir(volume); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755)) // so that it can be entered by whom it belongs to
	}
	return volume
}
