package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// server is the gobridge under test.
type server struct {
	process *exec.Cmd
	address string
	notes   string // the application's log file
	reached string // made by the worker that comes to the kill point
	ended   chan error

	mu  sync.Mutex
	log bytes.Buffer
}

// patience is how long the server may take for what it does in a moment.
const patience = 60 * time.Second

var served = regexp.MustCompile(` on http://(\S+?)/? with `)

func startServer(o *options, dir string) (*server, error) {
	s := &server{notes: filepath.Join(dir, "notes"), reached: filepath.Join(dir, "reached"), ended: make(chan error, 1)}
	args := []string{"run", "app:application", "--chdir", "tests/storm", "--bind", "127.0.0.1:0",
		"--workers", strconv.Itoa(o.workers), "--threads", strconv.Itoa(o.threads)}
	s.process = exec.Command(o.gobridge, append(args, strings.Fields(o.args)...)...)
	s.process.Env = append(os.Environ(), "STORM_LOG="+s.notes, "PYTHONDONTWRITEBYTECODE=1")
	if o.killpoint != "" {
		s.process.Env = append(s.process.Env, "GOBRIDGE_KILLPOINT="+o.killpoint+":"+s.reached)
	}
	s.process.Stderr = s
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := served.FindStringSubmatch(lines.Text()); m != nil {
			s.address = m[1]
			break
		}
	}
	go func() {
		for lines.Scan() { // whatever the application prints
		}
		s.ended <- s.process.Wait()
	}()
	if s.address == "" {
		return nil, fmt.Errorf("the server did not start: %v\n%s", <-s.ended, s.text())
	}
	return s, nil
}

// Write takes the server's log.
func (s *server) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

func (s *server) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func (s *server) pid() int { return s.process.Process.Pid }

func (s *server) dial() (net.Conn, error) { return net.Dial("tcp", s.address) }

// children are the server's processes of the given name (as in /proc/PID/comm).
func (s *server) children(name string) (pids []int) {
	all, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.pid(), s.pid()))
	if err != nil || len(all) == 0 {
		return s.childrenByParent(name)
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.pid()))
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && comm(pid) == name {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// childrenByParent looks through all processes, for kernels that do not list children.
func (s *server) childrenByParent(name string) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(s.pid()) && comm(pid) == name {
			pids = append(pids, pid)
		}
	}
	return pids
}

func comm(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// stop asks the server to end, and returns an error unless it ends well.
func (s *server) stop() error {
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.ended:
		s.ended <- err
		if err != nil {
			return fmt.Errorf("%w\n%s", err, tail(s.text(), 2000))
		}
		return nil
	case <-time.After(patience):
		return errors.New("it did not end after SIGTERM")
	}
}

func (s *server) kill() { s.process.Process.Kill() }

func tail(text string, n int) string {
	if len(text) > n {
		return text[len(text)-n:]
	}
	return text
}
