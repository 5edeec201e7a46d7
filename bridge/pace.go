package bridge

import (
	"sync/atomic"
	"time"

	"gobridge/pyhost"
)

// To wake a worker that sleeps costs its processor, the one that rings, and the one that must
// leave for it: many times what a small request takes. So a small request rather waits for a worker
// that is at work and will soon be through. Workers tell their pace (pyhost/pace.h).
const (
	worthWaking = 50 * time.Microsecond  // of work that a worker has before it, until another is woken
	noProgress  = DozeTime               // after which one of such a pace is taken to be held up
	lateAfter   = 100 * time.Millisecond // after which any other is
)

// worth is how many requests the worker may have before another is woken for a small one. 0: its
// requests are not small, or its pace is not known; event loops tell none, for their requests
// may all be waiting for something.
func (s *slot) worth() int {
	pace := atomic.LoadUint32(&s.gen.seg.worker(s.index).Pace)
	if pace == 0 {
		return 0
	}
	return int(worthWaking / time.Duration(pace))
}

// soonThrough says whether the worker has something to do, and will be through with it before
// another one would be awake.
func (s *slot) soonThrough(now time.Time) bool {
	return s.inflight > 0 && s.inflight <= s.worth() && !s.heldUp(now)
}

// heldUp says whether the worker is not through with what it runs, although it should be. One that
// has begun nothing yet only waits for a processor, and another one would, too.
func (s *slot) heldUp(now time.Time) bool {
	if s.inflight < s.gen.threads || s.inflight == 0 {
		return false
	}
	limit := lateAfter
	if s.worth() > 0 && s.first.state() != pyhost.StateQueued {
		limit = noProgress
	}
	return now.Sub(s.progress) >= limit
}

// toSpare is how many requests the worker is to give to one that has run dry: one half, or, if it
// is held up, whatever it has not begun.
func (s *slot) toSpare(dry *slot, now time.Time) int {
	if s.heldUp(now) {
		return s.inflight - s.gen.threads
	}
	return (s.inflight - dry.inflight) / 2
}
