package bridge

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Reload is what came of a reload that went well.
type Reload struct {
	Generation int           // that serves now
	Workers    int           // that it has, all of them ready
	Took       time.Duration // from the request to the first new request
}

// ReloadFailure is what came of one that did not.
type ReloadFailure struct {
	At   time.Time
	Text string // why, with a traceback if there is one
	Code int    // exit code that fits it; 0: none of the application's
}

// reloads are those asked for. One runs; whoever asks meanwhile shares the next one,
// because the running one may have read the code before it was changed.
type reloads struct {
	mu      sync.Mutex
	running bool
	next    *reload
	failure *ReloadFailure // of the last one
}

type reload struct {
	done   chan struct{}
	result Reload
	err    error
}

// Reload starts a new generation beside the one that serves, waits until all of its
// workers are ready, moves the requests to it, and has the old one finish what it runs.
// If it does not come up, the old one goes on serving and the error says why. ctx ends
// the waiting, not the reload.
func (b *Bridge) Reload(ctx context.Context) (Reload, error) {
	r := b.reloads.ask(b)
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
		return Reload{}, context.Cause(ctx)
	}
}

func (l *reloads) ask(b *Bridge) *reload {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		l.next = &reload{done: make(chan struct{})}
	}
	if !l.running {
		l.running = true
		go l.run(b)
	}
	return l.next
}

// run runs reloads until nobody asks for one.
func (l *reloads) run(b *Bridge) {
	for r := l.take(); r != nil; r = l.take() {
		r.result, r.err = b.reload()
		l.note(r.err)
		close(r.done)
	}
}

func (l *reloads) take() *reload {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.next
	l.next, l.running = nil, r != nil
	return r
}

func (l *reloads) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure = nil
	if err != nil {
		l.failure = &ReloadFailure{At: time.Now(), Text: err.Error()}
		if e, ok := errors.AsType[*StartError](err); ok {
			l.failure.Code = e.Code
		}
	}
}

func (l *reloads) lastFailure() *ReloadFailure {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

func (b *Bridge) reload() (Reload, error) {
	begin := time.Now()
	if b.stopping() {
		return Reload{}, errStopping
	}
	g, err := b.newGeneration()
	if err != nil {
		return Reload{}, err
	}
	b.everywhere(func(p *Port) { p.gens = append(p.gens, g) })
	g.start()
	if err := g.allReady(b.stop); err != nil {
		g.end()
		g.keepers.Wait()
		b.forget(g)
		return Reload{}, err
	}
	old := b.takeOver(g)
	go b.retire(old)
	return Reload{Generation: g.number, Workers: b.config.Workers, Took: time.Since(begin)}, nil
}

// takeOver has new requests go to g, and gives it what the old generation has not begun.
func (b *Bridge) takeOver(g *generation) (old *generation) {
	g.loud.Store(true)
	g.enter(serving)
	d := &b.dispatch
	d.mu.Lock()
	old, d.gen = d.gen, g
	d.mu.Unlock()
	b.everywhere(func(p *Port) { p.recall(old.slots...) })
	old.enter(draining)
	return old
}

// retire has an old generation finish what it runs and gives its memory back when the
// last client has taken the last answer of it.
func (b *Bridge) retire(g *generation) {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if limit := b.config.GracefulTime; limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	if err := g.drain(ctx); err != nil && !b.stopping() {
		b.log.Warn().Int("generation", g.number).Msgf("requests of the old generation were still running after %v and were cut; give them more time with --graceful-timeout",
			b.config.GracefulTime)
	}
	again := time.NewTicker(tick)
	defer again.Stop()
	for g.inUse() {
		select {
		case <-b.over:
			return // the process ends, and everything with it
		case <-again.C:
		}
	}
	b.forget(g)
	b.log.Debug().Int("generation", g.number).Msg("an old generation is gone")
}

func (g *generation) inUse() bool {
	d := &g.bridge.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	return g.free.len() < len(g.runs)
}

// forget has everyone forget a generation without processes and requests, and gives back
// its memory.
func (b *Bridge) forget(g *generation) {
	b.everywhere(func(p *Port) { p.forget(g) })
	b.mu.Lock()
	b.gens = slices.DeleteFunc(b.gens, func(have *generation) bool { return have == g })
	b.mu.Unlock()
	d := &b.dispatch
	d.mu.Lock()
	err := g.close()
	d.mu.Unlock()
	if err != nil {
		b.log.Error().Err(err).Int("generation", g.number).Msg("an old generation's memory could not be given back")
	}
}

// everywhere runs f in a turn of each reactor and returns when all have.
func (b *Bridge) everywhere(f func(p *Port)) {
	var all sync.WaitGroup
	for _, p := range b.ports {
		all.Add(1)
		p.Post(func() { f(p); all.Done() })
	}
	all.Wait()
}
