package bridge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestShortage(t *testing.T) {
	const v1 = "34 30 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	for _, c := range []struct {
		name, mounts, own string
		file, limit       string // of the cgroup
		before, after     string
		want              string
	}{
		{"version 2", "30 1 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/shop.service\n",
			"sys/fs/cgroup/shop.service/memory.events", "memory.max", "oom 0\noom_kill 2\noom_group_kill 0\n", "oom 1\noom_kill 3\n", "the cgroup was out of its memory of 256 MiB"},
		{"version 1", v1, "5:cpu:/x\n4:memory:/y\n0::/\n",
			"sys/fs/cgroup/memory/y/memory.oom_control", "memory.limit_in_bytes", "under_oom 0\noom_kill 0\n", "under_oom 0\noom_kill 1\n", "the cgroup was out of its memory of 256 MiB"},
		{"a container's part of the tree", "30 1 0:29 /docker/a /sys/fs/cgroup ro - cgroup2 c rw\n", "0::/docker/a\n",
			"sys/fs/cgroup/memory.events", "memory.max", "oom_kill 0\n", "oom_kill 1\n", "the cgroup was out"},
		{"no more than before", "30 1 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/\n",
			"sys/fs/cgroup/memory.events", "memory.max", "oom_kill 7\n", "oom_kill 7\n", ""},
		{"the machine's", "", "", "proc/vmstat", "none", "nr_free 1\noom_kill 4\n", "nr_free 1\noom_kill 5\n", "the machine was out of memory"},
		{"an old kernel", v1, "4:memory:/\n", "sys/fs/cgroup/memory/memory.oom_control", "memory.limit_in_bytes", "under_oom 0\n", "under_oom 1\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			write := func(name, text string) {
				file := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write("proc/self/mountinfo", c.mounts)
			write("proc/self/cgroup", c.own)
			write(c.file, c.before)
			write(filepath.Join(filepath.Dir(c.file), c.limit), "268435456\n")
			s := newShortage(root)
			if got := s.look(); got != "" {
				t.Errorf("at once: %q", got)
			}
			write(c.file, c.after)
			if got := s.look(); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("%q, want %q", got, c.want)
			}
			if got := s.look(); got != "" {
				t.Errorf("again: %q", got)
			}
		})
	}
}

func FuzzMemoryCgroups(f *testing.F) {
	f.Add("30 1 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/shop.service\n")
	f.Add("35 31 0:32 /a /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n", "4:memory:/a/b\n")
	f.Fuzz(func(t *testing.T, mountinfo, own string) {
		for dir := range memoryCgroups(mountinfo, own) {
			if dir == "" || strings.Contains(dir, "\n") {
				t.Errorf("%q", dir)
			}
		}
	})
}
