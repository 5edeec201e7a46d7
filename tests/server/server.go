package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Patience is how long anything that the server does in a moment may take.
const Patience = 3 * time.Minute

// Config says what to run. The zero value of a field is its default.
type Config struct {
	Binary      string      // default: bin/gobridge of this repository
	Command     []string    // instead of the binary: what runs it, and takes further arguments
	Application string      // module:attribute; none with a Command
	Dir         string      // where it runs
	Bind        string      // default: a free port on 127.0.0.1
	Args        []string    // further arguments of gobridge run
	Env         []string    // variables set on top of the test's own
	Group       bool        // in a process group of its own
	Terminal    *os.File    // in which it runs, in a session of its own; default: none
	MayEnd      bool        // UntilEnd: before the test does
	User        uint32      // as whom it runs; default: the test's own
	TLS         *tls.Config // what a client needs of its first address; default: that is not encrypted
}

// Server is a gobridge that serves, or that has served.
type Server struct {
	Ready string // the line that it printed

	process          *exec.Cmd
	network, address string
	tls              *tls.Config
	output, log      Record
	ended            chan struct{}
}

// served is the line that says the server is ready, with its first address.
var served = regexp.MustCompile(`(?m)^.* on (?:(?:https?|s?uwsgi|fastcgi|scgi)://([^\s,/]+)|(?:(?:https|s?uwsgi|fastcgi|scgi):)?unix:([^\s,]+)).* with .*\b$`)

// Start runs gobridge until it serves. An error holds what it wrote.
func Start(c Config) (*Server, error) {
	s, err := Run(c)
	if err != nil {
		return nil, err
	}
	var m []string
	err = Await(func() bool {
		alive := s.Alive()
		m = served.FindStringSubmatch(s.Output())
		return m != nil || !alive
	})
	if err != nil || m == nil {
		s.Kill()
		return nil, fmt.Errorf("the server did not start (exit code %d):\n%s%s", s.Wait(), s.Output(), s.Log())
	}
	s.Ready = m[0]
	if s.network, s.address = "tcp", m[1]; m[1] == "" {
		s.network, s.address = "unix", m[2]
	}
	return s, nil
}

// Run starts gobridge and does not wait for it to serve.
func Run(c Config) (*Server, error) {
	command, err := c.command()
	if err != nil {
		return nil, err
	}
	s := &Server{process: exec.Command(command[0], command[1:]...), ended: make(chan struct{}), tls: c.TLS}
	c.prepare(s.process)
	s.process.Stdout, s.process.Stderr = &s.output, &s.log
	s.process.WaitDelay = 30 * time.Second // what an application leaves behind may hold the pipes
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	go func() {
		// The error says no more than ProcessState, which Wait asks. The pipes are read
		// until workers that live a moment longer have closed them.
		_ = s.process.Wait()
		close(s.ended)
	}()
	return s, nil
}

// prepare gives a process its surroundings.
func (c *Config) prepare(p *exec.Cmd) {
	p.Dir, p.Env = c.Dir, append(environment(), c.Env...)
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: c.Group}
	if c.Terminal != nil {
		p.Stdin = c.Terminal
		p.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // Ctty is 0, standard input
	}
	if c.User != 0 {
		p.SysProcAttr.Credential = &syscall.Credential{Uid: c.User, Gid: c.User}
	}
}

// Command runs a gobridge command such as status to its end.
func Command(c Config, args ...string) (code int, out, log string, err error) {
	binary, err := c.binary()
	if err != nil {
		return 0, "", "", err
	}
	var printed, logged strings.Builder
	p := exec.Command(binary, args...)
	c.prepare(p)
	p.Stdout, p.Stderr = &printed, &logged
	err = p.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		err = nil
	}
	return p.ProcessState.ExitCode(), printed.String(), logged.String(), err
}

// command is the whole command line.
func (c *Config) command() ([]string, error) {
	command := c.Command
	if len(command) == 0 {
		binary, err := c.binary()
		if err != nil {
			return nil, err
		}
		command = []string{binary, "run", c.Application}
	}
	bind := c.Bind
	if bind == "" {
		bind = "127.0.0.1:0"
	}
	return append(append(command, "--bind", bind), c.Args...), nil
}

// binary is a full path, because it starts in another folder.
func (c *Config) binary() (string, error) {
	path := c.Binary
	if path == "" {
		root, err := Root()
		if err != nil {
			return "", err
		}
		path = filepath.Join(root, "bin", "gobridge")
	}
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return "", fmt.Errorf("%w (make build brings it)", err)
	}
	return path, nil
}

// environment is the test's own, without what would change which Python is found, or
// leave files in the source folders.
func environment() (kept []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if name != "VIRTUAL_ENV" && !strings.HasPrefix(name, "GOBRIDGE_") && !strings.HasPrefix(name, "PYTHON") {
			kept = append(kept, v)
		}
	}
	return append(kept, "PYTHONDONTWRITEBYTECODE=1")
}

// Root is the repository's folder.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("no folder above has a go.mod")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// Dial connects to the server.
func (s *Server) Dial() (net.Conn, error) {
	if s.tls != nil {
		return tls.Dial(s.network, s.address, s.tls)
	}
	return net.Dial(s.network, s.address)
}

// Address is the HOST:PORT or the path that it listens on.
func (s *Server) Address() string { return s.address }

// URL is that of a path on the server; for Client alone if it listens on a unix socket.
func (s *Server) URL(path string) string {
	if s.network == "unix" {
		return "http://localhost" + path
	}
	if s.tls != nil {
		return "https://" + s.address + path
	}
	return "http://" + s.address + path
}

// Client returns an HTTP client that connects to this server, whatever the URL's host is.
func (s *Server) Client() *http.Client {
	dial := func(context.Context, string, string) (net.Conn, error) { return s.Dial() }
	return &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial}}
}

// Log is what the server and its application have written to standard error.
func (s *Server) Log() string { return s.log.String() }

// Output is what they have written to standard output.
func (s *Server) Output() string { return s.output.String() }

// AwaitLog waits until the pattern is in the log, and returns the match with its groups.
func (s *Server) AwaitLog(pattern string) ([]string, error) {
	want := regexp.MustCompile(pattern)
	var m []string
	err := Await(func() bool {
		m = want.FindStringSubmatch(s.Log())
		return m != nil
	})
	if err != nil {
		return nil, fmt.Errorf("%q never came into the log:\n%s", pattern, s.Log())
	}
	return m, nil
}

// Await waits until done says yes.
func Await(done func() bool) error {
	for end := time.Now().Add(Patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return errors.New("what was waited for never came")
		}
	}
	return nil
}

// Pid is the front's.
func (s *Server) Pid() int { return s.process.Process.Pid }

// Signal sends the front a signal.
func (s *Server) Signal(sig syscall.Signal) error { return s.process.Process.Signal(sig) }

// SignalGroup sends a signal to the server's process group, which Config.Group made.
func (s *Server) SignalGroup(sig syscall.Signal) error { return syscall.Kill(-s.Pid(), sig) }

// Wait waits until the server has ended and returns its exit code, -1 if a signal ended it.
func (s *Server) Wait() int {
	select {
	case <-s.ended:
	case <-time.After(Patience):
		s.Kill()
		<-s.ended
	}
	return s.process.ProcessState.ExitCode()
}

// Alive says whether the server has not ended.
func (s *Server) Alive() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// Stop has the server drain and end; anything but a good end is an error.
func (s *Server) Stop() error {
	if err := s.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if code := s.Wait(); code != 0 {
		return fmt.Errorf("the server ended with %d instead of 0:\n%s", code, tail(s.Log(), 4000))
	}
	return nil
}

// Kill ends the server at once, if it runs.
func (s *Server) Kill() { s.process.Process.Kill() }

func tail(text string, n int) string { return text[max(0, len(text)-n):] }
