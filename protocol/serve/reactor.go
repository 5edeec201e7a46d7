package serve

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"gobridge/bridge"
	"gobridge/protocol/http1"
	"gobridge/protocol/websocket"
)

// A reactor serves its share of the connections on one goroutine. One turn takes every
// event there is, parses, begins what is complete, takes the workers' news, sends the
// answers, and wakes each worker once for all of it. Only this goroutine touches the
// reactor's connections and its end of the bridge; load, arrived and give are for others.
type reactor struct {
	server *Server
	port   Port
	poller poller
	wheel  wheel
	log    *logRing // nil: no access log

	conns     []*conn // by index; those in free are closed
	free      []*conn
	again     []*conn             // have more to do than one turn's share
	unwatched unwatched           // do not need epoll yet
	caller    unix.RawSockaddrAny // of the connection that is being accepted
	now       int64               // nanoseconds of the clock that the deadlines run by, as this turn began
	wall      time.Time

	yielded    int64 // when the reactor last blocked or yielded
	refused    int64 // when it last logged a malformed request
	unheard    int64 // when it last logged that a peer is not believed
	unstored   int64 // and a request whose body could not be stored
	unfinished int64 // and that a web server has not sent what it began
	overfull   int64 // and that a WebSocket was ended for want of memory
	date       http1.Date

	// Memory that connections share, each while it needs it.
	scratch []byte   // what a socket has is read here first
	out     []byte   // what goes out is put together here
	pieces  gather   // or here, if it is long
	plain   []byte   // or here, if it is to be sealed
	buffers [][]byte // of bufferSize, for what must be kept
	smalls  [][]byte // of smallBuffer
	works   []*work

	inflaters websocket.Inflaters
	inflated  []byte // of a compressed message
	deflated  []byte

	load atomic.Int32 // connections dealt to this reactor, for the acceptor

	mail      sync.Mutex
	newcomers []newcomer
	arriving  []newcomer // newcomers, while they are taken
	sent      []mailed   // come back from the senders, and from handshakes
	returning []mailed
	over      bool // nothing is taken any more
	waiting   atomic.Bool
	asleep    atomic.Bool
	bell      int // eventfd, edge-triggered: nobody reads it

	parting  bool          // every answer says that the connection ends
	draining bool          // and idle connections end soon
	patience int64         // until when one that drains goes on with what its client has sent already
	orders   atomic.Uint32 // order*: what the server wants
}

const (
	orderPart  = 1 << iota // have the clients come by new connections
	orderDrain             // finish what was begun
	orderTell              // say what is waited for
	orderEnd               // end what goes on without an end in sight
	orderCut               // close all connections
	orderStop              // and end
	orderShut              // touch the listeners no more
)

const (
	bufferSize   = 16 << 10
	smallBuffer  = 2 << 10 // for a part of a head
	keepBuffers  = 256     // free ones at most
	keepWorks    = 1024
	turnsOfReads = 8 // of one connection in one turn
	yieldEvery   = time.Millisecond

	watchLooks  = 32                     // for an answer, between two looks for events
	watchPauses = 2                      // of the processor, between two of them
	takenTime   = 200 * time.Microsecond // that a look for events takes if nobody else ran meanwhile
)

func newReactor(s *Server, port Port) (*reactor, error) {
	r := &reactor{server: s, port: port, scratch: make([]byte, bufferSize), out: make([]byte, 0, 2*bufferSize)}
	if err := r.poller.open(); err != nil {
		return nil, err
	}
	var err error
	if r.bell, err = newBell(); err != nil {
		r.poller.close()
		return nil, err
	}
	for _, fd := range []int{r.bell, port.Doorbell()} {
		if err := r.poller.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLET, bellIndex, 0); err != nil {
			r.close()
			return nil, err
		}
	}
	r.inflaters = websocket.Inflaters{Take: s.budget.take, Give: s.budget.give}
	r.readClock()
	r.wheel.init(r.now)
	return r, nil
}

// run turns until it is told to stop.
func (r *reactor) run() {
	defer r.close()
	events := 0
	for {
		r.readClock()
		did := events + r.turn(events)
		if r.orders.Load() != 0 && r.obey(r.orders.Swap(0)) {
			return
		}
		r.port.Flush()
		if did > 0 {
			r.yield()
			events = r.poller.look()
		} else {
			events = r.sleep()
			r.yielded = r.now
		}
	}
}

// yield gives others on this processor their turn, if the reactor has not blocked for a
// while: with enough to do it never blocks by itself. Not at the end of each turn, since
// every Gosched also wakes an idle thread to look for work. Measured with 64 connections
// on 2 cores: 1 ms instead of each turn makes 7 % more requests at 10 % less CPU for each,
// and beside two busy reactors a goroutine's TCP echo took 11 us at the median instead of
// 17 us, and 0.1 ms at p99 instead of 0.2 to 0.7 ms.
func (r *reactor) yield() {
	if r.now-r.yielded >= int64(yieldEvery) {
		r.yielded = r.now
		runtime.Gosched()
	}
}

// turn does all there is to do, and returns how much that was.
func (r *reactor) turn(events int) (did int) {
	for i := range events {
		r.event(&r.poller.events[i])
	}
	did = r.adopt() + r.repeat()
	did += r.port.Turn() + r.watchOverdue()
	return did + r.wheel.advance(r.now, (*timer).expire)
}

// event passes one event on, if its connection is still the one it was meant for.
func (r *reactor) event(e *unix.EpollEvent) {
	if e.Fd < 0 {
		if e.Fd != bellIndex {
			r.welcome(e.Fd)
		}
		return
	}
	if c := r.conns[e.Fd]; c.uses == uint32(e.Pad) && c.phase != closed {
		c.event(e.Events)
	}
}

// repeat goes on with connections that had more to do than their share of a turn.
func (r *reactor) repeat() int {
	n := len(r.again)
	for i := range n {
		c := r.again[i]
		c.queued = false
		c.resume()
	}
	r.again = r.again[:copy(r.again, r.again[n:])]
	return n
}

// later has a connection go on in the next turn.
func (r *reactor) later(c *conn) {
	if !c.queued {
		c.queued = true
		r.again = append(r.again, c)
	}
}

// sleep waits for events: first, if workers have several of our requests, in a doze in
// which they do not ring for every answer.
func (r *reactor) sleep() (events int) {
	r.asleep.Store(true)
	defer r.asleep.Store(false)
	if r.waiting.Load() || r.orders.Load() != 0 || len(r.again) > 0 {
		return 0 // rung before we slept
	}
	limit := r.unwatched.until(r.now, r.wheel.wait(r.now))
	mode := r.port.Sleep()
	if mode == bridge.Watch {
		if events = r.watch(); events > 0 || r.port.Came() {
			return events
		}
		mode = r.port.Sleep()
	}
	switch mode {
	case bridge.Stay:
		return 0
	case bridge.DozeBriefly:
		if events = r.poller.doze(bridge.DozeTime); events == 0 && r.port.Deepen() {
			events = r.poller.wait(limit)
		}
	default:
		events = r.poller.wait(limit)
	}
	r.port.Awake()
	return events
}

// watch looks for an answer that is due any moment, and for events, without sleeping.
func (r *reactor) watch() (events int) {
	defer r.port.Awake()
	for end := r.server.clock().Add(bridge.SpinTime); ; {
		for range watchLooks {
			if r.port.Came() {
				return 0
			}
			pause(watchPauses)
		}
		before := r.server.clock()
		if events = r.poller.look(); events > 0 || before.After(end) {
			return events
		}
		yieldProcessor()
		if r.server.clock().Sub(before) > takenTime {
			r.port.Taken()
			return 0
		}
	}
}

func (r *reactor) readClock() {
	r.wall = r.server.clock()
	r.now = int64(r.wall.Sub(r.server.epoch)) + 1
}

// after is the deadline that comes in d; 0 if there is none.
func (r *reactor) after(d time.Duration) int64 {
	if d == 0 {
		return 0
	}
	return r.now + int64(d)
}

// give puts a new connection into the reactor's mailbox; any goroutine may call it, and
// arrived after it.
func (r *reactor) give(c newcomer) {
	r.mail.Lock()
	r.newcomers = append(r.newcomers, c)
	r.mail.Unlock()
	r.waiting.Store(true)
}

// arrived wakes the reactor if there are new connections and it sleeps.
func (r *reactor) arrived() {
	if r.waiting.Load() {
		r.rouse()
	}
}

// rouse has the reactor take a turn; any goroutine may call it.
func (r *reactor) rouse() {
	if r.asleep.Load() {
		ring(r.bell)
	}
}

// order tells the reactor what the server wants; any goroutine may call it.
func (r *reactor) order(what uint32) {
	r.orders.Or(what)
	r.rouse()
}

// adopt takes the new connections, and what the senders are through with.
func (r *reactor) adopt() int {
	if !r.waiting.Load() {
		return 0
	}
	r.waiting.Store(false)
	r.mail.Lock()
	r.arriving, r.newcomers = r.newcomers, r.arriving[:0]
	r.returning, r.sent = r.sent, r.returning[:0]
	r.mail.Unlock()
	for _, t := range r.returning {
		t.returned()
	}
	clear(r.returning)
	for i := range r.arriving {
		r.admit(&r.arriving[i])
	}
	clear(r.arriving)
	return len(r.arriving) + len(r.returning)
}

func (r *reactor) admit(n *newcomer) {
	c := r.take()
	c.open(n)
	if n.listener.selfServed() { // what it asks for has probably come with it
		uses := c.uses
		c.readable = true
		c.read()
		if c.uses != uses || c.watched {
			return
		}
		if c.phase == serving && c.work.body == bodyWhole {
			r.watchLater(c)
			return
		}
	}
	c.attend()
}

// take returns a closed connection to be used again, or a new one.
func (r *reactor) take() *conn {
	if n := len(r.free); n > 0 {
		c := r.free[n-1]
		r.free = r.free[:n-1]
		return c
	}
	c := &conn{r: r, index: int32(len(r.conns))}
	c.timer.conn = c
	r.conns = append(r.conns, c)
	return c
}

// obey does what the server has told, and reports true when the reactor is to end. After
// orderDrain no more connections are dealt to it.
func (r *reactor) obey(orders uint32) bool {
	r.parting = true
	if orders&orderShut != 0 {
		r.closeDoors()
		orders &^= orderShut
	}
	if orders&^orderPart == 0 {
		return false
	}
	if !r.draining {
		r.draining, r.patience = true, r.after(r.server.settings.DrainTime)
	}
	r.adopt()
	var runs, ended, cut bridge.Named
	for _, c := range r.conns {
		if orders&orderEnd != 0 {
			ended.Add(c.EndStream())
		}
		switch {
		case c.phase == closed:
		case orders&(orderCut|orderStop) != 0:
			if c.awaitsAnswer() {
				r.server.cut.Add(1)
				cut.Add(c.Describe())
			}
			c.cut()
		default:
			if c.drain(); orders&orderTell != 0 && c.awaitsAnswer() {
				runs.Add(c.Describe())
			}
		}
	}
	r.tellNamed(zerolog.InfoLevel, &runs, "waiting for requests to finish")
	r.tellNamed(zerolog.WarnLevel, &ended, "answers without an end in sight were cut, so that the application can come to its own end")
	r.tellNamed(zerolog.WarnLevel, &cut, "requests were cut before they had their answer")
	return orders&orderStop != 0
}

// tellNamed logs what is the case for these requests, if there are any.
func (r *reactor) tellNamed(level zerolog.Level, n *bridge.Named, what string) {
	if n.Count > 0 {
		r.server.settings.Log.WithLevel(level).Strs("requests", n.First).Msgf("%s: %d", what, n.Count)
	}
}

func (r *reactor) close() {
	r.mail.Lock()
	r.over = true
	left := r.sent
	r.mail.Unlock()
	for _, t := range left {
		t.release()
	}
	r.poller.close()
	closeSocket(r.bell)
}
