package bridge

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// generation is one set of workers that run the same code, with their shared memory.
type generation struct {
	seg          *segment
	threads      int // per worker
	slots        []*slot
	runs         []*run
	free         freeList
	trimming     int // free streams that are away from the list while their pages are given back; under dispatch.mu
	incarnations atomic.Uint32
}

// surplus is how many requests a worker's inbox may hold beyond what it can run at
// once, so that it never waits for the front.
const surplus = 32

func newGeneration(c *Config) (*generation, error) {
	capacity := c.Threads + surplus
	seg, err := newSegment(shape{
		workers: c.Workers, reactors: c.Reactors, streams: (c.Streams + 63) &^ 63, pipe: c.PipeSize,
		inbox: 1 << bits.Len(uint(4*capacity)), // stale hints lie there too
	})
	if err != nil {
		return nil, err
	}
	g := &generation{seg: seg, threads: c.Threads, runs: make([]*run, seg.streams)}
	for i := range c.Workers {
		doorbell, err := newDoorbell()
		if err != nil {
			g.close()
			return nil, fmt.Errorf("create a worker's doorbell: %w", err)
		}
		g.slots = append(g.slots, &slot{gen: g, index: i, doorbell: doorbell, capacity: capacity})
	}
	for i := range g.runs { // stream 0 on top
		n := uint32(seg.streams - 1 - i)
		g.runs[n] = &run{gen: g, stream: n}
		g.free = append(g.free, g.runs[n])
	}
	return g, nil
}

func (g *generation) close() error {
	for _, s := range g.slots {
		unix.Close(s.doorbell)
	}
	return g.seg.close()
}
