package main

import (
	"math"
	"path/filepath"
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

// cgroupQuota is the least CPU quota of this process's cgroup and of those around it, in CPUs; 0
// when there is none. All files are looked for under root.
func cgroupQuota(root string) float64 { return cgroupLeast(root, "cpu", readQuota) }

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
	q, p := positive(quota), positive(period)
	if q == 0 || p == 0 {
		return 0
	}
	return q / p
}
