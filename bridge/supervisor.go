package bridge

import (
	"errors"
	"fmt"
	"os"
	"slices"
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

// keep keeps a worker in the slot until the generation stops.
func (g *generation) keep(s *slot) {
	defer g.keepers.Done()
	for crashes := 0; g.called(s) && !g.stopping(); {
		finished, err := g.runOne(s)
		if g.stopping() {
			return
		}
		if g.through(s) {
			crashes = 0
			continue
		}
		if finished {
			crashes = 0
			continue
		}
		crashes++
		g.tell(s, err)
		if crashes < crashLoop {
			continue
		}
		delay := min(time.Second<<min(crashes-crashLoop, 10), longestDelay)
		g.bridge.log.Error().Int("deaths", crashes).Dur("delay", delay).
			Msgf("a worker has ended %d times in a row without finishing a request; the next one starts in %v", crashes, delay)
		g.holdUp(s, delay)
	}
}

// holdUp waits before the next worker of a slot is started.
func (g *generation) holdUp(s *slot, delay time.Duration) {
	mark := func(waiting bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		s.waiting = waiting
	}
	mark(true)
	defer mark(false)
	select {
	case <-g.stop:
	case <-time.After(delay):
	}
}

// tell tells who waits for this generation's start what came of a slot's worker. Once it
// serves nobody reads that any more.
func (g *generation) tell(s *slot, err error) {
	select {
	case g.news <- startNews{s, err}:
	default:
	}
}

// runOne runs one worker from its fork to its burial. It reports whether it finished
// at least one request, and otherwise what is known of why it ended.
func (g *generation) runOne(s *slot) (finished bool, err error) {
	w, err := g.fork(s)
	if err != nil {
		if g.loud.Load() && !g.stopping() {
			g.bridge.log.Error().Err(err).Msg("a worker could not be started")
		}
		return false, err
	}
	listened := make(chan struct{})
	go func() { g.listen(s, w); close(listened) }()
	limit := g.limitStart(s, w)
	how, err := w.wait()
	if how.signal == unix.SIGKILL {
		how.memory = g.bridge.shortage.look()
	}
	w.evidence.answer("it has died")
	stopTimer(limit)
	w.hush()
	<-listened
	g.hearLast(s, w)
	lost, finished := g.bury(s)
	g.mu.Lock()
	delete(g.workers, s)
	if !w.leaves {
		s.deaths++
	}
	s.since = time.Now()
	g.mu.Unlock()
	g.bridge.reaper.forget(w.pid)
	defer w.close()
	return finished || w.expired, g.report(w, how, lost, err)
}

// fork makes a worker for the slot and sets it up.
func (g *generation) fork(s *slot) (*worker, error) {
	w, err := g.newWorker()
	if err != nil {
		return nil, startError(err)
	}
	if err := w.setup(g, s); err != nil {
		g.bridge.log.Error().Err(err).Int("pid", w.pid).Msg("a worker could not be set up")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.workers[s] = w
	if w.leaves = s.role == leaving; w.leaves {
		g.tellDrain(w)
	}
	g.meet(w)
	return w, nil
}

// newWorker has a worker forked: from the template, or from the zygote, which has
// imported nothing.
func (g *generation) newWorker() (*worker, error) {
	if g.bridge.config.Preload != PreloadOff {
		w, err := g.template.worker()
		if !errors.Is(err, errNoTemplate) {
			return w, err
		}
	}
	return g.fromZygote((*pyhost.Zygote).Spawn)
}

// fromZygote has the zygote fork a process; when it has died meanwhile, the next one does.
func (g *generation) fromZygote(fork func(z *pyhost.Zygote, incarnation uint32) (control int, err error)) (*worker, error) {
	for {
		z, err := g.zygote.get()
		if err != nil {
			return nil, err
		}
		w, err := g.born(func(incarnation uint32) (int, error) { return fork(z, incarnation) })
		if errors.Is(err, pyhost.ErrZygoteGone) && !g.stopping() {
			<-z.Done()
			continue
		}
		return w, err
	}
}

// born has a process forked, and makes its acquaintance before the reaper comes by.
func (g *generation) born(fork func(incarnation uint32) (control int, err error)) (*worker, error) {
	g.bridge.reaper.pause()
	defer g.bridge.reaper.resume()
	incarnation := g.incarnations.Add(1)
	control, err := fork(incarnation)
	if err != nil {
		return nil, fmt.Errorf("fork a worker: %w", err)
	}
	w, err := greet(control, incarnation)
	if err == nil {
		g.bridge.reaper.adopt(w.pid)
	}
	return w, err
}

// meet tells a process that has just come into drain's and end's sight what it has missed.
// Called with g.mu held.
func (g *generation) meet(w *worker) {
	if g.doomed {
		g.kill(w)
	} else if g.stopping() {
		g.tellDrain(w)
	}
}

// startError gives what zygote or template said of a failure its exit code.
func startError(err error) error {
	var failed *pyhost.FailedError
	if errors.As(err, &failed) {
		return &StartError{Text: err.Error(), Code: failed.ExitCode}
	}
	return err
}

// limitStart kills a worker that is not ready in time, having asked where it is; or a
// template, which has no slot.
func (g *generation) limitStart(s *slot, w *worker) *time.Timer {
	limit := g.bridge.config.StartTimeout
	if limit <= 0 {
		return nil
	}
	return time.AfterFunc(limit, func() { g.endLate(s, w) })
}

func (g *generation) endLate(s *slot, w *worker) {
	if !g.isLate(s, w) {
		return
	}
	var file []int
	if s == nil {
		file = []int{w.evidence.fd}
	}
	stack := w.stacks(file...)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.starts(s, w) { // still
		w.late, w.stack = true, stack
		g.kill(w)
	}
}

func (g *generation) isLate(s *slot, w *worker) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.starts(s, w)
}

// starts says whether a process is not ready yet, or a template has not imported. Called with
// the generation's mutex held.
func (g *generation) starts(s *slot, w *worker) bool {
	if s == nil {
		return !w.imported
	}
	return g.workers[s] == w && w.ready.IsZero()
}

// open lets requests come to a worker that is ready.
func (g *generation) open(s *slot, w *worker) {
	d := &g.bridge.dispatch
	g.mu.Lock()
	number := s.number
	d.mu.Lock()
	s.incarnation, s.finished, s.open = w.incarnation, 0, s.role != leaving
	s.worker, w.slot = w, s
	if g.bridge.isASGI() {
		s.capacity = len(g.runs) // a loop takes whatever comes
	}
	d.mu.Unlock()
	w.ready, w.limits = time.Now(), g.bridge.config.Renewal.chosen()
	g.mu.Unlock()
	g.bridge.log.Debug().Int("pid", w.pid).Int("worker", number).Int("generation", g.number).Msg("a worker is ready")
	g.tell(s, nil)
	g.renewOn(time.Now()) // it may be a successor
	for _, p := range g.bridge.ports {
		p.rouse()
	}
}

// bury closes the slot after a death and waits until every reactor has taken its
// streams back. It returns what the worker was running, and whether it had ever
// finished a request.
func (g *generation) bury(s *slot) (lost []string, finished bool) {
	d := &g.bridge.dispatch
	swept := make(chan struct{})
	d.mu.Lock()
	opened := s.incarnation != 0
	s.open, s.expired, s.incarnation, s.acks, s.swept, s.lost = false, false, 0, 0, swept, nil
	d.mu.Unlock()
	if !opened {
		return nil, false
	}
	for _, p := range g.bridge.ports {
		p.Post(func() { p.sweep(s) })
	}
	<-swept
	d.mu.Lock()
	defer d.mu.Unlock()
	return s.lost, s.finished > 0
}

// report says how a worker ended, and returns it as an error.
func (g *generation) report(w *worker, how death, lost []string, err error) error {
	log := &g.bridge.log
	if err != nil {
		log.Error().Err(err).Msg("how a worker ended is not known")
		return err
	}
	event := log.Error().Int("pid", w.pid)
	if len(lost) > 0 {
		event = event.Strs("requests", lost)
	}
	if f := w.failure; f != nil {
		if g.loud.Load() {
			event.Msg(g.whatFailed(w) + f.Text)
		}
		return f
	}
	failure := g.failureOf(w, how)
	if stack := w.evidence.take(); stack != "" {
		event = event.Str(StackField, stack)
	}
	switch {
	case g.stopping() && len(lost) == 0 && (how == death{} || g.givenUp()):
		log.Debug().Int("pid", w.pid).Msg(failure.Text)
	case g.stopping() && !w.expired:
		event.Msgf("worker %d %v while it finished its last requests", w.pid, how)
	case g.stopping():
		event.Msg(failure.Text)
	case g.hasLeft(w) && how == death{} && len(lost) == 0:
		log.Debug().Int("pid", w.pid).Msgf("worker %d has left, and another one has its place", w.pid)
	case g.hasLeft(w):
		event.Msgf("%s, when another one had its place already", failure.Text)
	case g.loud.Load(), failure.killed:
		event.Msg(failure.Text + "; another one takes its place")
	}
	return failure
}

// hasLeft says whether a worker was told to leave because another one has its place.
func (g *generation) hasLeft(w *worker) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return w.leaves
}

// whatFailed is what a worker that told why it ends could not go on with.
func (g *generation) whatFailed(w *worker) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.ready.IsZero() {
		return "a worker could not start: "
	}
	return "a worker could not go on, and another one takes its place: "
}

// crashes are the signals of which Python's faulthandler writes the stack. It is set up behind
// the import, which may want to do so itself.
var crashes = []unix.Signal{unix.SIGSEGV, unix.SIGFPE, unix.SIGABRT, unix.SIGBUS, unix.SIGILL}

// failureOf is a worker's end as who waits for its start is told it.
func (g *generation) failureOf(w *worker, how death) *StartError {
	text := fmt.Sprintf("worker %d %v", w.pid, how)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case w.late:
		text = fmt.Sprintf("worker %d was not ready after %v and was killed; give it more time with --start-timeout", w.pid, g.bridge.config.StartTimeout)
		if w.stack != "" {
			text += ". Its stack:\n" + w.stack
		}
	case w.expired:
		text = fmt.Sprintf("worker %d was killed because a request ran longer than --request-timeout %v", w.pid, g.bridge.config.RequestTimeout)
	case w.overstayed:
		text = fmt.Sprintf("worker %d was killed because it did not finish within --graceful-timeout %v", w.pid, g.bridge.config.GracefulTime)
	case w.stopped && how == death{}:
		text += ", because the application has stopped an event loop of it"
	case w.disowned != "":
		text = fmt.Sprintf("worker %d %s, and was killed", w.pid, w.disowned)
	case w.ready.IsZero():
		text += " before it was ready"
		if slices.Contains(crashes, how.signal) && os.Getenv("PYTHONFAULTHANDLER") == "" {
			text += ". To see where its import was, set PYTHONFAULTHANDLER=1 in the environment"
		}
	case !g.loud.Load():
		text += fmt.Sprintf(" %v after it was ready", time.Since(w.ready).Round(time.Millisecond))
	}
	return &StartError{Text: text, Code: 3, killed: how.signal == unix.SIGKILL && !w.late && !w.expired && !w.overstayed && w.disowned == ""}
}
