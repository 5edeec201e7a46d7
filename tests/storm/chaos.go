package main

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

// chaos kills workers and zygotes of one server, and remembers which.
type chaos struct {
	server  *server
	random  *rand.Rand
	killed  map[int]bool // workers' pids
	zygotes int
	failed  string
}

// Names of the server's processes in /proc/PID/comm.
const (
	workerName = "gobridge-worker"
	zygoteName = "gobridge-zygote"
)

func (c *chaos) run(o *options, over <-chan struct{}) {
	workers, zygotes := time.NewTicker(o.killEvery), time.NewTicker(o.zygoteEvery)
	defer workers.Stop()
	defer zygotes.Stop()
	for {
		select {
		case <-over:
			if len(c.killed) == 0 {
				c.failed = "no worker was found to kill"
			}
			return
		case <-workers.C:
			if pid := c.kill(workerName); pid != 0 {
				c.killed[pid] = true
			}
		case <-zygotes.C:
			if c.kill(zygoteName) != 0 {
				c.zygotes++
			}
		}
	}
}

// kill kills a random child of the given name, and returns its pid if there was one.
func (c *chaos) kill(name string) int {
	pids := c.server.children(name)
	if len(pids) == 0 {
		return 0
	}
	pid := pids[c.random.IntN(len(pids))]
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		c.failed = fmt.Sprintf("kill %s %d: %v", name, pid, err)
		return 0
	}
	return pid
}
