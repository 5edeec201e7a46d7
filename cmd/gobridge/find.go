package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// The commands reload and status find the server that they are meant for among those of this
// user; root finds everyone's.

// wanted is what a command was told of the server.
type wanted struct {
	control     string // its path; "": by the application
	dir         string // of the application
	application string // "": the only one in the folder
}

// wantedBy reads what a command was told of the server, and its own settings of those rows.
func wantedBy(c *cli.Context, rows []setting) (*wanted, *settings, error) {
	s, err := readTable(rows, fromContext(c))
	if err != nil {
		return nil, nil, err
	}
	if s.control == controlOff { // in the environment, for run
		return nil, nil, usage("with --control off a server cannot be asked")
	}
	w := &wanted{control: s.control}
	if w.control != "" && !c.Args().Present() {
		return w, s, nil
	}
	if w.dir, err = applicationDir(s.chdir); err != nil {
		return nil, nil, err
	}
	if c.Args().Present() {
		w.application, err = checkApplication(c.Args().Slice(), w.dir)
	}
	return w, s, err
}

// server is one that was found.
type server struct {
	path   string
	status *serverStatus // nil when its path was given
}

const statusTime = 10 * time.Second // for a server to say how it is

// find is the server that is wanted. When there are several, or none, the error lists those
// that there are.
func (w *wanted) find() (*server, error) {
	if w.control != "" {
		return &server{path: w.control}, nil
	}
	var fit, others []*server
	var silent []error
	for _, path := range controlPaths() {
		a, err := ask(path, "status", statusTime, nil)
		if errors.Is(err, errNoAnswer) {
			silent = append(silent, fmt.Errorf("%w (--control %s)", err, path))
			continue
		}
		if err != nil || a.Status == nil {
			continue // it has ended, or is none of ours
		}
		s := &server{path, a.Status}
		if w.fits(a.Status) {
			fit = append(fit, s)
		} else {
			others = append(others, s)
		}
	}
	switch len(fit) {
	case 0:
		return nil, w.notFound(others, silent)
	case 1:
		return fit[0], nil
	}
	return nil, usage("%d servers fit: say which one is meant, by its application or its control socket\n%s", len(fit), list(fit))
}

func (w *wanted) fits(s *serverStatus) bool {
	return sameFolder(s.Dir, w.dir) && (w.application == "" || w.application == s.Application)
}

func sameFolder(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// notFound lists those that are not meant, and those that cannot say whether they are.
func (w *wanted) notFound(others []*server, silent []error) error {
	what := "a server"
	if w.application != "" {
		what = "a server of " + w.application
	}
	text := fmt.Sprintf("%s in %s was not found: name its folder with --chdir, or its control socket with --control", what, w.dir)
	if len(others) > 0 {
		text += "\nthere is\n" + list(others)
	}
	for _, err := range silent {
		text += "\nit may be this one: " + err.Error()
	}
	return &exitError{exitNoServer, errors.New(text)}
}

// list names servers for people, in a line each.
func list(servers []*server) string {
	var lines []string
	for _, s := range servers {
		lines = append(lines, fmt.Sprintf("  %s in %s, pid %d: --control %s", s.status.Application, s.status.Dir, s.status.Pid, s.path))
	}
	return strings.Join(lines, "\n")
}

// controlPaths are all files that may be control sockets of servers that we may speak with.
func controlPaths() (paths []string) {
	uid := os.Geteuid()
	seen := map[string]bool{}
	for _, parent := range []string{os.Getenv("XDG_RUNTIME_DIR"), filepath.Join("/run/user", strconv.Itoa(uid)), os.TempDir(), "/tmp"} {
		folders := []string{filepath.Join(parent, pyhost.PrivateName(uid))}
		if uid == 0 {
			folders, _ = filepath.Glob(filepath.Join(parent, "gobridge-*")) // the pattern is good
			more, _ := filepath.Glob("/run/user/*/gobridge-*")
			folders = append(folders, more...)
		}
		for _, folder := range folders {
			if parent == "" || seen[folder] || !ownFolder(folder) {
				continue
			}
			seen[folder] = true
			found, _ := filepath.Glob(filepath.Join(folder, controlPattern))
			paths = append(paths, found...)
		}
	}
	return paths
}

// ownFolder says whether the folder belongs to whom its name says, and to nobody else.
func ownFolder(folder string) bool {
	var info unix.Stat_t
	return unix.Lstat(folder, &info) == nil && info.Mode&unix.S_IFMT == unix.S_IFDIR && info.Mode&0o077 == 0 &&
		filepath.Base(folder) == pyhost.PrivateName(int(info.Uid))
}

// errNoAnswer says that a server listens and does not answer.
var errNoAnswer = errors.New("it gives no answer")

// awake says that the server is not stopped, in which case it would not answer, however long
// one waited.
func awake(conn net.Conn) error {
	who, err := peerOf(conn.(*net.UnixConn))
	if err != nil || who.Pid == 0 { // in another PID namespace
		return err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", who.Pid))
	if err != nil {
		return nil // it is not ours to look at: its answer will tell
	}
	// pid (name) state ...; a name may hold parentheses.
	if _, state, _ := bytes.Cut(stat[max(bytes.LastIndexByte(stat, ')'), 0):], []byte(" ")); len(state) > 0 && (state[0] == 'T' || state[0] == 't') {
		return &exitError{exitNoServer, fmt.Errorf("the server with pid %d is stopped, by SIGSTOP or a debugger, and so %w: `kill -CONT %d` has it go on", who.Pid, errNoAnswer, who.Pid)}
	}
	return nil
}

// ask has a server do something, for at most so long; 0 is no limit. It returns the last
// line of the answer, and hands on the others. An error says that there is none.
func ask(path, do string, limit time.Duration, progress func(string)) (controlAnswer, error) {
	conn, err := net.DialTimeout("unix", path, statusTime)
	if err != nil {
		return controlAnswer{}, unreachable(path, err)
	}
	defer conn.Close()
	if err := awake(conn); err != nil {
		return controlAnswer{}, err
	}
	if limit > 0 {
		err = conn.SetDeadline(time.Now().Add(limit))
	}
	if err == nil {
		err = json.NewEncoder(conn).Encode(controlRequest{Do: do})
	}
	in := bufio.NewReader(conn)
	for err == nil {
		var line []byte
		if line, err = in.ReadBytes('\n'); err != nil {
			break
		}
		var a controlAnswer
		if err = json.Unmarshal(line, &a); err == nil && a.Done {
			return a, nil
		}
		if a.Progress != "" && progress != nil {
			progress(a.Progress)
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return controlAnswer{}, &exitError{exitNotYet, fmt.Errorf("the server at %s has not answered within %v: %w", path, limit, errNoAnswer)}
	}
	return controlAnswer{}, &exitError{exitNoServer, fmt.Errorf("the server at %s ended before it had answered: %w", path, err)}
}

// unreachable says why nobody could be asked.
func unreachable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("no server has its control socket at %s", path)
	case errors.Is(err, unix.ECONNREFUSED):
		err = fmt.Errorf("no server listens on %s any more", path)
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("%s belongs to another user: only that one and root may use it", path)
	default:
		err = fmt.Errorf("speak with the server at %s: %w", path, err)
	}
	return &exitError{exitNoServer, err}
}
