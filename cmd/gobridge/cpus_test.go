package main

import (
	"os"
	"path/filepath"
	"testing"

	"gobridge/bridge"
)

const (
	mountV2 = "25 30 0:23 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	mountV1 = "30 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
		"31 25 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
)

func TestCgroupQuota(t *testing.T) {
	for _, c := range []struct {
		name          string
		mounts, group string
		files         map[string]string
		want          float64
	}{
		{"no cgroups", "", "", nil, 0},
		{"version 2, none", mountV2, "0::/user.slice\n", map[string]string{"user.slice/cpu.max": "max 100000\n"}, 0},
		{"version 2", mountV2, "0::/a/b\n", map[string]string{"a/b/cpu.max": "150000 100000\n"}, 1.5},
		{"version 2, the parent's", mountV2, "0::/a/b\n", map[string]string{"a/b/cpu.max": "max 100000\n", "a/cpu.max": "50000 100000\n"}, 0.5},
		{"version 2, the least", mountV2, "0::/a/b\n", map[string]string{"a/b/cpu.max": "100000 100000\n", "a/cpu.max": "400000 100000\n"}, 1},
		{"version 2, in a namespace", mountV2, "0::/\n", map[string]string{"cpu.max": "300000 100000\n"}, 3},
		{"version 2, not below the mount", "1 2 0:3 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/docker/y\n", map[string]string{"cpu.max": "200000 100000\n"}, 2},
		{"version 2, broken", mountV2, "0::/a\n", map[string]string{"a/cpu.max": "many\n", "cpu.max": "1 0\n"}, 0},
		{"version 1", mountV1, "5:cpuset:/z\n4:cpu,cpuacct:/a\n", map[string]string{
			"cpu,cpuacct/a/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n"}, 2.5},
		{"version 1, none", mountV1, "4:cpu,cpuacct:/a\n", map[string]string{
			"cpu,cpuacct/a/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n"}, 0},
		{"version 1, in a container", "30 25 0:27 /docker/x /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "4:cpu:/docker/x/y\n", map[string]string{
			"cpu/y/cpu.cfs_quota_us": "100000\n", "cpu/y/cpu.cfs_period_us": "50000\n"}, 2},
		{"a space in the path", "1 2 0:3 /a\\040b /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/a b/c\n", map[string]string{"c/cpu.max": "100000 100000\n"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := cgroupTree(t, c.mounts, c.group, c.files)
			if got := cgroupQuota(root); got != c.want {
				t.Errorf("quota %v, want %v", got, c.want)
			}
		})
	}
}

func TestAllowedCPUsIsPossible(t *testing.T) {
	if n := allowedCPUs(); n < 1 || n > 1<<16 {
		t.Errorf("%d CPUs", n)
	}
}

// cgroupTree is a root folder with these mounts, this process in that cgroup, and these files
// of cgroups.
func cgroupTree(t *testing.T, mounts, group string, cgroups map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	files := map[string]string{"proc/self/mountinfo": mounts, "proc/self/cgroup": group}
	for name, text := range cgroups {
		files["sys/fs/cgroup/"+name] = text
	}
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestMemoryBudget(t *testing.T) {
	const memoryV1 = "30 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	for _, c := range []struct {
		name          string
		mounts, group string
		files         map[string]string
		limit, budget int64
	}{
		{"no cgroups", "", "", nil, 0, 512 << 20},
		{"version 2, none", mountV2, "0::/a\n", map[string]string{"a/memory.max": "max\n"}, 0, 512 << 20},
		{"version 2", mountV2, "0::/a\n", map[string]string{"a/memory.max": "1073741824\n"}, 1 << 30, 256 << 20},
		{"version 2, the parent's", mountV2, "0::/a/b\n", map[string]string{"a/memory.max": "536870912\n", "a/b/memory.max": "max\n"}, 512 << 20, 128 << 20},
		{"version 2, in a namespace", mountV2, "0::/\n", map[string]string{"memory.max": "268435456\n"}, 256 << 20, 64 << 20},
		{"version 2, very little", mountV2, "0::/\n", map[string]string{"memory.max": "33554432\n"}, 32 << 20, 16 << 20},
		{"version 2, very much", mountV2, "0::/\n", map[string]string{"memory.max": "17179869184\n"}, 16 << 30, 512 << 20},
		{"version 1", memoryV1, "5:memory:/x\n", map[string]string{"memory/x/memory.limit_in_bytes": "1073741824\n"}, 1 << 30, 256 << 20},
		{"version 1, none", memoryV1, "5:memory:/\n", map[string]string{"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0, 512 << 20},
		{"another controller's", mountV1, "4:cpu,cpuacct:/\n", map[string]string{"cpu,cpuacct/memory.limit_in_bytes": "1073741824\n"}, 0, 512 << 20},
	} {
		limit := cgroupMemory(cgroupTree(t, c.mounts, c.group, c.files))
		if budget := autoBudget(limit); limit != c.limit || budget != c.budget {
			t.Errorf("%s: the limit is %d and the budget %d, want %d and %d", c.name, limit, budget, c.limit, c.budget)
		}
	}
}

// Both halves of a budget, the least one too, make no more than it.
func TestMemoryIsShared(t *testing.T) {
	for _, budget := range []int64{leastBudget, 20 << 20, 64 << 20, mostBudget, 4 << 30} {
		connections, streams := (&settings{memory: budget}).shareMemory()
		if pipes := int64(streams) * 2 * bridge.DefaultPipeSize; connections+pipes > budget || streams < 32 || streams > bridge.DefaultStreams {
			t.Errorf("%d bytes: %d for connections, and %d for the pipes of %d streams", budget, connections, pipes, streams)
		}
	}
}
