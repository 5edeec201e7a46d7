package server

import (
	"fmt"
	"os"
	"os/exec"
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
	// The kernel keeps 15 characters.
	templateName = "gobridge-templa"
)

// Workers are the pids of the worker processes.
func (s *Server) Workers() []int { return s.Children(s.Pid(), workerName) }

// Zygotes are the pids of the zygotes: one, or none while it is replaced.
func (s *Server) Zygotes() []int { return s.Children(s.Pid(), zygoteName) }

// Templates are the pids of the templates: one for each generation that has one.
func (s *Server) Templates() []int { return s.Children(s.Pid(), templateName) }

// Reload has the server reload with the command that a person would use, and returns what
// it printed. control is the server's control socket.
func (s *Server) Reload(control string) (string, error) {
	text, err := exec.Command(s.process.Path, "reload", "--control", control).CombinedOutput()
	return string(text), err
}

// Children are the living children of a process that have the name.
func (s *Server) Children(parent int, name string) []int {
	return find(func(p entry) bool { return p.parent == parent && p.name == name && p.state != "Z" })
}

// Tree are the pids of all processes of the server: its own, its children's, theirs, and so on.
func (s *Server) Tree() []int {
	tree := []int{s.Pid()}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, find(func(p entry) bool { return p.parent == tree[i] && p.state != "Z" })...)
	}
	return tree
}

// Zombies are the dead children that a process has not reaped.
func (s *Server) Zombies(parent int) []int {
	return find(func(p entry) bool { return p.parent == parent && p.state == "Z" })
}

// entry is a process as /proc/PID/stat shows it.
type entry struct {
	name, state string
	parent      int
}

// find returns the pids of the processes that are wanted.
func find(wanted func(entry) bool) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state parent ...; a name may hold anything, parentheses too.
		stat := string(text)
		from, to := strings.Index(stat, "("), strings.LastIndex(stat, ")")
		if from < 0 || to < 0 {
			continue
		}
		rest := strings.Fields(stat[to+1:])
		parent, err := strconv.Atoi(rest[1])
		if err != nil || !wanted(entry{stat[from+1 : to], rest[0], parent}) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
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

// AwaitStop waits until a process that was sent SIGSTOP has stopped; false if it has ended instead.
func AwaitStop(pid int) bool {
	state := ""
	err := Await(func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		state = "X" // gone
		if _, rest, found := strings.Cut(string(text), ") "); err == nil && found {
			state = rest[:1]
		}
		return strings.Contains("TZX", state)
	})
	return err == nil && state == "T"
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
