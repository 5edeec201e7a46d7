package main

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// allowedCPUs is how many CPUs this process may use: its affinity mask, further
// limited by the CPU quota of its cgroup and of those around it. A part of a CPU
// counts as one. The Go runtime's own number will not do: it never goes below two.
func allowedCPUs() int {
	cpus := math.MaxInt
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err == nil {
		cpus = set.Count()
	}
	if quota := cgroupQuota("/"); quota > 0 {
		cpus = min(cpus, int(math.Ceil(quota)))
	}
	if cpus == math.MaxInt {
		return 1
	}
	return max(cpus, 1)
}

// The values of --spin.
const (
	spinAuto = "auto"
	spinOn   = "on"
	spinOff  = "off"
)

// spins says whether processes may keep a CPU for a moment in which they have nothing to
// do. Under a quota that moment would be missing later.
func (s *settings) spins() bool {
	return s.spin == spinOn || s.spin == spinAuto && allowedCPUs() > 1 && cgroupQuota("/") == 0
}

// cgroupQuota is the least CPU quota on the way from this process's cgroup to the
// root of what is mounted, in CPUs; 0 when there is none. All files are looked for
// under root. What cannot be read is taken for no limit: a container may hide it.
func cgroupQuota(root string) float64 {
	quota := 0.0
	for _, m := range cgroupMounts(filepath.Join(root, "proc/self/mountinfo")) {
		path, ok := cgroupPath(filepath.Join(root, "proc/self/cgroup"), m.v2)
		if !ok {
			continue
		}
		for dir := m.inside(path); ; dir = filepath.Dir(dir) {
			if q := readQuota(filepath.Join(root, m.point, dir), m.v2); q > 0 && (quota == 0 || q < quota) {
				quota = q
			}
			if dir == "/" {
				break
			}
		}
	}
	return quota
}

// cgroupMount is one mounted cgroup hierarchy that holds the CPU controller.
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

// cgroupMounts reads mountinfo (proc_pid_mountinfo(5)).
func cgroupMounts(file string) (mounts []cgroupMount) {
	eachLine(file, func(line string) {
		mount, system, ok := strings.Cut(line, " - ")
		before, after := strings.Fields(mount), strings.Fields(system)
		if !ok || len(before) < 5 || len(after) < 3 {
			return
		}
		m := cgroupMount{base: unescape(before[3]), point: unescape(before[4]), v2: after[0] == "cgroup2"}
		if m.v2 || after[0] == "cgroup" && contains(after[len(after)-1], "cpu") {
			mounts = append(mounts, m)
		}
	})
	return mounts
}

// cgroupPath is this process's cgroup in the hierarchy (cgroups(7)): "0::/path" for
// version 2, "4:cpu,cpuacct:/path" for version 1.
func cgroupPath(file string, v2 bool) (path string, ok bool) {
	eachLine(file, func(line string) {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			return
		}
		if v2 && parts[0] == "0" && parts[1] == "" || !v2 && contains(parts[1], "cpu") {
			path, ok = parts[2], true
		}
	})
	return path, ok
}

// readQuota is the quota that one cgroup sets, in CPUs, or 0.
func readQuota(dir string, v2 bool) float64 {
	if v2 {
		fields := strings.Fields(readText(filepath.Join(dir, "cpu.max")))
		if len(fields) != 2 {
			return 0
		}
		return divide(fields[0], fields[1])
	}
	return divide(readText(filepath.Join(dir, "cpu.cfs_quota_us")), readText(filepath.Join(dir, "cpu.cfs_period_us")))
}

// divide is quota/period; "max" and -1 mean no quota.
func divide(quota, period string) float64 {
	q, err := strconv.ParseFloat(quota, 64)
	if err != nil || q <= 0 {
		return 0
	}
	p, err := strconv.ParseFloat(period, 64)
	if err != nil || p <= 0 {
		return 0
	}
	return q / p
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
