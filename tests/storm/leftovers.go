package main

import (
	"fmt"
	"os"
	"time"

	tested "gobridge/tests/server"
)

// inUse is what the server has in use.
type inUse struct {
	descriptors int
	threads     int // of the front
	shared      int // KiB of shared memory that are there
	memory      int // KiB of the front's own
	workers     int
	workerTasks int // threads of all workers
	streams     int
	line        int
}

func (u inUse) String() string {
	return fmt.Sprintf("%d descriptors, %d threads, %d KiB shared, %d KiB own, %d workers with %d threads, %d streams, %d in the line",
		u.descriptors, u.threads, u.shared, u.memory, u.workers, u.workerTasks, u.streams, u.line)
}

// settle waits until the server is at rest - no stream in use, the idle ones' pages given
// back, all workers there - and returns what it has in use then, or when patience ends.
func (s *server) settle() inUse {
	end := time.Now().Add(patience)
	calm := 0
	for last := (inUse{}); ; {
		time.Sleep(500 * time.Millisecond)
		now := s.inUse()
		compared := now
		compared.memory = 0 // it changes at rest too
		if compared == last && now.streams == 0 && now.workers > 0 {
			calm++
		} else {
			calm = 0
		}
		// Pages are given back some seconds after their last use.
		if calm >= 8 || time.Now().After(end) {
			return now
		}
		last = compared
	}
}

// rest waits until no stream is in use and all workers are there, and returns what is in use.
func (s *server) rest(workers int) (now inUse) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if now = s.inUse(); now.streams == 0 && now.line == 0 && now.workers == workers {
			return now
		}
	}
	return now
}

func (s *server) inUse() (u inUse) {
	usage, err := s.Usage()
	if u.streams, u.line = usage.Streams, usage.Line; err != nil {
		u.streams, u.line = -1, -1
	}
	u.threads, u.shared, u.memory = number(s.Pid(), "Threads"), number(s.Pid(), "RssShmem"), number(s.Pid(), "RssAnon")
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.Pid()))
	if err == nil {
		u.descriptors = len(entries)
	}
	for _, pid := range s.Workers() {
		u.workers++
		u.workerTasks += number(pid, "Threads")
	}
	return u
}

// number is one of a process's status file, -1 if the process has ended.
func number(pid int, name string) int {
	n, err := tested.Status(pid, name)
	if err != nil {
		return -1
	}
	return n
}

// leftovers compares what is in use before and after, and returns what was not given back.
func leftovers(before, after inUse, o *options) (wrong []string) {
	complain := func(what string, before, after int) {
		wrong = append(wrong, fmt.Sprintf("%s: %d before, %d after", what, before, after))
	}
	if after.descriptors > before.descriptors {
		complain("descriptors", before.descriptors, after.descriptors)
	}
	// Go never ends a thread; it starts one for each blocking call at a time, and there are
	// no more of those than workers, disk jobs and the runtime's own.
	if after.threads > before.threads+o.workers+8 {
		complain("threads of the front", before.threads, after.threads)
	}
	if after.shared > before.shared+1024 {
		complain("KiB of shared memory", before.shared, after.shared)
	}
	if after.memory > before.memory+64*1024 {
		complain("KiB of the front's own memory", before.memory, after.memory)
	}
	if after.workers != o.workers {
		complain("workers", o.workers, after.workers)
	}
	if after.workerTasks != before.workerTasks {
		complain("threads of the workers", before.workerTasks, after.workerTasks)
	}
	if after.streams != 0 || after.line != 0 {
		complain("streams and requests in the line", after.streams, after.line)
	}
	return wrong
}
