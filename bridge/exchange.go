package bridge

import (
	"sync/atomic"

	"gobridge/pyhost"
)

// Client is who asked: a connection. Progress is called in its reactor's turn
// whenever the exchange may have moved.
type Client interface {
	Progress()
	// Describe names the request for the log, as "GET /path".
	Describe() string
	// EndStream ends what goes on without an end in sight: an open WebSocket, or an answer whose
	// head is out and whose length nobody knows. It is called in a turn, when the worker is about to
	// leave. It returns the request's name if its answer is cut, else "".
	EndStream() string
}

// State says how far an exchange is.
type State int

// The states of an exchange.
const (
	Waiting  State = iota // in the line, in an inbox, or running; or its body is not all taken yet
	Finished              // the response is whole and taken
	Aborted               // the application failed: the response must be seen to be cut
	Lost                  // the worker died while it ran the request
	Overdue               // no worker began it before the queue deadline
	Overrun               // it ran past its time limit
)

// Exchange is one request and its response. A connection owns one and uses it for
// one request after the other: Begin, then WriteBody and EndBody, Head, Body and
// Advance as Progress tells, and Leave at the end. Only its reactor's goroutine
// may touch it. The zero value is ready.
type Exchange struct {
	port   *Port
	client Client
	run    *run

	// Guarded by dispatch.mu while it waits.
	ticket             uint64
	lineNext, linePrev *Exchange
	waiting            bool
	since              int64 // when it came, by the coarse clock

	head    []byte // the request head, or what of it is not in the pipe yet
	kept    []byte // memory for head
	ended   bool   // EndBody was called
	chunked bool   // the body came in the chunked coding; of a request that is held
	left    bool   // HangUp was called
	fail    State  // Lost, Overdue, Overrun, or Aborted for a worker that made no sense
	done    bool   // the worker is through with the stream
	in      incoming
	body    heldBody
	socket  socket
}

// keepHead is how much memory for a head an exchange keeps for its next request: that of a
// long one would stay with every exchange that has ever had one.
const keepHead = 8 << 10

// fill takes a free stream for x and writes the head into it.
func (x *Exchange) fill(r *run) {
	x.run = r
	x.take(r)
	if x.left {
		atomic.StoreUint32(&r.shared().Front, pyhost.Left)
	}
	x.pump()
}

// take makes a free stream x's own.
func (x *Exchange) take(r *run) {
	r.gen.seg.reset(r.stream) //gb:step reuse
	r.shared().Reactor = uint32(x.port.index)
	r.x, r.ticket, r.dirty = x, x.ticket, true
	if x.socket.asked {
		r.reserved = true
		r.gen.reserved++
	}
	r.owner.Store(x.port)
}

// pump moves what is left of the head into the request pipe, and the end after it.
func (x *Exchange) pump() {
	if len(x.head) > 0 {
		x.head = x.head[x.write(x.head):]
		if len(x.head) > 0 {
			return
		}
		x.head = nil
		if x.ended {
			x.end()
		}
	}
}

// write puts bytes into the request pipe. When not all fit, the worker is asked to
// give news of room.
func (x *Exchange) write(b []byte) int {
	r := x.run
	p, ring := &r.shared().Request, r.gen.seg.requestBytes(r.stream)
	n, err := pipeWrite(p, ring, b)
	if err == nil && n < len(b) {
		atomic.StoreUint32(&p.WriterWaits, pyhost.WaitsNews) //gb:step body_waits
		var more int
		if more, err = pipeWrite(p, ring, b[n:]); more > 0 {
			n += more
		}
	}
	if err != nil {
		x.broken(err)
		return len(b)
	}
	if n == len(b) && atomic.LoadUint32(&p.WriterWaits) != pyhost.WaitsNot {
		atomic.StoreUint32(&p.WriterWaits, pyhost.WaitsNot)
	}
	if n > 0 {
		r.wakeReader()
	}
	return n
}

// WriteBody gives body bytes to the application and returns how many were taken. It
// takes none while the request waits in the line; Progress comes when it can take more.
func (x *Exchange) WriteBody(b []byte) int {
	if x.fail != Waiting || x.done {
		return len(b) // nobody will read them
	}
	if x.run == nil || len(x.head) > 0 || len(b) == 0 {
		return 0
	}
	return x.write(b)
}

// EndBody says that the body is whole.
func (x *Exchange) EndBody() {
	if x.ended {
		return
	}
	x.ended = true
	if x.run != nil && len(x.head) == 0 {
		x.end()
	}
}

func (x *Exchange) end() {
	atomic.OrUint32(&x.run.shared().Front, pyhost.BodyEnd) //gb:step body_end
	x.run.wakeReader()
}

// HangUp says that the client sends nothing more, not even another request: it has probably
// left. An ASGI application that asks is told so; what it sends still goes out.
func (x *Exchange) HangUp() {
	x.left = true
	if x.run != nil && !x.done {
		atomic.OrUint32(&x.run.shared().Front, pyhost.Left) //gb:step left_set
		x.run.wakeReader()
	}
}

// BodyWanted says whether the application waits for body bytes.
func (x *Exchange) BodyWanted() bool {
	return x.run != nil && atomic.LoadUint32(&x.run.shared().Request.ReaderWaits) != pyhost.WaitsNot
}

// State says how far the exchange is.
func (x *Exchange) State() State {
	if x.fail != Waiting {
		return x.fail
	}
	if !x.done || x.more() {
		return Waiting
	}
	whole := x.in.headDone && x.in.left == 0 && !x.in.piece && x.in.tail.whole() && pipeEmpty(&x.run.shared().Response)
	if atomic.LoadUint32(&x.run.shared().Outcome) != pyhost.OutcomeFinished || !whole {
		return Aborted
	}
	return Finished
}

// Running says whether a worker has the request, and is not through with it.
func (x *Exchange) Running() bool { return x.run != nil && !x.done }

// more says whether a response that the worker is through with has bytes to be taken. A
// piece of a record's header is none: the rest of it will not come.
func (x *Exchange) more() bool {
	p := &x.run.shared().Response
	n := uint32(atomic.LoadUint64(&p.Written)) - atomic.LoadUint32(&p.Read)
	switch {
	case x.in.fileDue:
		return true
	case x.in.piece:
		return n >= pyhost.FileSize
	case x.in.tail != nil:
		return n > 0
	case x.in.left == 0 && (x.in.headDone || x.in.need == 0):
		return n >= pyhost.RecordSize
	}
	return n > 0
}

// broken notes that the worker's side of the stream makes no sense.
func (x *Exchange) broken(err error) {
	if x.fail == Waiting {
		x.fail = Aborted
		x.port.bridge.log.Error().Err(err).Str("request", x.client.Describe()).
			Msg("a worker sent something that is no response; the application may have overwritten the host's memory")
		x.run.close()
	}
}

// Leave ends the exchange for its connection: the answer is out, or the client is
// gone. What the worker has not begun it will never see; what it runs fails at its
// next read or write.
func (x *Exchange) Leave() {
	p, r := x.port, x.run
	if p == nil {
		return
	}
	d := &p.bridge.dispatch
	d.mu.Lock()
	if x.waiting {
		d.line.remove(x)
		d.waiting.Store(int32(d.line.count))
	}
	running := r != nil && !p.letGo(r)
	if !running { // else when the worker is through
		d.over(x.socket.asked)
	}
	d.mu.Unlock()
	if running {
		r.close()
	}
	x.narrow()
	x.port, x.run, x.client = nil, nil, nil
	x.head = nil
	if cap(x.kept) > keepHead {
		x.kept = nil
	}
	x.in.release()
	x.body.drop()
	x.socket = socket{}
}

// letGo frees a stream whose client leaves, or reports false because a worker runs
// it: then it is freed when the worker is through. Called with dispatch.mu held.
func (p *Port) letGo(r *run) bool {
	r.x = nil
	r.dropFile()
	if s := r.slot.Load(); s != nil {
		if !r.takeBack() && r.state() != pyhost.StateDone { //gb:step cancel
			return false
		}
		s.drop(r)
		p.inflight--
		p.roomMade = true
	}
	p.release(r)
	return true
}

// release puts a stream that nobody uses any more into the free list. Called with
// dispatch.mu held.
func (p *Port) release(r *run) {
	r.free() //gb:step free
	if r.reserved {
		r.reserved = false
		r.gen.reserved--
		r.socket.Store(false)
		p.bridge.dispatch.wakeUp() // it may have rested
	}
	r.used = p.bridge.dispatch.now.Load()
	r.gen.free.push(r)
	if p.bridge.dispatch.line.count > 0 {
		p.roomMade = true
	}
}
