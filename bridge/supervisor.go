package bridge

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// The supervisor keeps one worker alive in each slot: a goroutine a slot, which starts
// a worker, waits for its death, has the reactors sweep, says what happened, and starts
// the next.

// crashLoop is the number of deaths in a row, each before a first finished request,
// from which on a replacement is delayed.
const (
	crashLoop    = 3
	longestDelay = 30 * time.Second
)

// keep keeps a worker in the slot until the bridge stops.
func (b *Bridge) keep(s *slot) {
	defer b.keepers.Done()
	for crashes := 0; !b.stopping(); {
		finished, err := b.runOne(s)
		if b.stopping() {
			return
		}
		if finished {
			crashes = 0
			continue
		}
		crashes++
		b.tellStart(err)
		if crashes < crashLoop {
			continue
		}
		delay := min(time.Second<<min(crashes-crashLoop, 10), longestDelay)
		b.log.Error().Int("deaths", crashes).Dur("delay", delay).
			Msgf("a worker has ended %d times in a row without finishing a request; the next one starts in %v", crashes, delay)
		select {
		case <-b.stop:
		case <-time.After(delay):
		}
	}
}

// tellStart tells Start what came of a slot's first worker; later news nobody reads.
func (b *Bridge) tellStart(err error) {
	select {
	case b.started <- err:
	default:
	}
}

// runOne runs one worker from its fork to its burial. It reports whether it finished
// at least one request, and otherwise what is known of why it ended.
func (b *Bridge) runOne(s *slot) (finished bool, err error) {
	w, err := b.fork(s)
	if err != nil {
		if b.up.Load() {
			b.log.Error().Err(err).Msg("a worker could not be started")
		}
		return false, err
	}
	listened := make(chan struct{})
	go func() { b.listen(s, w); close(listened) }()
	limit := b.limitStart(w, listened)
	how, err := w.wait()
	if limit != nil {
		limit.Stop()
	}
	<-listened
	lost, finished := b.bury(s)
	b.mu.Lock()
	delete(b.workers, s)
	b.mu.Unlock()
	b.reaper.forget(w.pid)
	w.close()
	return finished, b.report(w, how, lost, err)
}

// fork has the zygote make a worker for the slot and sets it up.
func (b *Bridge) fork(s *slot) (*worker, error) {
	b.reaper.pause()
	w, err := b.newWorker(s)
	if err == nil {
		b.reaper.adopt(w.pid)
	}
	b.reaper.resume()
	if err != nil {
		return nil, err
	}
	if err := w.setup(b, s); err != nil {
		b.log.Error().Err(err).Int("pid", w.pid).Msg("a worker could not be set up")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.workers[s] = w // from here on Drain and end see it
	if b.ended() {
		b.kill(w)
	} else if b.stopping() {
		b.drain(w)
	}
	return w, nil
}

// newWorker has the zygote fork a worker; when the zygote has died meanwhile, the next one does.
func (b *Bridge) newWorker(s *slot) (*worker, error) {
	for {
		z, err := b.zygote.get()
		if err != nil {
			return nil, startError(err)
		}
		w, err := newWorker(z, s.gen.incarnations.Add(1))
		if errors.Is(err, pyhost.ErrZygoteGone) && !b.stopping() {
			<-z.Done()
			continue
		}
		if err != nil {
			return nil, startError(err)
		}
		return w, nil
	}
}

// startError gives what the zygote said of its failure its exit code.
func startError(err error) error {
	var failed *pyhost.FailedError
	if errors.As(err, &failed) {
		return &StartError{Text: err.Error(), Code: failed.ExitCode}
	}
	return err
}

// listen takes what the worker says until its socket ends. A process whose socket has
// ended while it lives is our worker no more (it has exec'd): it is killed.
func (b *Bridge) listen(s *slot, w *worker) {
	for {
		m, fds, err := w.receive()
		for _, fd := range fds {
			unix.Close(fd)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				b.log.Error().Err(err).Int("pid", w.pid).Msg("a worker's socket broke")
			}
			b.kill(w)
			return
		}
		switch m.Kind {
		case pyhost.MsgReady:
			b.open(s, w)
		case pyhost.MsgFailed:
			w.failure = &StartError{Text: string(m.Payload), Code: int(m.B)}
		default:
			b.log.Error().Uint32("kind", m.Kind).Int("pid", w.pid).Msg("a worker sent a message that is not known")
		}
	}
}

// limitStart kills a worker that is not ready in time.
func (b *Bridge) limitStart(w *worker, listened <-chan struct{}) *time.Timer {
	limit := b.config.StartTimeout
	if limit <= 0 {
		return nil
	}
	return time.AfterFunc(limit, func() {
		b.mu.Lock()
		ready := w.ready
		b.mu.Unlock()
		if ready {
			return
		}
		b.log.Error().Int("pid", w.pid).Msgf("a worker was not ready after %v and is killed; give it more time with --start-timeout", limit)
		b.kill(w)
	})
}

// open lets requests come to a worker that is ready.
func (b *Bridge) open(s *slot, w *worker) {
	d := &b.dispatch
	d.mu.Lock()
	s.incarnation, s.finished, s.open = w.incarnation, 0, true
	d.mu.Unlock()
	b.mu.Lock()
	w.ready = true
	b.mu.Unlock()
	b.log.Debug().Int("pid", w.pid).Int("worker", s.index+1).Msg("a worker is ready")
	b.up.Store(true)
	b.tellStart(nil)
	for _, p := range b.ports {
		p.rouse()
	}
}

// bury closes the slot after a death and waits until every reactor has taken its
// streams back. It returns what the worker was running, and whether it had ever
// finished a request.
func (b *Bridge) bury(s *slot) (lost []string, finished bool) {
	d := &b.dispatch
	swept := make(chan struct{})
	d.mu.Lock()
	opened := s.open
	s.open, s.acks, s.swept, s.lost = false, 0, swept, nil
	d.mu.Unlock()
	if !opened {
		return nil, false
	}
	for _, p := range b.ports {
		p.Post(func() { p.sweep(s) })
	}
	<-swept
	d.mu.Lock()
	defer d.mu.Unlock()
	return s.lost, s.finished > 0
}

// report says how a worker ended, and returns it as an error.
func (b *Bridge) report(w *worker, how death, lost []string, err error) error {
	if err != nil {
		b.log.Error().Err(err).Msg("how a worker ended is not known")
		return err
	}
	if f := w.failure; f != nil {
		if b.up.Load() {
			b.log.Error().Int("pid", w.pid).Msg("a worker could not start: " + f.Text)
		}
		return f
	}
	err = fmt.Errorf("worker %d %v", w.pid, how)
	if b.stopping() && len(lost) == 0 {
		b.log.Debug().Int("pid", w.pid).Msg(err.Error())
		return err
	}
	failure := &StartError{Text: err.Error() + " before it was ready", Code: 3}
	if !b.up.Load() {
		return failure
	}
	event := b.log.Error().Int("pid", w.pid)
	if len(lost) > 0 {
		event = event.Strs("requests", lost)
	}
	event.Msgf("%v; another one takes its place", err)
	return failure
}

// zygote holds the process that workers are forked from, and starts another when it has died.
type zygote struct {
	bridge  *Bridge
	mu      sync.Mutex
	process *pyhost.Zygote
	closed  bool
}

func (z *zygote) get() (*pyhost.Zygote, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.closed {
		return nil, errors.New("the server is stopping")
	}
	if z.process != nil {
		select {
		case <-z.process.Done():
			z.bridge.log.Error().Int("pid", z.process.Pid()).Msg("the zygote has died; another one takes its place")
			z.bridge.reaper.forget(z.process.Pid())
			z.process.Close()
			z.process = nil
		default:
			return z.process, nil
		}
	}
	c := &z.bridge.config
	p, err := pyhost.Launch(c.Interpreter, c.Host, c.Helper)
	if err != nil {
		return nil, err
	}
	z.process = p
	z.bridge.reaper.adopt(p.Pid())
	return p, nil
}

func (z *zygote) close() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.closed = true
	if z.process != nil {
		z.process.Close()
		z.process = nil
	}
}
