package bridge

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Renewal says when a worker is renewed: another one takes its place while it serves, and it
// leaves when it is through with what it runs. A limit of 0 is none. Each worker has limits
// of its own, up to a jitter above these, chosen at random when it is ready: workers that
// were started together are not all due together.
type Renewal struct {
	Requests, RequestsJitter int           // that it has finished
	Lifetime, LifetimeJitter time.Duration // since it was ready
	Memory, MemoryJitter     int64         // bytes that are resident or swapped out; see workerMemory
}

func (c *Renewal) wanted() bool { return c.Requests > 0 || c.Lifetime > 0 || c.Memory > 0 }

// chosen gives a worker its own limits.
func (c *Renewal) chosen() Renewal {
	return Renewal{
		Requests: jittered(c.Requests, c.RequestsJitter),
		Lifetime: jittered(c.Lifetime, c.LifetimeJitter),
		Memory:   jittered(c.Memory, c.MemoryJitter),
	}
}

func jittered[N int | int64 | time.Duration](limit, jitter N) N {
	if limit > 0 && jitter > 0 {
		limit += N(rand.Int64N(int64(jitter) + 1))
	}
	return limit
}

// role is what a generation's slot is for. With renewals there is one slot more than there
// are workers: in it the next one starts, while the one whose place it is to take serves on.
// When that has left, its slot is the one that is free. So nobody waits, even with a single
// worker, and the segment knows of nothing.
type role int

const (
	keeping role = iota // a worker is kept alive in it
	resting             // it is free
	trying              // a worker starts in it that is to take another's place
	leaving             // its worker has been replaced, and finishes what it runs
)

// renewals are a generation's. One worker is renewed at a time. Guarded by the generation's
// mutex.
type renewals struct {
	free     *slot // nil: there is none at the moment, or there never is
	from, to *slot // of the renewal that is under way; nil: none
	left     time.Time
	failures int       // in a row, of workers that were to take a place
	again    time.Time // when the next one may be tried
}

// memoryEvery is how many ticks pass between two looks at the workers' memory.
const memoryEvery = int(time.Second / tick)

// renew renews workers until the generation ends. It looks at them now and then: a request
// costs nothing on its way, and a limit is passed by what a worker does in a tenth of a
// second, and while its successor starts.
func (g *generation) renew() {
	defer g.keepers.Done()
	t := time.NewTicker(tick)
	defer t.Stop()
	for n := 0; ; n++ {
		select {
		case <-g.stop:
			return
		case now := <-t.C:
			if !g.renewOn(now) {
				continue
			}
			if s, w, why := g.due(now, n%memoryEvery == 0); s != nil {
				g.beginRenewal(s, w, why)
			}
		}
	}
}

// renewOn goes on with the renewal that is under way. It reports whether another one may begin.
func (g *generation) renewOn(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := &g.renewals
	switch {
	case g.phase != serving:
		return false
	case r.from == nil:
		return r.free != nil && !now.Before(r.again)
	case r.from.role == leaving:
		g.limitLeaving(r.from, now)
	default:
		if w := g.workers[r.to]; w != nil && !w.ready.IsZero() {
			g.handOver(r, now)
		}
	}
	return false
}

// due is a worker that has passed a limit, the one that serves longest; and which limit.
func (g *generation) due(now time.Time, memory bool) (slot *slot, worker *worker, why string) {
	for s, w := range g.serving() {
		if slot != nil && w.ready.After(worker.ready) {
			continue
		}
		if reason := g.passed(s, w, now, memory); reason != "" {
			slot, worker, why = s, w, reason
		}
	}
	return slot, worker, why
}

// serving are the workers that are kept and ready.
func (g *generation) serving() map[*slot]*worker {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := map[*slot]*worker{}
	for s, w := range g.workers {
		if s.role == keeping && !w.ready.IsZero() {
			all[s] = w
		}
	}
	return all
}

// passed says which limit a worker has passed, "" if none.
func (g *generation) passed(s *slot, w *worker, now time.Time, memory bool) string {
	l := &w.limits
	d := &g.bridge.dispatch
	d.mu.Lock()
	open, finished := s.open && s.incarnation == w.incarnation, s.finished
	d.mu.Unlock()
	switch {
	case !open:
		return "" // it is being replaced already
	case l.Requests > 0 && finished >= uint64(l.Requests):
		return fmt.Sprintf("it has finished %d requests, and --max-requests (with its jitter) is %d", finished, l.Requests)
	case l.Lifetime > 0 && now.Sub(w.ready) >= l.Lifetime:
		return fmt.Sprintf("it has served for %v, and --max-worker-lifetime (with its jitter) is %v",
			now.Sub(w.ready).Round(time.Millisecond), l.Lifetime.Round(time.Millisecond))
	case l.Memory > 0 && memory:
		// Of one that has just died there is nothing to be read.
		if n, err := workerMemory(w.pid); err == nil && n >= l.Memory {
			return fmt.Sprintf("it has %d MiB of memory, and --max-worker-memory (with its jitter) is %d MiB", n>>20, l.Memory>>20)
		}
	}
	return ""
}

// beginRenewal has a worker start in the free slot.
func (g *generation) beginRenewal(from *slot, w *worker, why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := &g.renewals
	if g.workers[from] != w || g.stopping() {
		return // it has died meanwhile
	}
	to := r.free
	r.free, r.from, r.to = nil, from, to
	to.role, to.number, to.deaths, to.renewals, to.since = trying, from.number, from.deaths, from.renewals, time.Now()
	from.renewing = why
	select {
	case to.call <- struct{}{}:
	default: // the last call is still there: its keeper had seen by itself that the rest was over
	}
	g.bridge.log.Info().Int("pid", w.pid).Msgf("worker %d is renewed: %s", from.number, why)
}

// handOver gives the place to the worker that is ready for it, and has the other one leave.
// What that has not begun goes to others. Called with g.mu held.
func (g *generation) handOver(r *renewals, now time.Time) {
	from, to := r.from, r.to
	to.role, from.role = keeping, leaving
	to.renewals++
	r.left, r.failures, r.again = now, 0, time.Time{}
	d := &g.bridge.dispatch
	d.mu.Lock()
	from.open = false
	d.mu.Unlock()
	g.bridge.recall(from)
	if w := g.workers[from]; w != nil {
		w.leaves = true
		g.tellDrain(w)
	}
}

// limitLeaving kills a worker that takes longer than the graceful timeout to leave. Called
// with g.mu held.
func (g *generation) limitLeaving(s *slot, now time.Time) {
	limit := g.bridge.config.GracefulTime
	w := g.workers[s]
	if w == nil || limit <= 0 || w.overstayed {
		return
	}
	switch stayed := now.Sub(g.renewals.left); {
	case stayed >= limit:
		w.overstayed = true
		g.kill(w)
	case stayed >= limit-PartingTime(limit) && !w.recalled:
		w.recalled = true
		g.bridge.endStreams(s)
	}
}

// called waits until the slot is to have a worker. It reports false when the generation ends.
func (g *generation) called(s *slot) bool {
	for g.rests(s) {
		select {
		case <-s.call:
		case <-g.stop:
			return false
		}
	}
	return true
}

// rests says whether a slot without a worker is to have none.
func (g *generation) rests(s *slot) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.role == leaving { // its worker had died, and the next one was held up
		g.renewals.over(s)
	}
	return s.role == resting
}

// through notes that a slot's worker has ended. It reports whether the slot is free now:
// the worker had been replaced, or was to take a place and did not come up.
func (g *generation) through(s *slot) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := &g.renewals
	switch s.role {
	case leaving:
	case trying:
		delay := min(time.Second<<min(r.failures, 10), longestDelay)
		r.failures++
		r.again = time.Now().Add(delay)
		g.bridge.log.Error().Msgf("worker %d serves on, because its successor did not come up; the next one is tried in %v", s.number, delay)
	default:
		return false
	}
	r.over(s)
	return true
}

// over ends the renewal that is under way; the slot is free. Called with g.mu held.
func (r *renewals) over(s *slot) {
	r.from.renewing = ""
	s.role = resting
	r.free, r.from, r.to = s, nil, nil
}
