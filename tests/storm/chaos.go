package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	tested "gobridge/tests/server"
)

// chaos kills processes of one server and has it reload, and remembers what it did.
type chaos struct {
	server *server
	random *rand.Rand // the killers'

	mu         sync.Mutex   // one of the killers at a time
	killed     map[int]bool // workers' pids
	zygotes    int
	reloads    int
	unreloaded int      // of them those that failed
	wrong      []string // what should not have been
}

// begin has everything happen at its own pace until over.
func (c *chaos) begin(o *options, all *sync.WaitGroup, over <-chan struct{}) {
	every := func(d time.Duration, what func()) {
		if d > 0 {
			all.Go(func() { repeat(d, over, what) })
		}
	}
	every(o.killEvery, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if pid := c.kill(c.server.Workers()); pid != 0 {
			c.killed[pid] = true
		}
	})
	every(o.zygoteEvery, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.kill(slices.Concat(c.server.Zygotes(), c.server.Templates())) != 0 {
			c.zygotes++
		}
	})
	every(o.reloadEvery, func() { c.reload(o) })
}

func repeat(every time.Duration, over <-chan struct{}, what func()) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-over:
			return
		case <-t.C:
			what()
		}
	}
}

func (c *chaos) complain(format string, a ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, a...))
}

// kill kills a random one of the processes, and returns its pid if there was one.
func (c *chaos) kill(pids []int) int {
	if len(pids) == 0 {
		return 0
	}
	pid := pids[c.random.IntN(len(pids))]
	// One that has just ended by itself can be sent signals until it is reaped, and would count
	// as killed. What is stopped does not end by itself.
	err := syscall.Kill(pid, syscall.SIGSTOP)
	if err == nil && tested.AwaitStop(pid) {
		err = syscall.Kill(pid, syscall.SIGKILL)
	} else if err == nil {
		return 0
	}
	if errors.Is(err, syscall.ESRCH) {
		return 0
	}
	if err != nil {
		c.complain("kill %d: %v", pid, err)
		return 0
	}
	return pid
}

// faults are the ways in which the application can fail, the one that takes longest last.
var faults = []string{"raise", "die", "hang"}

// reload has the server reload. While nobody is killed, it is known what must come of it.
func (c *chaos) reload(o *options) {
	fault := ""
	if n := c.reloads; o.faults && n%2 == 1 {
		fault = faults[n/2%len(faults)]
	}
	err := os.WriteFile(c.server.fault, []byte(fault), 0o600)
	text := ""
	if err == nil {
		text, err = c.server.Reload(c.server.control)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reloads++
	if err != nil {
		c.unreloaded++
	}
	if o.calm() && (err != nil) != (fault != "") {
		c.complain("reload %d with the fault %q: %v\n%s", c.reloads, fault, err, text)
	}
}

// terminate tells the whole process group to end.
func (c *chaos) terminate() {
	if err := c.server.SignalGroup(syscall.SIGTERM); err != nil {
		c.complain("SIGTERM: %v", err)
	}
}
