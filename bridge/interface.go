package bridge

import (
	"fmt"
	"sync"
	"sync/atomic"

	"gobridge/pyhost"
)

// Interfaces, Loops and Lifespans are the values of these settings, in the order in which
// help shows them.
var (
	Interfaces = []string{"auto", "wsgi", "asgi", "asgi2"}
	Loops      = []string{"auto", "asyncio", "uvloop"}
	Lifespans  = []string{"auto", "on", "off"}
)

// style is the interface of the application: the form in which request heads are written. The
// first worker that is ready tells it. It does not change: requests that wait have
// their heads written already.
type style struct {
	asgi atomic.Bool

	mu    sync.Mutex
	kind  uint32 // pyhost.InterfaceWSGI, pyhost.InterfaceASGI; 0: not known yet
	loop  string
	loops int // in each worker
}

// isASGI says whether the application wants ASGI's heads.
func (b *Bridge) isASGI() bool { return b.style.asgi.Load() }

// Loops is the name of the event loops that workers run, as uvloop, and how many each of them
// has; "" and 0 for WSGI.
func (b *Bridge) Loops() (name string, each int) {
	b.style.mu.Lock()
	defer b.style.mu.Unlock()
	return b.style.loop, b.style.loops
}

var interfaceNames = map[uint32]string{pyhost.InterfaceWSGI: "WSGI", pyhost.InterfaceASGI: "ASGI"}

// agree takes the interface that a worker tells when it is ready, with its event loops, or says
// why it cannot be served.
func (b *Bridge) agree(kind uint32, loop string, loops int) *StartError {
	s := &b.style
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case interfaceNames[kind] == "":
		return &StartError{Text: fmt.Sprintf("a worker has an interface %d, which is not known", kind), Code: 1}
	case s.kind == 0:
		s.kind, s.loop, s.loops = kind, loop, loops
		s.asgi.Store(kind == pyhost.InterfaceASGI)
		if threads := b.config.Threads; s.asgi.Load() && loops < threads {
			b.log.Warn().Msgf("--threads %d makes no difference to an ASGI application in a Python that runs with its GIL: each worker has one event loop; have more workers with --workers", threads)
		}
	case s.kind != kind:
		return &StartError{Text: fmt.Sprintf("the application is of %s now and was of %s: to serve it gobridge must be restarted, not reloaded",
			interfaceNames[kind], interfaceNames[s.kind]), Code: 3}
	}
	return nil
}
