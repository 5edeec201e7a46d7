package bridge

import (
	"time"

	"gobridge/pyhost"
)

// Time limits of requests, from when a worker begins one. The front looks at what runs
// now and then; a run costs nothing on its way. What a stuck worker does is not asked
// for: the client has its answer from the front, and the worker is killed when nothing
// else runs in it, or when that has had its time too.

// watched is what the limits know of a run. Guarded by dispatch.mu.
type watched struct {
	word    uint64    // as it was queued, of the use that the rest is about
	since   time.Time // it was first seen running
	slow    bool      // it is told of
	expired bool      // its time is over
}

// watchRuns looks at what runs until stop, if there is a limit.
func (b *Bridge) watchRuns(stop <-chan struct{}) {
	if b.config.RequestTimeout <= 0 && b.config.SlowRequest <= 0 {
		return
	}
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-t.C:
			b.lookAtRuns(now)
		}
	}
}

func (b *Bridge) lookAtRuns(now time.Time) {
	for _, g := range b.generations() {
		for _, s := range g.slots {
			b.dispatch.lookAtRuns(s, now, &b.config)
		}
	}
}

// lookAtRuns looks at one worker's. It begins them in the order in which they were put, so
// behind one that it has not begun there is none that runs.
func (d *dispatch) lookAtRuns(s *slot, now time.Time, c *Config) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for r := s.first; r != nil; r = r.next {
		switch r.state() {
		case pyhost.StateRunning:
			r.lookAt(now, c)
		case pyhost.StateQueued:
			return
		}
	}
}

// lookAt tells the run's reactor what its time has come for.
func (r *run) lookAt(now time.Time, c *Config) {
	if r.socket.Load() {
		return // it may last for ever
	}
	l, p, word := &r.watched, r.owner.Load(), r.word
	if l.word != word {
		*l = watched{word: word, since: now}
		return
	}
	age := now.Sub(l.since)
	switch {
	case c.RequestTimeout > 0 && age >= c.RequestTimeout:
		if !l.expired {
			l.expired = true
			p.Post(func() { p.expireRun(r, word) })
		}
	case c.SlowRequest > 0 && age >= c.SlowRequest:
		if !l.slow {
			l.slow = true
			p.Post(func() { p.tellSlow(r, word) })
		}
	}
}

// ---- In a reactor's turn.

// running returns the worker's place if r is still the use of the word and runs. Called
// with dispatch.mu held.
func (r *run) running(word uint64) *slot {
	if s := r.slot.Load(); s != nil && r.word == word && r.state() == pyhost.StateRunning {
		return s
	}
	return nil
}

// describe names a run's request. Called in a turn of its reactor.
func (r *run) describe() string {
	if r.x == nil {
		return "a request whose client has left"
	}
	return r.x.client.Describe()
}

// expireRun ends the exchange of a request whose time is over, and the worker's with it:
// it gets nothing new, and what it has not begun goes back into the line.
func (p *Port) expireRun(r *run, word uint64) {
	d := &p.bridge.dispatch
	d.mu.Lock()
	s := r.running(word)
	if s == nil { // it has come to its end just now
		d.mu.Unlock()
		return
	}
	x, request := r.x, r.describe()
	if x != nil && x.fail == Waiting {
		x.fail = Overrun
	}
	first, incarnation := !s.expired, s.incarnation
	s.open, s.expired = false, true
	d.mu.Unlock()
	if first {
		p.recall(s) // before the answer: it may end what the worker runs, and that one begin the next
		p.bridge.recall(s)
	}
	if x != nil {
		x.client.Progress() // which leaves: the stream is the worker's until it dies
	}
	if first {
		go s.gen.expire(s, incarnation, request)
		return
	}
	p.bridge.log.Error().Str("request", request).Msgf("another request ran longer than --request-timeout %v in a worker that is being replaced",
		p.bridge.config.RequestTimeout)
}

// tellSlow has it logged that a request is slow, and where it is.
func (p *Port) tellSlow(r *run, word uint64) {
	d := &p.bridge.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := r.running(word); s != nil {
		go s.gen.logSlow(s, s.incarnation, r.describe())
	}
}

// ---- The worker.

// workerIn is the place's worker if it is still that incarnation, else nil.
func (g *generation) workerIn(s *slot, incarnation uint32) *worker {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w := g.workers[s]; w != nil && w.incarnation == incarnation {
		return w
	}
	return nil
}

func (g *generation) logSlow(s *slot, incarnation uint32, request string) {
	w := g.workerIn(s, incarnation)
	if w == nil {
		return
	}
	g.bridge.log.Warn().Int("pid", w.pid).Str("request", request).Str(StackField, w.stacks()).
		Msgf("a request has run for longer than --slow-request %v and goes on", g.bridge.config.SlowRequest)
}

// expire says where a worker is that has a request whose time is over, lets it finish what
// else it runs within the graceful timeout, and kills it.
func (g *generation) expire(s *slot, incarnation uint32, request string) {
	w := g.workerIn(s, incarnation)
	if w == nil {
		return
	}
	c := &g.bridge.config
	end := time.Now().Add(c.GracefulTime)
	g.bridge.log.Error().Int("pid", w.pid).Str("request", request).Str(StackField, w.stacks()).
		Msgf("a request ran longer than --request-timeout %v; its worker gets no new ones and is replaced", c.RequestTimeout)
	again := time.NewTicker(tick)
	defer again.Stop()
	for g.runsElse(s, incarnation) && (c.GracefulTime <= 0 || time.Now().Before(end)) {
		select {
		case <-again.C:
		case <-g.bridge.over:
			return
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.workers[s] == w {
		w.expired = true
		g.kill(w)
	}
}

// runsElse says whether a worker runs a request whose time is not over.
func (g *generation) runsElse(s *slot, incarnation uint32) bool {
	d := &g.bridge.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.incarnation != incarnation {
		return false
	}
	for r := s.first; r != nil; r = r.next {
		if expired := r.watched.expired && r.watched.word == r.word; !expired && r.state() == pyhost.StateRunning {
			return true
		}
	}
	return false
}
