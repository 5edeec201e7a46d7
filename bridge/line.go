package bridge

// line is where requests wait for which no worker has room: in the order in which
// they came, whatever happens to them meanwhile. A request that a dead worker had
// not begun comes back at its old place, because its ticket is older.
// Guarded by dispatch.mu.
type line struct {
	first, last *Exchange
	count       int
}

// insert puts x where its ticket belongs.
func (l *line) insert(x *Exchange) {
	after := l.last
	if after != nil && after.ticket > x.ticket {
		after = nil
		for e := l.first; e.ticket < x.ticket; e = e.lineNext {
			after = e
		}
	}
	x.waiting, x.linePrev = true, after
	if after == nil {
		x.lineNext, l.first = l.first, x
	} else {
		x.lineNext, after.lineNext = after.lineNext, x
	}
	if x.lineNext == nil {
		l.last = x
	} else {
		x.lineNext.linePrev = x
	}
	l.count++
}

func (l *line) remove(x *Exchange) {
	if x.linePrev == nil {
		l.first = x.lineNext
	} else {
		x.linePrev.lineNext = x.lineNext
	}
	if x.lineNext == nil {
		l.last = x.linePrev
	} else {
		x.lineNext.linePrev = x.linePrev
	}
	x.lineNext, x.linePrev, x.waiting = nil, nil, false
	l.count--
}
