package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// Config says what the bridge runs and how.
type Config struct {
	Interpreter *pyhost.Interpreter
	Host        pyhost.Host
	Helper      []byte // sources of the Python helper's modules
	Application string // module:attribute
	Interface   string // how it is called: auto, wsgi, asgi, asgi2; "": auto
	Loop        string // of ASGI workers: auto, asyncio, uvloop; "": auto
	Lifespan    string // whether ASGI applications are told of start and end: auto, on, off; "": auto
	NoPathsend  bool   // ASGI applications are not offered to hand files over
	Dir         string // where it is imported from and runs in

	Workers  int     // processes, 1..MaxWorkers
	Threads  int     // request threads in each
	Spin     bool    // reactors and workers may look for work for SpinTime before they sleep
	Preload  Preload // whether they share what the import has made; "": PreloadAuto
	Reactors int     // 1..pyhost.MaxReactors

	Concurrency int // requests that wait, run or are being answered at most; 0: no limit

	Streams    int // requests that workers have or whose answers are on their way; 0: DefaultStreams
	WebSockets int // open at most, beside those; 0: DefaultWebSockets
	PipeSize   int // bytes in each direction of a stream, a power of two; 0: DefaultPipeSize

	MessageQueue int // whole messages of one WebSocket that wait for the application; 0: as many as its pipe holds

	QueueTimeout   time.Duration // for a worker to begin a request; 0: no limit
	StartTimeout   time.Duration // for a worker to import the application; 0: no limit
	RequestTimeout time.Duration // for a worker to run a request; 0: no limit
	SlowRequest    time.Duration // for a request to run before it is told where it is; 0: never

	GracefulTime time.Duration // for what an old generation, or a worker that is renewed, runs to finish; 0: no limit

	Renewal Renewal // when workers are renewed

	Log zerolog.Logger
}

// MaxWorkers is how many workers there may be. A segment has one more: see role.
const MaxWorkers = pyhost.MaxWorkers - 1

// Defaults of Config.
const (
	DefaultStreams    = 4096
	DefaultWebSockets = 64
	DefaultPipeSize   = 128 << 10
)

// Bridge is the front's side: it has workers run and hands them requests.
type Bridge struct {
	config   Config
	log      zerolog.Logger
	dispatch dispatch
	ports    []*Port
	reaper   reaper
	reloads  reloads
	shortage *shortage
	wide     atomic.Int64 // WebSockets that may use all of their request pipes
	style    style

	stop     chan struct{} // closed when no generation is to be started any more
	stopOnce sync.Once
	over     chan struct{} // closed when everything ends
	overOnce sync.Once

	mu      sync.Mutex    // never taken while dispatch.mu or a generation's is held
	gens    []*generation // alive, the newest last
	numbers int           // generations so far
}

// StartError says why the application cannot be served.
type StartError struct {
	Text string // what and why, with the Python traceback
	Code int    // exit code to use

	killed bool // from outside, by SIGKILL: that says nothing of the application
}

func (e *StartError) Error() string { return e.Text }

// Start starts the first generation and returns when the first of its workers is
// ready. An application that does not import is a *StartError.
func Start(c Config) (*Bridge, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	// Workers are forked twice, so that they become children of the front.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the parent of the workers: %w", err)
	}
	b, g, err := newBridge(c)
	if err != nil {
		return nil, err
	}
	go b.reaper.run(b.over, reapIdle)
	go b.dispatch.housekeep(b.over)
	go b.watchRuns(b.over)
	g.start()
	if err := g.firstReady(); err != nil {
		b.endUnserved(g)
		b.close()
		return nil, err
	}
	return b, nil
}

// endUnserved ends a bridge whose ports nobody turns yet. A worker that had just become ready
// is buried like any other, which takes turns.
func (b *Bridge) endUnserved(g *generation) {
	b.end()
	gone := make(chan struct{})
	go func() { g.keepers.Wait(); close(gone) }()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		for _, p := range b.ports {
			p.Turn()
		}
		select {
		case <-gone:
			return
		case <-again.C:
		}
	}
}

// newBridge is a bridge with its first generation, which has no processes yet.
func newBridge(c Config) (*Bridge, *generation, error) {
	b := &Bridge{config: c, log: c.Log, shortage: newShortage("/"), stop: make(chan struct{}), over: make(chan struct{})}
	b.reaper.own = map[int]bool{}
	b.dispatch.begins = make(chan struct{}, 1)
	b.dispatch.now.Store(time.Now().UnixNano())
	for i := range c.Reactors {
		doorbell, err := newDoorbell()
		if err != nil {
			b.close()
			return nil, nil, fmt.Errorf("create a reactor's doorbell: %w", err)
		}
		b.ports = append(b.ports, &Port{bridge: b, index: i, doorbell: doorbell, spin: spinner{limit: c.spinTime()}, clock: time.Now})
	}
	b.dispatch.ports = b.ports
	g, err := b.newGeneration()
	if err != nil {
		b.close()
		return nil, nil, err
	}
	for _, p := range b.ports { // nobody turns them yet
		p.gens = []*generation{g}
	}
	g.phase = serving
	b.dispatch.gen = g
	return b, g, nil
}

// close gives back what is left. No reactor turns and no process of ours lives.
func (b *Bridge) close() {
	for _, p := range b.ports {
		unix.Close(p.doorbell)
	}
	for _, g := range b.gens {
		if err := g.close(); err != nil {
			b.log.Error().Err(err).Msg("a generation's memory could not be given back")
		}
	}
}

// complete fills in defaults and checks what would break the segment.
func (c *Config) complete() error {
	if c.Streams == 0 {
		c.Streams = DefaultStreams
	}
	if c.WebSockets == 0 {
		c.WebSockets = DefaultWebSockets
	}
	if c.PipeSize == 0 {
		c.PipeSize = DefaultPipeSize
	}
	if c.Preload == "" {
		c.Preload = PreloadAuto
	}
	for _, s := range []*string{&c.Interface, &c.Loop, &c.Lifespan} {
		if *s == "" {
			*s = "auto"
		}
	}
	switch {
	case c.Workers < 1 || c.Workers > MaxWorkers:
		return fmt.Errorf("workers: %d is not within 1..%d", c.Workers, MaxWorkers)
	case c.Threads < 1 || c.Threads > 1024:
		return fmt.Errorf("threads: %d is not within 1..1024", c.Threads)
	case c.Reactors < 1 || c.Reactors > pyhost.MaxReactors:
		return fmt.Errorf("reactors: %d is not within 1..%d", c.Reactors, pyhost.MaxReactors)
	case c.Streams < 1 || c.WebSockets < 0 || c.Streams+c.WebSockets+64 > pyhost.MaxStreams:
		return fmt.Errorf("streams: %d, and %d for WebSockets, are not within 1..%d", c.Streams, c.WebSockets, pyhost.MaxStreams-64)
	case c.PipeSize < pageSize || c.PipeSize > 1<<24 || c.PipeSize&(c.PipeSize-1) != 0:
		return fmt.Errorf("pipe size: %d is no power of two within %d..%d", c.PipeSize, pageSize, 1<<24)
	}
	return nil
}

// Ports are the reactors' ends, one for each.
func (b *Bridge) Ports() []*Port { return b.ports }

// Part tells the application that the server is about to stop, while requests are still
// finished: the workers call its handler of SIGTERM.
func (b *Bridge) Part() {
	b.halt()
	for _, g := range b.generations() {
		g.part()
	}
}

// Drain has every worker finish what it has, run its exit handlers and leave. When ctx
// ends first, the rest are killed and its error is returned. The reactors must go on
// turning until Drain returns.
func (b *Bridge) Drain(ctx context.Context) error {
	b.halt()
	var all sync.WaitGroup
	gens := b.generations()
	errs := make([]error, len(gens))
	for i, g := range gens {
		all.Go(func() { errs[i] = g.drain(ctx) })
	}
	all.Wait()
	b.end()
	return errors.Join(errs...)
}

// halt has no generation begin any more.
func (b *Bridge) halt() { b.stopOnce.Do(func() { close(b.stop) }) }

// end kills what is left.
func (b *Bridge) end() {
	b.halt()
	for _, g := range b.generations() {
		g.end()
	}
	b.overOnce.Do(func() { close(b.over) })
}

func (b *Bridge) stopping() bool { return closed(b.stop) }

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// generations are those alive, the newest last.
func (b *Bridge) generations() []*generation {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.gens)
}

// Stats is how much of the bridge is in use.
type Stats struct {
	Streams int // not free
	Line    int // requests waiting for room
	Running int // requests that workers have
	Workers int // alive and ready
}

// Stats counts. Any goroutine may call it.
func (b *Bridge) Stats() (s Stats) {
	gens := b.generations()
	d := &b.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Line = d.line.count
	for _, g := range gens {
		s.Streams += g.streamsInUse()
		for _, slot := range g.slots {
			s.Running += slot.inflight
			if slot.open {
				s.Workers++
			}
		}
	}
	return s
}
