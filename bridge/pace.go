package bridge

import (
	"sync/atomic"
	"time"

	"gobridge/pyhost"
)

// To wake a worker that sleeps costs its processor, the one that rings, and the one that must
// leave for it: many times what a small request takes. So a small request rather waits for a worker
// that is at work and will soon be through. Workers of one thread tell their pace (pyhost/pace.h).
const (
	worthWaking = 50 * time.Microsecond  // of work that a worker has before it, until another is woken
	noProgress  = DozeTime               // after which one that runs small requests is taken to be held up
	notBegun    = 2 * time.Millisecond   // after which it is, if it runs nothing: it may wait for a processor
	lateAfter   = 100 * time.Millisecond // after which a worker is whose requests are not small
)

// pace is how long a request keeps a thread of the worker; 0: not known.
func (s *slot) pace() time.Duration {
	return time.Duration(atomic.LoadUint32(&s.gen.seg.worker(s.index).Pace))
}

// worth is how many requests the worker may have before another is woken for a small one. 0: its
// requests are not small, or its pace is not known. It is not told by event loops, whose requests
// may all be waiting for something; and where there are several threads, another one of
// them would have to be woken instead of another worker, and to wait for the GIL.
func (s *slot) worth() int {
	pace := s.pace()
	if pace == 0 || s.gen.threads > 1 {
		return 0
	}
	return int(worthWaking / pace)
}

// soonThrough says whether the worker has something to do, and will be through with it before
// another one would be awake.
func (s *slot) soonThrough(now time.Time) bool {
	return s.inflight > 0 && s.inflight <= s.worth() && !s.heldUp(now)
}

// heldUp says whether the worker is not through with what it runs, although it should be. An event
// loop goes on beside what waits in it.
func (s *slot) heldUp(now time.Time) bool {
	since := now.Sub(s.progress)
	switch {
	case since < noProgress, s.inflight == 0, s.inflight < s.gen.threads, s.gen.bridge.isASGI():
		return false // the first is how it mostly is, and costs least
	case s.worth() == 0:
		return since >= lateAfter
	case s.first.state() == pyhost.StateQueued:
		return since >= notBegun
	}
	return true
}

// toSpare is how many requests the worker is to give to one that has run dry: one half, or, if it
// is held up, whatever it has not begun.
func (s *slot) toSpare(dry *slot, now time.Time) int {
	if s.heldUp(now) {
		return s.inflight - s.gen.threads
	}
	return (s.inflight - dry.inflight) / 2
}

// spare notes that a worker was left asleep because another is soon through. One port looks
// whether it is: within DozeTime, whatever happens.
func (d *dispatch) spare(p *Port) { d.watcher.CompareAndSwap(nil, p) }

// unspare ends the watch, if it is this port's.
func (d *dispatch) unspare(p *Port) { d.watcher.CompareAndSwap(p, nil) }

// watches says whether it is this port's to look.
func (p *Port) watches() bool { return p.bridge.dispatch.watcher.Load() == p }
