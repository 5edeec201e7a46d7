package bridge

import (
	"context"
	"time"
)

// Some of what a worker runs goes on without an end in sight: an open WebSocket, or server-sent
// events. What ends in time is not disturbed. The rest is ended a little before the worker must be
// gone, so that the application, which sees its client leave, and its exit handlers still have their time.

// PartingTime is how long before the end of a graceful timeout that is: a sixth of it, and 5 s at most.
func PartingTime(graceful time.Duration) time.Duration { return min(graceful/6, 5*time.Second) }

// partAt is when that is, of what must be over when ctx ends; nil: never.
func partAt(ctx context.Context) <-chan time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	left := time.Until(deadline)
	return time.After(left - PartingTime(left))
}

// endStreams has the WebSockets and the endless answers of these workers end.
func (b *Bridge) endStreams(slots ...*slot) {
	for _, p := range b.ports {
		p.Post(func() { p.endStreams(slots) })
	}
}

func (p *Port) endStreams(slots []*slot) {
	affected := p.affected[:0]
	d := &p.bridge.dispatch
	d.mu.Lock()
	for _, s := range slots {
		for r := s.first; r != nil; r = r.next {
			if r.owner.Load() == p && r.x != nil {
				r.x.socket.recalled = r.x.socket.asked
				affected = append(affected, r.x)
			}
		}
	}
	d.mu.Unlock()
	p.affected = nil // EndStream may come back here
	var cut Named
	for _, x := range affected {
		if x.client != nil {
			cut.Add(x.client.EndStream())
		}
	}
	clear(affected)
	p.affected = affected[:0]
	if cut.Count > 0 {
		p.bridge.log.Warn().Strs("requests", cut.First).
			Msgf("answers without an end in sight, because their worker must leave before --graceful-timeout %v is over, were cut: %d", p.bridge.config.GracefulTime, cut.Count)
	}
}

// Named is how many requests something is about, and the names of the first of them.
type Named struct {
	Count int
	First []string
}

// mostNamed is how many requests a line of the log names.
const mostNamed = 10

// Add counts one more, unless it has no name.
func (n *Named) Add(name string) {
	if name == "" {
		return
	}
	if n.Count++; n.Count <= mostNamed {
		n.First = append(n.First, name)
	}
}
