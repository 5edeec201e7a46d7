package bridge

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// A process whose socket has ended dies, usually: its descriptors are closed first. One that
// lives on is no worker any more. It has become another program (os.exec*), or the
// application has closed descriptors that are not its own.

// workerName is a worker's name in /proc/PID/comm (WORKER_NAME in worker.c).
const workerName = "gobridge-worker"

// How often, and how long apart, one looks whether a process dies or has a new name: both
// come a moment after its socket has ended.
const (
	disownLooks = 20
	disownPause = 5 * time.Millisecond
)

// disown kills a process that is our worker no more, if it is not dying by itself.
func (g *generation) disown(w *worker) {
	did := "has closed its socket to gobridge: has the application closed descriptors that are not its own?"
	for range disownLooks {
		name, dying, err := lookAtProcess(w.pid)
		if err != nil || dying {
			break // how it ends, the wait for it will say
		}
		if name != workerName && name != templateName {
			did = fmt.Sprintf("has become another program (%s), as by os.exec", name)
			break
		}
		time.Sleep(disownPause)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, dying, err := lookAtProcess(w.pid); err == nil && !dying {
		w.disowned = did
	}
	g.kill(w)
}

// templateName is a template's, which the kernel cuts to 15 characters.
const templateName = "gobridge-templa"

// exiting is a process's flag in /proc/PID/stat from when it begins to end (PF_EXITING in
// the kernel's sched.h).
const exiting = 0x4

// lookAtProcess says how a process is called and whether it is ending, or has ended and is
// not reaped.
func lookAtProcess(pid int) (name string, dying bool, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false, err
	}
	// pid (name) state ppid pgrp session tty tpgid flags ...; a name may hold anything.
	from, to := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if from < 0 || to < from {
		return "", false, fmt.Errorf("/proc/%d/stat is not as expected", pid)
	}
	fields := bytes.Fields(stat[to+1:])
	if len(fields) < 7 {
		return "", false, fmt.Errorf("/proc/%d/stat has too few fields", pid)
	}
	flags, err := strconv.ParseUint(string(fields[6]), 10, 64)
	return string(stat[from+1 : to]), flags&exiting != 0 || fields[0][0] == 'Z' || fields[0][0] == 'X', err
}
