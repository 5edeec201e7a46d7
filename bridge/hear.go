package bridge

import (
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// What a worker says on its socket is taken by the goroutine that listens to it; or by a
// reactor that cannot go on without it, and must not wait for that goroutine. Each message
// is received and dealt with as one, whoever does it.

type hearing struct {
	mu     sync.Mutex
	buffer []byte
}

// listen takes what the worker says until its socket ends, or hush. A process whose socket
// has ended while it lives is our worker no more (it has exec'd): it is killed.
func (g *generation) listen(s *slot, w *worker) {
	raw, err := w.control.SyscallConn()
	if err == nil {
		waited := raw.Read(func(fd uintptr) bool {
			for err == nil {
				err = g.hear(s, w, int(fd))
			}
			again := errors.Is(err, unix.EAGAIN)
			if again {
				err = nil
			}
			return !again
		})
		if err == nil {
			err = waited
		}
	}
	g.deaf(w, err)
	g.disown(w)
}

// hearLast takes what a dead worker has said and nobody has heard.
func (g *generation) hearLast(s *slot, w *worker) {
	raw, err := w.control.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // of a socket that is open
		for range mostUnheard {
			if g.hear(s, w, int(fd)) != nil {
				return
			}
		}
	})
}

// deaf notes that a worker's socket has ended.
func (g *generation) deaf(w *worker, err error) {
	if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
		g.bridge.log.Error().Err(err).Int("pid", w.pid).Msg("a worker's socket broke")
	}
}

// mostUnheard is more messages than a socket holds.
const mostUnheard = 2048

// hearOut takes what lies in the worker's socket, up to a descriptor for r. Its end is for
// who listens.
func (w *worker) hearOut(r *run) {
	g := r.gen
	raw, err := w.control.SyscallConn()
	if err != nil {
		return
	}
	closed := raw.Control(func(fd uintptr) {
		for range mostUnheard {
			if err = g.hear(w.slot, w, int(fd)); err != nil || r.hasFile() {
				return
			}
		}
	})
	if closed != nil || err == nil || errors.Is(err, unix.EAGAIN) || errors.Is(err, io.EOF) {
		return
	}
	g.deaf(w, err)
	g.kill(w)
}

// hear receives one message, if there is one, and deals with it.
func (g *generation) hear(s *slot, w *worker, fd int) error {
	h := &w.hearing
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.buffer == nil {
		h.buffer = make([]byte, pyhost.MaxMessage)
	}
	m, fds, err := pyhost.Receive(fd, h.buffer)
	if errors.Is(err, pyhost.ErrDescriptorsLost) {
		g.bridge.log.Error().Err(err).Int("pid", w.pid).Msg("a file that a worker wants to be sent was lost")
		return nil
	}
	if err != nil {
		return err
	}
	switch m.Kind {
	case pyhost.MsgFile:
		if !g.hold(w, &m, fds) {
			g.bridge.log.Debug().Int("pid", w.pid).Uint64("stream", m.A).Msg("a worker sent a file that nobody waits for")
		}
		return nil
	case pyhost.MsgStacked:
		w.evidence.answer(string(m.Payload))
	case pyhost.MsgReady:
		if err := g.bridge.agree(uint32(m.A), string(m.Payload), int(m.B)); err != nil {
			w.failure = err
			g.kill(w)
			break
		}
		g.open(s, w)
	case pyhost.MsgLeaving:
		g.letLeave(s, w, int(m.A))
	case pyhost.MsgFailed:
		w.failure = &StartError{Text: string(m.Payload), Code: int(m.B)}
	default:
		g.bridge.log.Error().Uint32("kind", m.Kind).Int("pid", w.pid).Msg("a worker sent a message that is not known")
	}
	closeFiles(fds)
	return nil
}
