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
			if pid := c.kill(c.server.Workers()); pid != 0 {
				c.killed[pid] = true
			}
		case <-zygotes.C:
			if c.kill(c.server.Zygotes()) != 0 {
				c.zygotes++
			}
		}
	}
}

// kill kills a random one of the processes, and returns its pid if there was one.
func (c *chaos) kill(pids []int) int {
	if len(pids) == 0 {
		return 0
	}
	pid := pids[c.random.IntN(len(pids))]
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		c.failed = fmt.Sprintf("kill %d: %v", pid, err)
		return 0
	}
	return pid
}
