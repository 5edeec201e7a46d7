package bridge

import "time"

// An application can stop an event loop that it runs in (loop.stop()). The worker then drains by
// itself: it finishes what it runs, and leaves. It is a worker that goes without another one that
// has its place already, so it gets nothing new from the moment on at which it says so.

// letLeave lets a worker go, the application of which has stopped a loop.
func (g *generation) letLeave(s *slot, w *worker, loop int) {
	d := &g.bridge.dispatch
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.workers[s] != w || w.stopped {
		return
	}
	w.stopped = true
	d.mu.Lock()
	if s.incarnation == w.incarnation {
		s.open = false
	}
	d.mu.Unlock()
	g.bridge.recall(s)
	g.bridge.log.Error().Int("pid", w.pid).Int("loop", loop).
		Msg("the application has stopped the event loop of a worker, which finishes what it runs; another one takes its place")
	if limit := g.bridge.config.GracefulTime; limit > 0 {
		time.AfterFunc(limit-PartingTime(limit), func() { g.partFrom(s, w) })
		time.AfterFunc(limit, func() { g.endOverstayed(s, w) })
	}
}

// partFrom ends what goes on without an end in a worker that is to leave.
func (g *generation) partFrom(s *slot, w *worker) {
	if g.workerIn(s, w.incarnation) == w {
		g.bridge.endStreams(s)
	}
}

// endOverstayed kills a worker that has not left in time.
func (g *generation) endOverstayed(s *slot, w *worker) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.workers[s] == w {
		w.overstayed = true
		g.kill(w)
	}
}
