package bridge

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// generation is one set of workers that run the same code, with their shared memory and
// the zygote that they are forked from. One serves; a reload starts the next beside it.
type generation struct {
	bridge  *Bridge
	number  int // from 1
	seg     *segment
	threads int // per worker
	slots   []*slot
	runs    []*run

	free         freeList // under dispatch.mu
	requests     int      // streams that are not for WebSockets
	reserved     int      // streams that WebSockets have; under dispatch.mu
	trimming     int      // free streams that are away from the list while their pages are given back; under dispatch.mu
	incarnations atomic.Uint32

	zygote   zygote
	template template
	stop     chan struct{} // closed when no worker is to be started any more
	stopOnce sync.Once
	keepers  sync.WaitGroup // one for each slot, one for the template, and one for the renewals
	news     chan startNews // what came of each slot's first workers
	loud     atomic.Bool    // it serves: deaths are logged. Until then who waits for it is told

	mu       sync.Mutex
	renewals renewals
	workers  map[*slot]*worker // alive, or not yet buried
	doomed   bool              // who is born now is killed
	phase    phase
	since    time.Time // of the phase
}

// phase is how far a generation's life is.
type phase string

// The phases, in order.
const (
	starting phase = "starting" // its workers import the application
	serving  phase = "serving"  // new requests go to it
	draining phase = "draining" // it finishes what it has begun
)

// startNews is what came of a slot's worker: it is ready, or why it ended.
type startNews struct {
	slot *slot
	err  error
}

// surplus is how many requests a worker's inbox may hold beyond what it can run at
// once, so that it never waits for the front.
const surplus = 32

// newGeneration makes a generation without processes.
func (b *Bridge) newGeneration() (*generation, error) {
	c := &b.config
	capacity := c.Threads + surplus
	slots := c.Workers
	if c.Renewal.wanted() {
		slots++
	}
	seg, err := newSegment(shape{
		workers: slots, reactors: c.Reactors, streams: (c.Streams + c.WebSockets + 63) &^ 63, pipe: c.PipeSize,
		inbox: 1 << bits.Len(uint(4*capacity)), // stale hints lie there too
		spin:  c.spinTime(),
	})
	if err != nil {
		return nil, err
	}
	g := &generation{bridge: b, seg: seg, threads: c.Threads, requests: c.Streams, runs: make([]*run, seg.streams),
		stop: make(chan struct{}), news: make(chan startNews, 4*c.Workers), workers: map[*slot]*worker{},
		phase: starting, since: time.Now()}
	g.zygote.bridge = b
	g.template.gen = g
	for i := range slots {
		doorbell, err := newDoorbell()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("create a worker's doorbell: %w", err), g.close())
		}
		g.slots = append(g.slots, &slot{gen: g, index: i, number: i + 1, doorbell: doorbell, capacity: capacity, since: g.since,
			call: make(chan struct{}, 1)})
	}
	if slots > c.Workers {
		g.renewals.free = g.slots[c.Workers]
		g.renewals.free.role = resting
	}
	for i := range g.runs { // stream 0 on top
		n := uint32(seg.streams - 1 - i)
		g.runs[n] = &run{gen: g, stream: n}
		g.free.clean = append(g.free.clean, g.runs[n])
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.numbers++
	g.number = b.numbers
	b.gens = append(b.gens, g)
	return g, nil
}

// close gives back memory and doorbells. No process of the generation lives, and no
// reactor knows it.
func (g *generation) close() error {
	for _, s := range g.slots {
		unix.Close(s.doorbell)
	}
	return g.seg.close()
}

// ---- Its start.

// start has a worker started in each slot.
func (g *generation) start() {
	for _, s := range g.slots {
		g.keepers.Add(1)
		go g.keep(s)
	}
	if g.renewals.free != nil {
		g.keepers.Add(1)
		go g.renew()
	}
}

// firstReady returns when a worker is ready, or with why one is not. From then on what
// happens to workers is logged.
func (g *generation) firstReady() error {
	err := (<-g.news).err
	g.loud.Store(err == nil)
	return err
}

// settle is how long the workers of a new generation must live, all of them ready, before
// it is given requests: one that dies at once is not what a reload is to move to.
const settle = 300 * time.Millisecond

var errStopping = errors.New("the server is stopping")

// allReady returns when every worker is ready and has stayed so for a moment, or with why
// one is not. That one is killed from outside (memory is short, perhaps) is borne once in
// each slot: the next one is on its way.
func (g *generation) allReady(stop <-chan struct{}) error {
	ready, killed := map[*slot]bool{}, map[*slot]bool{}
	var settled <-chan time.Time
	for {
		select {
		case n := <-g.news:
			if n.err != nil {
				e, ok := errors.AsType[*StartError](n.err)
				if !ok || !e.killed || killed[n.slot] {
					return n.err
				}
				killed[n.slot] = true
				delete(ready, n.slot)
				settled = nil
				continue
			}
			if ready[n.slot] = true; len(ready) == g.kept() {
				settled = time.After(settle)
			}
		case <-settled:
			return nil
		case <-stop:
			return errStopping
		}
	}
}

// kept is in how many slots a worker is kept; until the generation serves.
func (g *generation) kept() (n int) {
	for _, s := range g.slots {
		if s.role == keeping {
			n++
		}
	}
	return n
}

// ---- Its end.

// halt has no worker be started any more.
func (g *generation) halt() { g.stopOnce.Do(func() { close(g.stop) }) }

func (g *generation) stopping() bool { return closed(g.stop) }

// givenUp says whether what is left of it was killed.
func (g *generation) givenUp() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.doomed
}

func (g *generation) enter(p phase) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.phase != p {
		g.phase, g.since = p, time.Now()
	}
}

// drain has every worker finish what it has, run its exit handlers and leave. When ctx
// ends first, the rest are killed and its error is returned.
func (g *generation) drain(ctx context.Context) error {
	g.enter(draining)
	g.halt()
	g.mu.Lock()
	for _, w := range g.workers {
		g.tellDrain(w)
	}
	if g.template.alive != nil {
		g.tellDrain(g.template.alive)
	}
	g.mu.Unlock()
	gone := make(chan struct{})
	go func() { g.keepers.Wait(); close(gone) }()
	err := g.awaitGone(ctx, gone)
	g.end()
	<-gone
	return err
}

// awaitGone waits for the workers to end, or says that they did not do so in time. Shortly before
// that, what goes on without an end in sight is ended.
func (g *generation) awaitGone(ctx context.Context, gone <-chan struct{}) error {
	for part := partAt(ctx); ; {
		select {
		case <-gone:
			return nil
		case <-part:
			part = nil
			g.bridge.endStreams(g.slots...)
		case <-ctx.Done():
			return fmt.Errorf("workers did not end in time and were killed: %w", context.Cause(ctx))
		}
	}
}

// end kills what is left.
func (g *generation) end() {
	g.halt()
	g.mu.Lock()
	g.doomed = true
	for _, w := range g.workers {
		g.kill(w)
	}
	if g.template.alive != nil {
		g.kill(g.template.alive)
	}
	g.mu.Unlock()
	g.zygote.close()
}

func (g *generation) tellDrain(w *worker) { g.tellWorker(w, pyhost.MsgDrain) }

func (g *generation) tellWorker(w *worker, kind uint32) {
	if err := w.send(&pyhost.Message{Kind: kind}); err != nil && !errors.Is(err, unix.EPIPE) {
		g.bridge.log.Debug().Err(err).Int("pid", w.pid).Uint32("message", kind).Msg("a worker could not be told of the end")
	}
}

// part tells every worker that the end has begun: the application's handler may cut short
// what it runs.
func (g *generation) part() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range g.workers {
		g.tellWorker(w, pyhost.MsgStopping)
	}
}

func (g *generation) kill(w *worker) {
	// ESRCH: it is dead already.
	if err := w.signal(unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		g.bridge.log.Error().Err(err).Int("pid", w.pid).Msg("a worker could not be killed")
	}
}
