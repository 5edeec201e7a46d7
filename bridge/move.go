package bridge

import (
	"slices"
	"sync/atomic"

	"gobridge/pyhost"
)

// How requests get from one generation to the next.

// recall has what these workers have not begun go back into the line, soon.
func (b *Bridge) recall(slots ...*slot) {
	for _, p := range b.ports {
		p.Post(func() { p.recall(slots...) })
	}
}

// recall takes back those of this reactor's requests that workers have not begun, and puts
// them into the line at their old places.
func (p *Port) recall(slots ...*slot) {
	d := &p.bridge.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range slots {
		for r := s.first; r != nil; {
			next := r.next
			if r.owner.Load() == p && r.x != nil && r.takeBack() {
				s.drop(r)
				p.inflight--
				d.line.insert(r.x)
			}
			r = next
		}
	}
	d.waiting.Store(int32(d.line.count))
	p.roomMade = true
}

// forget drops a generation that has no request any more.
func (p *Port) forget(g *generation) {
	p.gens = slices.DeleteFunc(p.gens, func(have *generation) bool { return have == g })
	p.ring = slices.DeleteFunc(p.ring, func(s *slot) bool { return s.gen == g })
}

// migrate moves a request that no worker has begun to a free stream of another
// generation: what lies in its request pipe, and what is said of it. It reports false
// when the old worker has written where it may not; both streams are free then, or will
// be. Called with dispatch.mu held.
func (x *Exchange) migrate(to *run) bool {
	from := x.run
	a, b, err := pipePeek(&from.shared().Request, from.gen.seg.requestBytes(from.stream))
	if err != nil {
		to.gen.free.push(to)
		x.broken(err)
		return false
	}
	x.take(to)
	old, s := from.shared(), to.shared()
	for _, piece := range [2][]byte{a, b} { // an empty pipe of the same size takes both
		if _, err := pipeWrite(&s.Request, to.gen.seg.requestBytes(to.stream), piece); err != nil {
			x.broken(err)
		}
	}
	if x.ended && len(x.head) == 0 {
		atomic.OrUint32(&s.Front, pyhost.BodyEnd)
	}
	if x.left {
		atomic.OrUint32(&s.Front, pyhost.Left)
	}
	atomic.StoreUint32(&s.Request.WriterWaits, atomic.LoadUint32(&old.Request.WriterWaits))
	x.run, from.x = to, nil
	x.port.release(from)
	return true
}
