package bridge

import (
	"context"
	"errors"
	"fmt"
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
	Helper      []byte // source of the Python helper module
	Application string // module:attribute
	Dir         string // where it is imported from and runs in

	Workers  int // processes, 1..pyhost.MaxWorkers
	Threads  int // request threads in each
	Reactors int // 1..pyhost.MaxReactors

	Streams  int // requests that workers have or whose answers are on their way; 0: DefaultStreams
	PipeSize int // bytes in each direction of a stream, a power of two; 0: DefaultPipeSize

	QueueTimeout time.Duration // for a worker to have room; 0: no limit
	StartTimeout time.Duration // for a worker to import the application; 0: no limit

	Log zerolog.Logger
}

// Defaults of Config.
const (
	DefaultStreams  = 4096
	DefaultPipeSize = 64 << 10
)

// Bridge is the front's side: it has workers run and hands them requests.
type Bridge struct {
	config   Config
	log      zerolog.Logger
	dispatch dispatch
	ports    []*Port
	gen      *generation
	zygote   zygote
	reaper   reaper

	up       atomic.Bool   // a worker has been ready: until then Start's error says what failed, and the log is silent
	stop     chan struct{} // closed when no worker is to be started any more
	stopOnce sync.Once
	keepers  sync.WaitGroup // one for each slot
	over     chan struct{}  // closed when everything ends
	started  chan error     // what came of each slot's first worker

	mu      sync.Mutex
	workers map[*slot]*worker // alive, or not yet buried
}

// StartError says why the application cannot be served.
type StartError struct {
	Text string // what and why, with the Python traceback
	Code int    // exit code to use
}

func (e *StartError) Error() string { return e.Text }

// Start starts the zygote and the workers, and returns when the first of them is
// ready. An application that does not import is a *StartError.
func Start(c Config) (*Bridge, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	// Workers are forked twice, so that they become children of the front.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the parent of the workers: %w", err)
	}
	b := &Bridge{config: c, log: c.Log, stop: make(chan struct{}), over: make(chan struct{}),
		started: make(chan error, c.Workers), workers: map[*slot]*worker{}}
	b.reaper.own = map[int]bool{}
	b.zygote.bridge = b
	gen, err := newGeneration(&b.config)
	if err != nil {
		return nil, err
	}
	b.gen = gen
	b.dispatch.gen = gen
	b.dispatch.now.Store(time.Now().UnixNano())
	for i := range c.Reactors {
		doorbell, err := newDoorbell()
		if err != nil {
			return nil, fmt.Errorf("create a reactor's doorbell: %w", err)
		}
		b.ports = append(b.ports, &Port{bridge: b, index: i, doorbell: doorbell, gens: []*generation{gen}})
	}
	b.dispatch.ports = b.ports
	go b.reaper.run(b.over)
	go b.dispatch.housekeep(b.over)
	for _, s := range gen.slots {
		b.keepers.Add(1)
		go b.keep(s)
	}
	if err := <-b.started; err != nil {
		b.end()
		return nil, err
	}
	return b, nil
}

// complete fills in defaults and checks what would break the segment.
func (c *Config) complete() error {
	if c.Streams == 0 {
		c.Streams = DefaultStreams
	}
	if c.PipeSize == 0 {
		c.PipeSize = DefaultPipeSize
	}
	switch {
	case c.Workers < 1 || c.Workers > pyhost.MaxWorkers:
		return fmt.Errorf("workers: %d is not within 1..%d", c.Workers, pyhost.MaxWorkers)
	case c.Threads < 1 || c.Threads > 1024:
		return fmt.Errorf("threads: %d is not within 1..1024", c.Threads)
	case c.Reactors < 1 || c.Reactors > pyhost.MaxReactors:
		return fmt.Errorf("reactors: %d is not within 1..%d", c.Reactors, pyhost.MaxReactors)
	case c.Streams < 1 || c.Streams > pyhost.MaxStreams:
		return fmt.Errorf("streams: %d is not within 1..%d", c.Streams, pyhost.MaxStreams)
	case c.PipeSize < pageSize || c.PipeSize > 1<<24 || c.PipeSize&(c.PipeSize-1) != 0:
		return fmt.Errorf("pipe size: %d is no power of two within %d..%d", c.PipeSize, pageSize, 1<<24)
	}
	return nil
}

// Ports are the reactors' ends, one for each.
func (b *Bridge) Ports() []*Port { return b.ports }

// Drain has every worker finish what it has, run its exit handlers and leave. When ctx
// ends first, the rest are killed and its error is returned. The reactors must go on
// turning until Drain returns.
func (b *Bridge) Drain(ctx context.Context) error {
	b.stopOnce.Do(func() { close(b.stop) })
	b.mu.Lock()
	for _, w := range b.workers {
		b.drain(w)
	}
	b.mu.Unlock()
	gone := make(chan struct{})
	go func() { b.keepers.Wait(); close(gone) }()
	var err error
	select {
	case <-gone:
	case <-ctx.Done():
		err = fmt.Errorf("workers did not end in time and were killed: %w", ctx.Err())
	}
	b.end()
	<-gone
	return err
}

func (b *Bridge) drain(w *worker) {
	if err := w.send(&pyhost.Message{Kind: pyhost.MsgDrain}); err != nil && !errors.Is(err, unix.EPIPE) {
		b.log.Debug().Err(err).Int("pid", w.pid).Msg("a worker could not be told to drain")
	}
}

// end kills what is left.
func (b *Bridge) end() {
	b.stopOnce.Do(func() { close(b.stop) })
	b.mu.Lock()
	for _, w := range b.workers {
		b.kill(w)
	}
	if !b.ended() {
		close(b.over)
	}
	b.mu.Unlock()
	b.zygote.close()
}

func (b *Bridge) kill(w *worker) {
	// ESRCH: it is dead already.
	if err := w.signal(unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		b.log.Error().Err(err).Int("pid", w.pid).Msg("a worker could not be killed")
	}
}

func (b *Bridge) ended() bool {
	select {
	case <-b.over:
		return true
	default:
		return false
	}
}

func (b *Bridge) stopping() bool {
	select {
	case <-b.stop:
		return true
	default:
		return false
	}
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
	d := &b.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Streams = len(b.gen.runs) - len(b.gen.free) - b.gen.trimming
	s.Line = d.line.count
	for _, slot := range b.gen.slots {
		s.Running += slot.inflight
		if slot.open {
			s.Workers++
		}
	}
	return s
}
