package bridge

import (
	"time"

	"gobridge/pyhost"
)

// Requests that no worker begins in time: those in the line, and those in the inbox of a
// worker that is through with nothing, or hangs.

// late says whether x came so long ago that it should have been begun.
func (x *Exchange) late(now time.Time) bool {
	limit := x.port.bridge.config.QueueTimeout
	return limit > 0 && now.UnixNano()-x.since > int64(limit)
}

// overdue tells the reactors that have requests which wait past their deadline.
func (d *dispatch) overdue(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	told := map[*Port]bool{}
	for x := d.line.first; x != nil; x = x.lineNext {
		d.tellLate(x, now, told)
	}
	if d.gen == nil {
		return
	}
	for _, s := range d.gen.slots { // older generations' are in the line again
		for r := s.first; r != nil; r = r.next {
			if r.x != nil && r.state() == pyhost.StateQueued {
				d.tellLate(r.x, now, told)
			}
		}
	}
}

func (d *dispatch) tellLate(x *Exchange, now time.Time, told map[*Port]bool) {
	if p := x.port; !told[p] && x.late(now) {
		told[p] = true
		p.Post(func() { p.expire(now) })
	}
}

// expire ends those of our requests that wait past their deadline.
func (p *Port) expire(now time.Time) {
	d := &p.bridge.dispatch
	late := p.affected[:0]
	d.mu.Lock()
	for x := d.line.first; x != nil; {
		next := x.lineNext
		if x.port == p && x.late(now) {
			d.line.remove(x)
			late = append(late, x)
		}
		x = next
	}
	d.waiting.Store(int32(d.line.count))
	for _, g := range p.gens {
		for _, s := range g.slots {
			late = p.takeLate(s, now, late)
		}
	}
	for _, x := range late {
		x.fail = Overdue
	}
	d.mu.Unlock()
	p.progress(late)
}

// takeLate takes back what a worker has not begun in time. Called with dispatch.mu held.
func (p *Port) takeLate(s *slot, now time.Time, late []*Exchange) []*Exchange {
	for r := s.first; r != nil; {
		next := r.next
		if x := r.x; r.owner.Load() == p && x != nil && x.late(now) && r.takeBack() {
			s.drop(r)
			p.inflight--
			p.roomMade = true
			late = append(late, x)
		}
		r = next
	}
	return late
}
