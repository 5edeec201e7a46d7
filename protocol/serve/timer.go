package serve

import (
	"math/bits"
	"time"
)

// A wheel holds a reactor's deadlines, one for each connection, in slots of a tick
// each. It is lazy, because nearly every deadline is replaced long before it comes:
// moving one further away, or taking it back, only stores a number. A timer that
// turns up in its slot too early is put where it belongs by then.
//
// Times are nanoseconds of the reactor's clock, which begins at 1: 0 is no deadline.
type wheel struct {
	slots [wheelSlots]timer // the head of each slot's list
	used  [wheelSlots / 64]uint64
	done  int64 // the last tick whose slot was emptied
}

const (
	wheelSlots = 512
	wheelTick  = int64(100 * time.Millisecond)
)

// timer is one connection's place in its reactor's wheel.
type timer struct {
	next, prev *timer
	conn       *conn
	due        int64 // 0: none
	tick       int64 // of the slot where it stands, while it stands in one
}

func (w *wheel) init(now int64) {
	for i := range w.slots {
		s := &w.slots[i]
		s.next, s.prev = s, s
	}
	w.done = now / wheelTick
}

// extend moves a deadline on, to d from now at most: by as long as n bytes take at the rate,
// a number of bytes a second. Without a rate any byte will do; before is 0 when the time
// begins only now.
func (r *reactor) extend(before int64, d time.Duration, n, rate int64) int64 {
	latest := r.after(d)
	if latest == 0 || before == 0 || rate <= 0 {
		return latest
	}
	return min(before+int64(float64(n)/float64(rate)*float64(time.Second)), latest)
}

// set gives t a deadline, or takes it away with 0.
func (w *wheel) set(t *timer, due int64) {
	t.due = due
	if due == 0 {
		return
	}
	tick := due/wheelTick + 1 // the first one that begins after the deadline
	if t.next != nil {
		if t.tick <= tick {
			return
		}
		t.unlink()
	}
	w.link(t, tick)
}

// link puts t into the slot of tick, or into the last one if that is too far away.
func (w *wheel) link(t *timer, tick int64) {
	tick = min(max(tick, w.done+1), w.done+wheelSlots)
	i := tick % wheelSlots
	head := &w.slots[i]
	t.tick = tick
	t.prev, t.next = head.prev, head
	head.prev.next, head.prev = t, t
	w.used[i/64] |= 1 << (i % 64)
}

func (t *timer) unlink() {
	if t.next != nil {
		t.prev.next, t.next.prev = t.next, t.prev
		t.next, t.prev = nil, nil
	}
}

// advance calls expired for each timer whose deadline is over. expired may set and
// unlink any timer.
func (w *wheel) advance(now int64, expired func(*timer)) (count int) {
	last := now / wheelTick
	if last-w.done > wheelSlots {
		w.done = last - wheelSlots
	}
	for w.done < last {
		w.done++
		i := w.done % wheelSlots
		if w.used[i/64]&(1<<(i%64)) == 0 {
			continue
		}
		w.used[i/64] &^= 1 << (i % 64)
		count += w.empty(&w.slots[i], now, expired)
	}
	return count
}

// empty takes the timers out of one slot. It works on a list of its own, since a
// timer may be linked into the same slot for the wheel's next round meanwhile.
func (w *wheel) empty(head *timer, now int64, expired func(*timer)) (count int) {
	var list timer
	list.next, list.prev = &list, &list
	if head.next != head {
		list.next, list.prev = head.next, head.prev
		list.next.prev, list.prev.next = &list, &list
		head.next, head.prev = head, head
	}
	for list.next != &list {
		t := list.next
		t.unlink()
		switch {
		case t.due == 0:
		case t.due > now:
			w.link(t, t.due/wheelTick+1)
		default:
			t.due = 0
			expired(t)
			count++
		}
	}
	return count
}

// wait is how long it is until the wheel must be looked at; negative: nothing is in it.
func (w *wheel) wait(now int64) time.Duration {
	for ahead := int64(1); ahead <= wheelSlots; {
		i := (w.done + ahead) % wheelSlots
		if rest := w.used[i/64] >> (i % 64); rest != 0 {
			ahead += int64(bits.TrailingZeros64(rest))
			return time.Duration(max((w.done+ahead)*wheelTick-now, 0))
		}
		ahead += 64 - i%64
	}
	return -1
}
