package bridge

import (
	"sync"
	"sync/atomic"
	"time"

	"gobridge/pyhost"
)

// dispatch decides which worker gets which request: the one with the fewest in
// flight, but small requests rather one that is at work than one that sleeps (see pace).
// A worker may be given a little more than it can run at once; what it has
// not begun is taken back for a worker that runs dry. The rest waits in the line.
//
// Everything here is guarded by mu: it is the inbox mutex of all reactors.
type dispatch struct {
	mu      sync.Mutex
	line    line
	tickets uint64
	sockets int         // of those begun, WebSockets
	begun   int         // requests begun: in the line, with workers (their clients there or not), or being answered
	gen     *generation // where new requests go
	ports   []*Port
	watcher atomic.Pointer[Port] // looks soon whether who was to be soon through is; nil: nobody has to
	waiting atomic.Int32         // line.count, to be read without mu
	now     atomic.Int64         // coarse clock, Unix nanoseconds
	resting bool                 // and the clock stands
	begins  chan struct{}
}

// slot is one worker's place in a generation: its inbox, its list of streams in
// flight, and whichever process is its worker now.
type slot struct {
	gen         *generation
	index       int
	doorbell    int
	incarnation uint32 // of the worker that requests are put for; 0: none has been ready yet
	open        bool   // requests may be put
	expired     bool   // a request ran past its time limit: the worker is to be killed
	capacity    int    // streams in flight at most
	inflight    int
	worker      *worker   // the last one that was open
	finished    uint64    // by this incarnation
	first, last *run      // in flight, oldest first
	progress    time.Time // it was last known to have done a request, or it got the first one

	// Guarded by the generation's mutex.
	number   int // of its worker for people, from 1; its successor in another slot has the same
	role     role
	call     chan struct{} // ends its rest
	renewals int           // of this number's workers
	renewing string        // why its worker is being renewed; "" if it is not
	deaths   int           // of this number's workers
	waiting  bool          // a crash loop holds the next worker up
	since    time.Time     // of the last death, or of the begin of the last one's start

	acks  int           // reactors that have swept after a death
	swept chan struct{} // closed by the last of them
	lost  []string      // what the dead worker was running
}

// place gives x to a worker. It reports false when none has room.
func (d *dispatch) place(x *Exchange) bool {
	p := x.port
	s := d.pick(p.now)
	if s == nil {
		return false
	}
	if s.inflight == 0 {
		if busy := d.atWork(p.now); busy != nil {
			s = busy
			d.spare(p)
		}
	}
	if x.run == nil || x.run.gen != s.gen {
		r := s.gen.take(x.socket.asked)
		if r == nil {
			return false
		}
		if x.run == nil {
			x.fill(r)
		} else if !x.migrate(r) {
			return true // it is broken: its client is told
		}
	}
	d.put(p, x.run, s)
	p.inflight++
	p.toRing(s)
	return true
}

// pick is the open worker with the fewest requests in flight that has room, of those that
// are not held up if there are any; nil if none has room.
func (d *dispatch) pick(now time.Time) (best *slot) {
	if d.gen == nil {
		return nil
	}
	held := false // the best
	for _, s := range d.gen.slots {
		if !s.room() {
			continue
		}
		h := s.heldUp(now)
		if best == nil || held && !h || held == h && s.inflight < best.inflight {
			best, held = s, h
		}
	}
	return best
}

// atWork is a worker that will soon be through with what it has; nil if there is none. Of several
// it is the one with the most.
func (d *dispatch) atWork(now time.Time) (most *slot) {
	for _, s := range d.gen.slots {
		if (most == nil || s.inflight > most.inflight) && s.soonThrough(now) && s.room() {
			most = s
		}
	}
	return most
}

// room says whether a stream may be put into the worker's inbox. Hints that lost
// their swap count until the worker has read them.
func (s *slot) room() bool {
	if !s.open || s.inflight >= s.capacity {
		return false
	}
	w := s.gen.seg.worker(s.index)
	return atomic.LoadUint32(&w.Put)-atomic.LoadUint32(&w.Taken) < uint32(s.gen.seg.inbox)
}

// put queues a stream that the front owns for a worker. The slot's incarnation is
// read under mu, where a death also changes it.
func (d *dispatch) put(p *Port, r *run, s *slot) {
	if s.inflight == 0 {
		s.progress = p.clock()
	}
	g := s.gen.seg
	shared := g.stream(r.stream)
	sequence := pyhost.WordSequence(r.word) + 1 // the front's own: a worker can write the shared one
	r.word = pyhost.Word(pyhost.StateQueued, s.incarnation, sequence)
	r.queuedFor = s
	r.dropFile()
	s.add(r)
	atomic.StoreUint64(&shared.Word, r.word) //gb:step put_word
	w := g.worker(s.index)
	at := atomic.LoadUint32(&w.Put)
	hint := g.hint(s.index, at)
	hint.Word, hint.Stream = r.word, r.stream //gb:step put_hint
	atomic.StoreUint32(&w.Put, at+1)          //gb:step put_count
}

// add and drop keep the slot's list of streams in flight.
func (s *slot) add(r *run) {
	r.slot.Store(s)
	r.prev, r.next = s.last, nil
	if s.last == nil {
		s.first = r
	} else {
		s.last.next = r
	}
	s.last = r
	s.inflight++
}

func (s *slot) drop(r *run) {
	if r.prev == nil {
		s.first = r.next
	} else {
		r.prev.next = r.next
	}
	if r.next == nil {
		s.last = r.prev
	} else {
		r.next.prev = r.prev
	}
	r.slot.Store(nil)
	r.prev, r.next = nil, nil
	s.inflight--
}

// advance moves the line: the first ones go to workers that have room. Each
// reactor moves its own; when the first belongs to another, that one is rung.
// It returns those that now have a stream.
func (d *dispatch) advance(p *Port, moved []*Exchange) []*Exchange {
	for x := d.line.first; x != nil; x = d.line.first {
		if x.port != p {
			if d.pick(p.now) != nil {
				x.port.rouse() //gb:step ring_other
			}
			break
		}
		if !d.place(x) {
			break
		}
		d.line.remove(x)
		moved = append(moved, x)
	}
	d.waiting.Store(int32(d.line.count))
	return moved
}

// balance gives workers that have run dry what others have not begun, oldest first. It
// leaves alone what they will soon be through with.
func (d *dispatch) balance(p *Port) {
	d.unspare(p)
	if d.gen == nil || len(d.gen.slots) < 2 {
		return
	}
	for _, dry := range d.gen.slots {
		if !dry.open || dry.inflight >= d.gen.threads {
			continue
		}
		full := d.fullest(p)
		if full == nil || full.inflight-dry.inflight < 2 {
			return
		}
		d.move(p, full.first, dry, full.toSpare(dry, p.now))
	}
}

// balanceLoops does so for workers that are event loops. They begin whatever they read, and
// may hold any number of requests that only wait: what counts is what they have not read.
func (d *dispatch) balanceLoops(p *Port) {
	if d.gen == nil || len(d.gen.slots) < 2 {
		return
	}
	for _, dry := range d.gen.slots {
		if !dry.open || !dry.idle() {
			continue
		}
		full, unread := d.mostUnread()
		if unread < 2 {
			return
		}
		d.move(p, full.oldestUnread(unread), dry, unread/2)
	}
}

// idle says whether the worker has read all its hints and waits for more.
func (s *slot) idle() bool {
	return s.unread() == 0 && atomic.LoadUint32(&s.gen.seg.worker(s.index).Sleeping) != 0
}

// unread is the number of hints in the worker's inbox.
func (s *slot) unread() int {
	w := s.gen.seg.worker(s.index)
	return int(atomic.LoadUint32(&w.Put) - atomic.LoadUint32(&w.Taken))
}

// queued is the number of streams that the worker has not begun. It looks at each, so it is not
// for where requests are dealt out.
func (s *slot) queued() (n int) {
	for r := s.first; r != nil; r = r.next {
		if r.state() == pyhost.StateQueued {
			n++
		}
	}
	return n
}

func (d *dispatch) mostUnread() (full *slot, unread int) {
	for _, s := range d.gen.slots {
		if n := s.unread(); n > unread {
			full, unread = s, n
		}
	}
	return full, unread
}

// oldestUnread is the first of up to n streams at the list's end that the worker has not
// begun: it begins them in the order in which they were put.
func (s *slot) oldestUnread(n int) (oldest *run) {
	for r := s.last; r != nil && n > 0 && r.state() == pyhost.StateQueued; r = r.prev {
		oldest = r
		n--
	}
	return oldest
}

// fullest is the worker with the most requests, of those that have more than they can run and
// are not soon through; nil if there is none.
func (d *dispatch) fullest(p *Port) (full *slot) {
	for _, s := range d.gen.slots {
		switch {
		case s.inflight <= d.gen.threads, full != nil && s.inflight <= full.inflight:
		case s.soonThrough(p.now):
			d.spare(p)
		default:
			full = s
		}
	}
	return full
}

// move takes up to n streams back from a worker, from this one in its list on, and puts them
// into the inbox of another.
func (d *dispatch) move(p *Port, r *run, to *slot, n int) {
	for r != nil && n > 0 && to.room() {
		next := r.next
		if r.takeBack() {
			r.slot.Load().drop(r)
			d.put(p, r, to)
			p.toRing(to)
			n--
		}
		r = next
	}
}

// tick is how often the coarse clock moves and idle pages are looked for.
const (
	tick    = 100 * time.Millisecond
	idleFor = 2 * time.Second // a free stream keeps its pages for so long
)

// housekeep runs until stop: it moves the coarse clock, tells those who have waited in
// the line for too long, and gives back pages of streams that nobody uses. When there is
// nothing of that it rests, and an idle server wakes nobody up.
func (d *dispatch) housekeep(stop <-chan struct{}) {
	t := time.NewTimer(tick)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-d.begins:
			t.Reset(tick)
		case now := <-t.C:
			d.now.Store(now.UnixNano())
			d.overdue(now)
			d.trim(now)
			if !d.rests() {
				t.Reset(tick)
			}
		}
	}
}

// rests says whether there is nothing to keep house for until the next request begins.
func (d *dispatch) rests() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.resting = d.gen == nil || d.line.count == 0 && d.gen.clean()
	return d.resting
}

// wakeUp is called for each request, with mu held: it ends the rest.
func (d *dispatch) wakeUp() {
	if d.resting {
		d.resting = false
		d.now.Store(time.Now().UnixNano())
		select {
		case d.begins <- struct{}{}:
		default: // it is told already
		}
	}
}

// trim punches out the pages of streams that have been free for a while.
func (d *dispatch) trim(now time.Time) {
	d.mu.Lock()
	g := d.gen
	if g == nil {
		d.mu.Unlock()
		return
	}
	old := g.free.stale(now.Add(-idleFor).UnixNano(), 64)
	g.trimming = len(old)
	d.mu.Unlock()
	if len(old) == 0 {
		return
	}
	for _, r := range old {
		if err := g.seg.punch(r.stream); err == nil {
			r.dirty = false
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	g.trimming = 0
	g.free.unstale(old)
	if x := d.line.first; x != nil { // it may have come while the streams were away
		x.port.rouse()
	}
}
