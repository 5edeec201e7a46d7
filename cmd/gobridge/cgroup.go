package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cgroupLeast is the least of what this process's cgroup, and those around it up to the root of
// what is mounted, set for a controller; 0 when none sets anything. read reads it from a cgroup's
// folder. All files are looked for under root. What cannot be read is taken for no limit: a
// container may hide it.
func cgroupLeast(root, controller string, read func(dir string, v2 bool) float64) float64 {
	least := 0.0
	for _, m := range cgroupMounts(filepath.Join(root, "proc/self/mountinfo"), controller) {
		path, ok := cgroupPath(filepath.Join(root, "proc/self/cgroup"), controller, m.v2)
		if !ok {
			continue
		}
		for dir := m.inside(path); ; dir = filepath.Dir(dir) {
			if n := read(filepath.Join(root, m.point, dir), m.v2); n > 0 && (least == 0 || n < least) {
				least = n
			}
			if dir == "/" {
				break
			}
		}
	}
	return least
}

// cgroupMemory is how much memory the cgroup allows, in bytes; 0 when it sets no limit.
func cgroupMemory(root string) int64 {
	return int64(cgroupLeast(root, "memory", func(dir string, v2 bool) float64 {
		if v2 {
			return positive(readText(filepath.Join(dir, "memory.max")))
		}
		// Version 1 has no word for "none" but the largest number of pages.
		if n := positive(readText(filepath.Join(dir, "memory.limit_in_bytes"))); n < 1<<62 {
			return n
		}
		return 0
	}))
}

// cgroupMount is one mounted cgroup hierarchy.
type cgroupMount struct {
	base  string // the cgroup at its top
	point string // where it is mounted
	v2    bool
}

// inside is the place below the mount point of a cgroup. In a container without a
// cgroup namespace the mount shows the container's cgroup only; what is not below
// it is that cgroup itself.
func (m *cgroupMount) inside(path string) string {
	if m.base == "/" {
		return filepath.Clean("/" + path)
	}
	if rest, ok := strings.CutPrefix(path, m.base); ok && (rest == "" || rest[0] == '/') {
		return filepath.Clean("/" + rest)
	}
	return "/"
}

// cgroupMounts are the hierarchies that have the controller, from mountinfo
// (proc_pid_mountinfo(5)).
func cgroupMounts(file, controller string) (mounts []cgroupMount) {
	eachLine(file, func(line string) {
		mount, system, ok := strings.Cut(line, " - ")
		before, after := strings.Fields(mount), strings.Fields(system)
		if !ok || len(before) < 5 || len(after) < 3 {
			return
		}
		m := cgroupMount{base: unescape(before[3]), point: unescape(before[4]), v2: after[0] == "cgroup2"}
		if m.v2 || after[0] == "cgroup" && contains(after[len(after)-1], controller) {
			mounts = append(mounts, m)
		}
	})
	return mounts
}

// cgroupPath is this process's cgroup in the hierarchy (cgroups(7)): "0::/path" for
// version 2, "4:cpu,cpuacct:/path" for version 1.
func cgroupPath(file, controller string, v2 bool) (path string, ok bool) {
	eachLine(file, func(line string) {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			return
		}
		if v2 && parts[0] == "0" && parts[1] == "" || !v2 && contains(parts[1], controller) {
			path, ok = parts[2], true
		}
	})
	return path, ok
}

// positive is the number in a text, 0 if it is none, or not above 0: "max" and -1 mean no limit.
func positive(text string) float64 {
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > 0 {
		return n
	}
	return 0
}

func readText(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func eachLine(file string, f func(line string)) {
	opened, err := os.Open(file)
	if err != nil {
		return
	}
	defer opened.Close()
	for lines := bufio.NewScanner(opened); lines.Scan(); {
		f(lines.Text())
	}
}

// contains looks for one word in a list like "rw,cpu,cpuacct".
func contains(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// unescape undoes mountinfo's octal escapes of space, tab, newline and backslash.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
