package bridge

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// shortage knows whether the kernel has killed processes because memory was short: it counts
// them for each cgroup with a limit, and for the machine. When a worker was killed by SIGKILL
// and a count has grown since the last look, that is most likely why; the kernel does not
// say so to anybody else but its own log.
type shortage struct {
	mu     sync.Mutex
	counts []killCount
}

// killCount is one file with a line "oom_kill N": memory.events (cgroup version 2),
// memory.oom_control (version 1), /proc/vmstat.
type killCount struct {
	file  string
	limit string // file with the cgroup's limit in bytes; "" for the machine
	known uint64

	grown  time.Time // when it was last seen to have grown
	credit uint64    // by how much more than there were workers to explain
}

// shortageTime is for how long a growth explains further deaths: several workers may be
// killed at once.
const shortageTime = time.Second

// newShortage finds the counts, the cgroup's first. Those that cannot be read are left out:
// a container may hide them. All files are looked for under root.
func newShortage(root string) *shortage {
	s := new(shortage)
	mounts, _ := os.ReadFile(path.Join(root, "/proc/self/mountinfo"))
	own, _ := os.ReadFile(path.Join(root, "/proc/self/cgroup"))
	for dir, v2 := range memoryCgroups(string(mounts), string(own)) {
		c := killCount{file: "memory.oom_control", limit: "memory.limit_in_bytes"}
		if v2 {
			c = killCount{file: "memory.events", limit: "memory.max"}
		}
		s.add(path.Join(root, dir, c.file), path.Join(root, dir, c.limit))
	}
	s.add(path.Join(root, "/proc/vmstat"), "")
	return s
}

func (s *shortage) add(file, limit string) {
	c := killCount{file: file, limit: limit}
	if n, ok := c.read(); ok {
		c.known = n
		s.counts = append(s.counts, c)
	}
}

// memoryCgroups yields the folders of this process's cgroups that account for memory, and
// whether they are of version 2 (proc_pid_mountinfo(5), cgroups(7)).
func memoryCgroups(mountinfo, own string) func(yield func(dir string, v2 bool) bool) {
	return func(yield func(string, bool) bool) {
		for line := range strings.Lines(mountinfo) {
			mount, system, ok := strings.Cut(line, " - ")
			at, kind := strings.Fields(mount), strings.Fields(system)
			if !ok || len(at) < 5 || len(kind) < 3 {
				continue
			}
			v2 := kind[0] == "cgroup2"
			if !v2 && (kind[0] != "cgroup" || !hasWord(kind[2], "memory")) {
				continue
			}
			if group, ok := ownCgroup(own, v2); ok && !yield(path.Join(at[4], below(group, at[3])), v2) {
				return
			}
		}
	}
}

func ownCgroup(own string, v2 bool) (group string, ok bool) {
	for line := range strings.Lines(own) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) == 3 && (v2 && parts[0] == "0" && parts[1] == "" || !v2 && hasWord(parts[1], "memory")) {
			return parts[2], true
		}
	}
	return "", false
}

// below is a cgroup's place below a mount that shows the part of the tree from base on. What
// is not below it is, in a container, the top of what is mounted.
func below(group, base string) string {
	if base == "/" {
		return group
	}
	if rest, ok := strings.CutPrefix(group, base); ok && (rest == "" || rest[0] == '/') {
		return rest
	}
	return "/"
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// read is the count as the file has it now.
func (c *killCount) read() (uint64, bool) {
	text, err := os.ReadFile(c.file)
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) == 2 && string(fields[0]) == "oom_kill" {
			n, err := strconv.ParseUint(string(fields[1]), 10, 64)
			return n, err == nil
		}
	}
	return 0, false // the kernel is older than 4.13
}

// look says why the kernel has killed something since the last look, "" if it has not.
func (s *shortage) look() (why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.counts { // all of them: the machine's grows with a cgroup's
		if c := &s.counts[i]; c.explains(time.Now()) && why == "" {
			why = c.describe()
		}
	}
	return why
}

// explains says whether the count has grown by one that has not explained a death yet.
func (c *killCount) explains(now time.Time) bool {
	if n, ok := c.read(); ok && n > c.known {
		c.credit, c.grown, c.known = n-c.known, now, n
	}
	if c.credit == 0 || now.Sub(c.grown) > shortageTime {
		return false
	}
	c.credit--
	return true
}

func (c *killCount) describe() string {
	if c.limit == "" {
		return "the machine was out of memory (oom_kill has grown in " + c.file + ")"
	}
	limit := ""
	if text, err := os.ReadFile(c.limit); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n < 1<<50 {
			limit = fmt.Sprintf(" of %d MiB", n>>20)
		}
	}
	return fmt.Sprintf("the cgroup was out of its memory%s (oom_kill has grown in %s)", limit, c.file)
}
