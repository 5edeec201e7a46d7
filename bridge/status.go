package bridge

import (
	"cmp"
	"slices"
	"time"
)

// Status is what there is to know of a bridge at one moment.
type Status struct {
	Generations []GenerationStatus // the newest last
	Failure     *ReloadFailure     // of the last reload; nil when it went well
	Stats       Stats
}

// GenerationStatus is one generation's part of it.
type GenerationStatus struct {
	Number  int       // from 1
	State   string    // starting, serving, draining
	Since   time.Time // of the state
	Preload PreloadStatus
	Workers []WorkerStatus
}

// PreloadStatus says where a generation's workers come from.
type PreloadStatus struct {
	State  string // off: each imports the application itself; importing; on: they are forked from the template; gone: the next one that is needed makes another template
	Pid    int    // of the template; 0: there is none
	Reason string // why it is off, if that is not the setting
}

// WorkerStatus is one worker's, or that of the place where one is to be.
type WorkerStatus struct {
	Slot     int       // its number, from 1; a worker that is renewed and its successor have the same
	Pid      int       // 0: there is none at this moment
	State    string    // starting, ready, draining; expired: a request ran past its time limit; waiting: a crash loop holds the next one up; leaving: another one has its place
	Since    time.Time // of ready, or of the last death
	Running  int       // requests that it has
	Queued   int       // and of those, which it has not begun
	Finished uint64    // by this worker
	Deaths   int       // of workers of this number
	Renewals int       // of workers of this number
	Renewing string    // why it is being renewed; "" if it is not
	Memory   int64     // bytes, as --max-worker-memory counts them; 0: not known

	// Pace is how long a request keeps a thread, a running median; 0: not known, or these are event loops.
	Pace time.Duration
}

// Status looks at everything. Any goroutine may call it.
func (b *Bridge) Status() Status {
	s := Status{Failure: b.reloads.lastFailure(), Stats: b.Stats()}
	for _, g := range b.generations() {
		s.Generations = append(s.Generations, g.status())
	}
	return s
}

func (g *generation) status() GenerationStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := GenerationStatus{Number: g.number, State: string(g.phase), Since: g.since, Preload: g.preloadStatus()}
	for _, s := range g.slots {
		if s.role != resting {
			out.Workers = append(out.Workers, g.workerStatus(s))
		}
	}
	slices.SortStableFunc(out.Workers, func(a, b WorkerStatus) int { return cmp.Compare(a.Slot, b.Slot) })
	return out
}

// preloadStatus is called with g.mu held.
func (g *generation) preloadStatus() PreloadStatus {
	t := &g.template
	switch w := t.alive; {
	case g.bridge.config.Preload == PreloadOff:
		return PreloadStatus{State: "off"}
	case t.refuse != "":
		return PreloadStatus{State: "off", Reason: t.refuse}
	case w == nil:
		return PreloadStatus{State: "gone"}
	case !w.imported:
		return PreloadStatus{State: "importing", Pid: w.pid}
	default:
		return PreloadStatus{State: "on", Pid: w.pid}
	}
}

func (g *generation) workerStatus(s *slot) WorkerStatus {
	out := WorkerStatus{Slot: s.number, State: string(starting), Since: s.since, Deaths: s.deaths, Renewals: s.renewals, Renewing: s.renewing}
	d := &g.bridge.dispatch
	d.mu.Lock()
	out.Running, out.Queued, out.Finished, out.Pace = s.inflight, s.queued(), s.finished, s.pace()
	expired := s.expired
	d.mu.Unlock()
	w := g.workers[s]
	switch {
	case w == nil && s.waiting:
		out.State = "waiting"
	case w == nil:
	default:
		out.Pid = w.pid
		out.Memory, _ = workerMemory(w.pid) // of one that is just dying it is not known
		if !w.ready.IsZero() {
			out.State, out.Since = "ready", w.ready
		}
		if g.phase == draining {
			out.State = string(draining)
		}
		if w.leaves {
			out.State = "leaving"
		}
		if expired {
			out.State = "expired"
		}
	}
	return out
}
