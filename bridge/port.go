package bridge

import (
	"sync"
	"sync/atomic"
	"time"

	"gobridge/pyhost"
)

// Port is one reactor's end of the bridge. Only its reactor's goroutine calls its
// methods, except for Post.
//
// A reactor's turn is: read and parse what came, Begin what is complete, Turn, Flush;
// when nothing happened, Sleep, wait as it says, Awake.
type Port struct {
	bridge   *Bridge
	index    int
	doorbell int

	gens     []*generation // those with streams of ours; the newest last
	ring     []*slot       // given something since the last Flush
	inflight int           // streams of ours that a worker has
	roomMade bool          // a worker has room since the line was last looked at
	now      time.Time     // when the turn's news were taken, or the wait before it was over
	clock    func() time.Time
	scratch  []byte // for encoding heads
	moved    []*Exchange
	affected []*Exchange

	mailMu sync.Mutex
	mail   []func()
	posted atomic.Bool // there is mail, or a reason to look at the line
	asleep atomic.Bool
	spin   spinner
	doze   dozer
}

// Doze says how a reactor may wait.
type Doze int

// How a reactor may wait.
const (
	Stay        Doze = iota // there is work: do not wait
	Watch                   // look whether something Came, for SpinTime at most, then Awake, and Sleep again
	DozeBriefly             // for DozeTime at most, then Deepen
	SleepLong               // until something comes
)

// DozeTime is how long a reactor waits before it asks to be rung for each answer: a
// worker that has more to do rings only for a batch of them, so one wake serves several answers.
const DozeTime = 200 * time.Microsecond

// Doorbell is the eventfd that workers ring. It is to be watched edge-triggered:
// nobody reads it.
func (p *Port) Doorbell() int { return p.doorbell }

// Inflight is the number of requests of this reactor that workers have.
func (p *Port) Inflight() int { return p.inflight }

// Begin hands a request to a worker or puts it into the line. What r points to is
// copied. Its answer comes through x, after c.Progress.
// It reports false, and nothing is begun, when there are as many requests as there may be.
func (p *Port) Begin(x *Exchange, r *Request, c Client) bool {
	d := &p.bridge.dispatch
	if p.bridge.isASGI() {
		p.scratch = appendScope(p.scratch[:0], r)
	} else {
		p.scratch = appendEnviron(p.scratch[:0], r)
	}
	x.port, x.client, x.run = p, c, nil
	x.head, x.ended, x.left, x.fail, x.done = p.scratch, r.BodyLength == 0 && !r.WebSocket, false, Waiting, false
	d.mu.Lock()
	if !d.admit(p, r.WebSocket) {
		d.mu.Unlock()
		x.port, x.client, x.head = nil, nil, nil
		return false
	}
	x.socket.asked = r.WebSocket
	d.enter(x)
	d.mu.Unlock()
	if len(x.head) > 0 { // the scratch buffer is used again
		x.kept = append(x.kept[:0], x.head...)
		x.head = x.kept
	}
	return true
}

// admit counts one more request, or reports false when there are as many as there may be.
// Called with dispatch.mu held.
func (d *dispatch) admit(p *Port, socket bool) bool {
	if limit := p.bridge.config.Concurrency; limit > 0 && d.begun >= limit {
		return false
	}
	if socket {
		if d.sockets >= p.bridge.config.WebSockets {
			return false
		}
		d.sockets++
	}
	d.begun++
	return true
}

// over counts one less. Called with dispatch.mu held.
func (d *dispatch) over(socket bool) {
	d.begun--
	if socket {
		d.sockets--
	}
}

// enter places a new request, or puts it into the line. Called with dispatch.mu held.
func (d *dispatch) enter(x *Exchange) {
	d.wakeUp()
	d.tickets++
	x.ticket, x.since = d.tickets, d.now.Load()
	if d.line.count > 0 || !d.place(x) {
		d.line.insert(x)
		d.waiting.Store(int32(d.line.count))
	}
}

// Turn takes what workers, the supervisor and other reactors have for this one and
// calls Progress of each exchange that may have moved. It returns how much there was.
func (p *Port) Turn() (count int) {
	p.now = p.clock()
	if p.posted.Load() {
		count += p.readMail()
	}
	for _, g := range p.gens {
		for _, s := range g.slots {
			count += p.news(s)
		}
	}
	return count + p.serveLine()
}

func (p *Port) readMail() int {
	p.posted.Store(false)
	p.mailMu.Lock()
	mail := p.mail
	p.mail = nil
	p.mailMu.Unlock()
	for _, f := range mail {
		f()
	}
	p.roomMade = true // why we were roused may be room for the first in the line
	return len(mail) + 1
}

// news takes a worker's news. Whatever they are about, the worker may also have read hints
// that nobody wants any more, so there may be room in its inbox.
func (p *Port) news(s *slot) int {
	m := s.gen.seg.news(s.index, p.index, pyhost.ToFront)
	count := m.take(uint32(s.gen.seg.streams), func(stream uint32) { p.look(s.gen.runs[stream]) })
	if count > 0 {
		p.roomMade = true
		p.spin.answered()
	}
	return count
}

// look looks at a stream again: news only says that it is worth it.
func (p *Port) look(r *run) {
	if r.owner.Load() != p {
		return // late news of an earlier use
	}
	x := r.x
	if r.slot.Load() != nil && r.state() == pyhost.StateDone {
		d := &p.bridge.dispatch
		d.mu.Lock()
		s := r.slot.Load() // until it was DONE another reactor could move it
		s.finished++
		s.drop(r)
		s.progress = p.now
		p.inflight--
		p.roomMade = true
		if x == nil {
			d.over(r.reserved)
			p.release(r)
		} else {
			x.done = true
		}
		d.mu.Unlock()
	}
	if x != nil {
		x.progress()
	}
}

// progress lets the connection go on, after what was left of the head.
func (x *Exchange) progress() {
	if x.run != nil && x.fail == Waiting && !x.done {
		x.pump()
	}
	if x.body.held {
		x.passBody()
	}
	x.client.Progress()
}

// serveLine gives room that was made to those who wait, and evens out what workers
// have not begun.
func (p *Port) serveLine() int {
	if !p.roomMade && !p.watches() {
		return 0
	}
	d := &p.bridge.dispatch
	p.roomMade = false
	d.mu.Lock()
	moved := d.advance(p, p.moved[:0])
	if p.bridge.isASGI() {
		d.balanceLoops(p)
	} else {
		d.balance(p)
	}
	d.mu.Unlock()
	for i, x := range moved {
		if moved[i] = nil; x.run != nil {
			x.client.Progress()
		}
	}
	p.moved = moved[:0]
	return len(moved)
}

// Flush rings each worker that was given something since the last Flush, once, if it
// sleeps.
func (p *Port) Flush() {
	for i, s := range p.ring {
		if atomic.LoadUint32(&s.gen.seg.worker(s.index).Sleeping) != 0 {
			ring(s.doorbell) //gb:step ring_worker
		}
		p.ring[i] = nil
	}
	p.ring = p.ring[:0]
}

func (p *Port) toRing(s *slot) {
	for _, have := range p.ring {
		if have == s {
			return
		}
	}
	p.ring = append(p.ring, s)
}

// Sleep says how the reactor may wait, having marked it as asleep. It looks for work
// after that: whoever has work for it sees either the mark or is seen.
func (p *Port) Sleep() Doze {
	if p.spin.try(p.inflight) {
		p.mark(pyhost.Watching)
		return Watch
	}
	mode, doze := uint32(pyhost.Asleep), SleepLong
	if p.watches() || p.inflight > 1 && p.doze.try() {
		mode, doze = pyhost.Dozing, DozeBriefly
	}
	p.asleep.Store(true)
	if p.mark(mode); p.pending() { //gb:step sleep_again
		p.Awake()
		return Stay
	}
	return doze
}

// Deepen turns a doze that ended without news into sleep. It reports false, and the
// reactor is awake, when there is work after all.
func (p *Port) Deepen() bool {
	if p.mark(pyhost.Asleep); p.watches() || p.pending() { //gb:step deepen
		p.Awake()
		return false
	}
	p.doze.vain()
	return true
}

// Awake takes the marks back after a wait.
func (p *Port) Awake() {
	p.mark(pyhost.Awake) //gb:step awake
	p.asleep.Store(false)
	p.doze.over()
	p.now = p.clock()
}

func (p *Port) mark(sleeping uint32) {
	for _, g := range p.gens {
		atomic.StoreUint32(&g.seg.reactor(p.index).Sleeping, sleeping)
	}
}

func (p *Port) pending() bool {
	if p.posted.Load() || p.roomMade {
		return true
	}
	for _, g := range p.gens {
		for _, s := range g.slots {
			if g.seg.news(s.index, p.index, pyhost.ToFront).any() {
				return true
			}
		}
	}
	return false
}

// Taken says that others wanted the processor while this reactor looked for an answer.
func (p *Port) Taken() { p.spin.row = spinRow - spinRowAfterTaken }

// Came says whether there is something to do for a reactor that does not sleep.
func (p *Port) Came() bool { return p.pending() }

// Post has f run inside a turn of this reactor, soon. Any goroutine may call it.
func (p *Port) Post(f func()) {
	p.mailMu.Lock()
	p.mail = append(p.mail, f)
	p.mailMu.Unlock()
	p.rouse()
}

// rouse has the reactor take a turn in which it looks at its mail and at the line.
func (p *Port) rouse() {
	p.posted.Store(true)
	if p.asleep.Load() {
		ring(p.doorbell)
	}
}

func (p *Port) progress(xs []*Exchange) {
	p.affected = nil // Progress may come back here
	for _, x := range xs {
		if x.client != nil {
			x.client.Progress()
		}
	}
	clear(xs)
	p.affected = xs[:0]
}

// sweep takes from a dead worker the streams of this reactor: what it had not begun
// goes back into the line at its old place, what it was running is lost.
func (p *Port) sweep(s *slot) {
	p.news(s)
	d := &p.bridge.dispatch
	affected := p.affected[:0]
	d.mu.Lock()
	for r := s.first; r != nil; {
		next := r.next
		if r.owner.Load() == p {
			if x := p.sweepOne(s, r); x != nil {
				affected = append(affected, x)
			}
		}
		r = next
	}
	d.waiting.Store(int32(d.line.count))
	if s.acks++; s.acks == len(d.ports) { //gb:step acknowledge
		close(s.swept)
	}
	d.mu.Unlock()
	p.roomMade = true
	p.progress(affected)
}

// sweepOne returns the exchange that must be told, if there is one.
func (p *Port) sweepOne(s *slot, r *run) *Exchange {
	state, x := r.state(), r.x
	s.drop(r)
	p.inflight--
	switch {
	case x == nil:
		p.bridge.dispatch.over(r.reserved)
		p.release(r)
		return nil
	case state == pyhost.StateDone:
		s.finished++
		x.done = true
		return x
	case state == pyhost.StateQueued:
		r.free()
		p.bridge.dispatch.line.insert(x) //gb:step sweep_requeue
		return nil
	default:
		r.free() //gb:step sweep_lost
		if x.fail == Waiting {
			x.fail = Lost
		}
		s.lost = append(s.lost, x.client.Describe())
		return x
	}
}
