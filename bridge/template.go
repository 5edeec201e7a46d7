package bridge

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// Preload says whether the application is imported once for all workers of a generation.
type Preload string

const (
	PreloadAuto Preload = "auto" // if the import leaves nothing behind that a fork would break
	PreloadOn   Preload = "on"   // whatever it leaves
	PreloadOff  Preload = "off"  // each worker imports for itself
)

// Preloads are the values of the setting, in the order in which help shows them.
func Preloads() []string {
	return []string{string(PreloadAuto), string(PreloadOn), string(PreloadOff)}
}

// template is a generation's process that has imported the application: workers are
// forked from it. It is made when a worker is needed and there is none. Its death leaves
// the workers as they are. One that must not be forked becomes a worker itself, and from
// then on the workers of this generation come from the zygote.
type template struct {
	gen *generation

	mu      sync.Mutex // one is made, or asked, at a time
	process *worker    // may be forked; nil: there is none. Under mu

	// Guarded by the generation's mutex.
	alive  *worker // importing or imported: for drain and end
	refuse string  // why it must not be forked; "" while that is not known, or it may be
}

var (
	// errNoTemplate says that workers are not to be forked from one.
	errNoTemplate   = errors.New("workers of this generation import for themselves")
	errTemplateGone = errors.New("the template is gone")
)

// worker makes a worker that has imported the application: a fork of the template, or the
// template itself. errNoTemplate: fork it from the zygote.
func (t *template) worker() (*worker, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := errTemplateGone
	for tries := 0; tries < 2 && errors.Is(err, errTemplateGone); tries++ {
		switch {
		case t.gen.stopping():
			return nil, errStopping
		case t.refused() != "":
			return nil, errNoTemplate
		case t.process == nil:
			w, err := t.make()
			if w != nil || err != nil {
				return w, err
			}
		}
		var w *worker
		if w, err = t.gen.born(t.spawn); err == nil {
			return w, nil
		}
	}
	return nil, err
}

func (t *template) refused() string {
	t.gen.mu.Lock()
	defer t.gen.mu.Unlock()
	return t.refuse
}

// make has the zygote fork a template, and waits until it has imported the application.
// If it must not be forked, it is returned, to be set up as a worker. t.mu is held.
func (t *template) make() (*worker, error) {
	g := t.gen
	settings := pyhost.Settings(append(g.bridge.config.forImport(), "preload", string(g.bridge.config.Preload), "title", g.bridge.config.title("template"))...)
	w, err := g.fromZygote(func(z *pyhost.Zygote, incarnation uint32) (int, error) { return z.Template(incarnation, settings) })
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	t.alive = w
	g.meet(w)
	g.mu.Unlock()
	imported, err := t.awaitImport(w)
	if err != nil {
		t.forget(w)
		return nil, err
	}
	return t.decided(w, imported.A == 1, string(imported.Payload)), nil
}

// decided acts on what the template has found out about itself.
func (t *template) decided(w *worker, forkable bool, reasons string) *worker {
	g := t.gen
	log := g.bridge.log.With().Int("generation", g.number).Logger()
	if !forkable {
		g.mu.Lock()
		t.alive, t.refuse = nil, reasons
		g.mu.Unlock()
		log.Info().Msgf("preload: off, each worker imports the application itself: %s", reasons)
		return w
	}
	if reasons != "" {
		log.Warn().Msgf("preload: on, because it is so set, although a fork may break what the import has left behind: %s", reasons)
	}
	t.process = w
	g.keepers.Add(1)
	go t.watch(w)
	log.Debug().Int("pid", w.pid).Msg("the template has imported the application")
	return nil
}

// awaitImport waits for IMPORTED. When there is an error, the process is dead and reaped.
func (t *template) awaitImport(w *worker) (imported pyhost.Message, err error) {
	limit := t.gen.limitStart(nil, w)
	defer stopTimer(limit)
	go w.hushWhenDead()
	for {
		m, fds, err := w.receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			m, fds, err = w.receiveLeft()
		}
		closeAll(fds)
		switch {
		case err == nil && m.Kind == pyhost.MsgImported:
			if t.inTime(w) { // else it has been killed just now
				return m, nil
			}
			continue
		case err == nil && m.Kind == pyhost.MsgStacked:
			w.evidence.answer(string(m.Payload))
			continue
		case err == nil && m.Kind == pyhost.MsgFailed:
			w.failure = &StartError{Text: string(m.Payload), Code: int(m.B)}
			continue
		case err == nil:
			err = fmt.Errorf("the template sent message %d, which is not known", m.Kind)
		}
		t.gen.kill(w)
		how, waited := w.wait()
		switch {
		case w.failure != nil:
			return m, w.failure
		case waited != nil:
			return m, waited
		case errors.Is(err, io.EOF):
			err = t.gen.failureOf(w, how)
		}
		return m, err
	}
}

// inTime notes that a template has imported the application, unless it was killed for being
// late. From here on nobody calls it late.
func (t *template) inTime(w *worker) bool {
	t.gen.mu.Lock()
	defer t.gen.mu.Unlock()
	w.imported = !w.late
	return w.imported
}

func stopTimer(t *time.Timer) {
	if t != nil {
		t.Stop()
	}
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// spawn has the template fork a worker and returns our end of its socket. t.mu is held,
// and t.process is there; if it is lost on the way, it is gone from t.
func (t *template) spawn(incarnation uint32) (control int, err error) {
	ours, theirs, err := pyhost.SocketPair()
	if err != nil {
		return -1, fmt.Errorf("make a worker's control socket: %w", err)
	}
	err = t.ask(&pyhost.Message{Kind: pyhost.MsgSpawn, A: uint64(incarnation)}, int(theirs.Fd()))
	theirs.Close()
	if err != nil {
		unix.Close(ours)
		return -1, err
	}
	return ours, nil
}

// ask sends SPAWN and waits for SPAWNED. A template that is late or says something else
// is of no further use: its next answer could be to this question. It is killed.
func (t *template) ask(spawn *pyhost.Message, socket int) error {
	w := t.process
	err := w.send(spawn, socket)
	var answer pyhost.Message
	if err == nil {
		answer, err = w.receiveUntil(time.Now().Add(pyhost.SpawnLimit))
	}
	switch {
	case err == nil && answer.Kind == pyhost.MsgSpawned && answer.A == spawn.A:
		return nil
	case err == nil && answer.Kind == pyhost.MsgFailed:
		return &StartError{Text: string(answer.Payload), Code: int(answer.B)}
	case err == nil:
		err = fmt.Errorf("it answered with message %d", answer.Kind)
	case w.hasEnded():
		err = errors.New("it has died")
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("it gave no answer within %v, or has closed its socket", pyhost.SpawnLimit)
	}
	t.process = nil
	t.gen.kill(w)
	return fmt.Errorf("%w: %w", errTemplateGone, err)
}

// watch waits for the death of a template that may be forked, and buries it.
func (t *template) watch(w *worker) {
	g := t.gen
	defer g.keepers.Done()
	how, err := w.wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.process == w {
		t.process = nil
	}
	t.forget(w)
	switch {
	case err != nil:
		g.bridge.log.Error().Err(err).Msg("how the template ended is not known")
	case !g.stopping():
		g.bridge.log.Error().Int("pid", w.pid).Int("generation", g.number).
			Msgf("the template %v; the workers go on, and another one imports the application when a worker is to be replaced", how)
	}
}

// forget forgets a process that has been reaped.
func (t *template) forget(w *worker) {
	t.gen.mu.Lock()
	if t.alive == w {
		t.alive = nil
	}
	t.gen.mu.Unlock()
	t.gen.bridge.reaper.forget(w.pid)
	w.close()
}
