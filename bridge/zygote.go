package bridge

import (
	"errors"
	"sync"

	"gobridge/pyhost"
)

// zygote holds the process that workers are forked from, and starts another when it has died.
type zygote struct {
	bridge  *Bridge
	mu      sync.Mutex
	process *pyhost.Zygote
	closed  bool
}

// get is the process, a new one if it has died.
func (z *zygote) get() (*pyhost.Zygote, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.closed {
		return nil, errors.New("the server is stopping")
	}
	if z.process != nil {
		select {
		case <-z.process.Done():
			z.bridge.log.Error().Int("pid", z.process.Pid()).Msg("the zygote has died; another one takes its place")
			z.bridge.reaper.forget(z.process.Pid())
			z.process.Close()
			z.process = nil
		default:
			return z.process, nil
		}
	}
	c := &z.bridge.config
	z.bridge.reaper.pause()
	defer z.bridge.reaper.resume()
	p, err := pyhost.Launch(c.Interpreter, c.Host, c.Helper, c.title("zygote"))
	if err != nil {
		return nil, err
	}
	z.process = p
	z.bridge.reaper.adopt(p.Pid())
	return p, nil
}

// close ends the process; the workers live on.
func (z *zygote) close() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.closed = true
	if z.process != nil {
		z.process.Close()
		z.bridge.reaper.forget(z.process.Pid())
		z.process = nil
	}
}
