package bridge

// freeList holds a generation's free streams. The one used last is taken first, so that few
// streams' pages are in use. Guarded by dispatch.mu, with which held nothing may look at every stream.
type freeList struct {
	dirty []*run // their pages may be there; the one used last on top
	clean []*run // they are not
}

func (f *freeList) len() int { return len(f.dirty) + len(f.clean) }

// pop returns nil if no stream is free.
func (f *freeList) pop() *run {
	from := &f.dirty
	if len(*from) == 0 {
		from = &f.clean
	}
	n := len(*from)
	if n == 0 {
		return nil
	}
	r := (*from)[n-1]
	*from = (*from)[:n-1]
	return r
}

// push gives a stream back. The caller has set its word to FREE.
func (f *freeList) push(r *run) {
	r.owner.Store(nil)
	r.x = nil
	r.slot.Store(nil)
	r.dropFile()
	if r.dirty {
		f.dirty = append(f.dirty, r)
	} else {
		f.clean = append(f.clean, r)
	}
}

// stale takes up to n streams out of the list that were given back before t, by the coarse
// clock, and may still have pages. Those lie at the bottom, the oldest first.
func (f *freeList) stale(t int64, n int) (old []*run) {
	for len(old) < n && len(old) < len(f.dirty) && f.dirty[len(old)].used < t {
		old = append(old, f.dirty[len(old)])
	}
	if len(old) > 0 {
		f.dirty = f.dirty[:copy(f.dirty, f.dirty[len(old):])]
	}
	return old
}

// unstale puts them back.
func (f *freeList) unstale(old []*run) {
	var still []*run // whose pages could not be given back
	for _, r := range old {
		if r.dirty {
			still = append(still, r)
		} else {
			f.clean = append(f.clean, r)
		}
	}
	if len(still) > 0 {
		f.dirty = append(still, f.dirty...)
	}
}

// take returns a free stream, or nil. WebSockets may last for ever, so requests have streams that
// no WebSocket takes, and the other way round.
func (g *generation) take(socket bool) *run {
	if !socket && g.streamsInUse()-g.reserved >= g.requests {
		return nil
	}
	return g.free.pop()
}

// clean says whether all of a generation's streams are free, but for WebSockets, and none of
// the free ones has pages.
func (g *generation) clean() bool {
	return g.free.len() >= len(g.runs)-g.reserved && len(g.free.dirty) == 0
}

// streamsInUse counts the streams that are not free. Called with dispatch.mu held.
func (g *generation) streamsInUse() int { return len(g.runs) - g.free.len() - g.trimming }
