package bridge

import "time"

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
	Workers []WorkerStatus
}

// WorkerStatus is one worker's, or that of the place where one is to be.
type WorkerStatus struct {
	Slot     int       // from 1
	Pid      int       // 0: there is none at this moment
	State    string    // starting, ready, draining; expired: a request ran past its time limit; waiting: a crash loop holds the next one up
	Since    time.Time // of ready, or of the last death
	Running  int       // requests that it has
	Finished uint64    // by this worker
	Deaths   int       // of workers in this place
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
	out := GenerationStatus{Number: g.number, State: string(g.phase), Since: g.since}
	for _, s := range g.slots {
		out.Workers = append(out.Workers, g.workerStatus(s))
	}
	return out
}

func (g *generation) workerStatus(s *slot) WorkerStatus {
	out := WorkerStatus{Slot: s.index + 1, State: string(starting), Since: s.since, Deaths: s.deaths}
	d := &g.bridge.dispatch
	d.mu.Lock()
	out.Running, out.Finished = s.inflight, s.finished
	expired := s.expired
	d.mu.Unlock()
	w := g.workers[s]
	switch {
	case w == nil && s.waiting:
		out.State = "waiting"
	case w == nil:
	default:
		out.Pid = w.pid
		if !w.ready.IsZero() {
			out.State, out.Since = "ready", w.ready
		}
		if g.phase == draining {
			out.State = string(draining)
		}
		if expired {
			out.State = "expired"
		}
	}
	return out
}
