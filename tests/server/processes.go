package server

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// Names of the server's processes in /proc/PID/comm.
const (
	workerName = "gobridge-worker"
	zygoteName = "gobridge-zygote"
)

// Workers are the pids of the worker processes.
func (s *Server) Workers() []int { return s.children(workerName) }

// Zygotes are the pids of the zygotes: one, or none while it is replaced.
func (s *Server) Zygotes() []int { return s.children(zygoteName) }

// children are the front's living children of a name.
func (s *Server) children(name string) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state parent ...; a name may hold anything, parentheses too.
		stat := string(text)
		from, to := strings.Index(stat, "("), strings.LastIndex(stat, ")")
		if from < 0 || to < 0 || stat[from+1:to] != name {
			continue
		}
		rest := strings.Fields(stat[to+1:])
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && rest[0] != "Z" && rest[1] == strconv.Itoa(s.Pid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Running says whether a process is there and no zombie.
func Running(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// Status is a number from /proc/PID/status, such as Threads or VmRSS (in KiB).
func Status(pid int, name string) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no line %s", pid, name)
}

// Usage is what the server says it has in use.
type Usage struct{ Streams, Line int }

var usageLine = regexp.MustCompile(`in use.* streams=\d+.*\n`)

// Usage asks the server for its own count: SIGUSR1 has it log one line.
func (s *Server) Usage() (u Usage, err error) {
	before := len(s.Log())
	if err := s.Signal(syscall.SIGUSR1); err != nil {
		return u, err
	}
	var line string
	err = Await(func() bool {
		line = usageLine.FindString(s.Log()[before:])
		return line != "" || !s.Alive()
	})
	if err != nil || line == "" {
		return u, fmt.Errorf("the server does not say what is in use:\n%s", tail(s.Log(), 2000))
	}
	if u.Streams, err = field(line, "streams"); err == nil {
		u.Line, err = field(line, "line")
	}
	return u, err
}

// field is the number of a field of a log line: name=3.
func field(line, name string) (int, error) {
	m := regexp.MustCompile(` ` + name + `=(\d+)`).FindStringSubmatch(line)
	if m == nil {
		return 0, fmt.Errorf("no field %q in the line %q", name, line)
	}
	return strconv.Atoi(m[1])
}

// AtRest waits until no stream is in use and nothing waits in the line.
func (s *Server) AtRest() error {
	var u Usage
	var err error
	waited := Await(func() bool {
		u, err = s.Usage()
		return err != nil || u == Usage{}
	})
	if err == nil && waited != nil {
		err = fmt.Errorf("%d streams are still in use, %d requests in the line", u.Streams, u.Line)
	}
	return err
}
