package bridge

import (
	"sync/atomic"

	"gobridge/pyhost"
)

// run is a stream as the front knows it. There is one for each stream of a
// generation, for its whole life; between uses it lies in the free list.
type run struct {
	gen    *generation
	stream uint32
	owner  atomic.Pointer[Port] // whose reactor handles it; nil while free
	x      *Exchange            // the owner's; nil once its client has left

	socket atomic.Bool // it is an open WebSocket's

	slot atomic.Pointer[slot] // whose worker has it, queued or running; nil otherwise; set under dispatch.mu

	// Guarded by dispatch.mu.
	word       uint64 // as it was last queued
	ticket     uint64
	next, prev *run  // in the slot's list, oldest first
	used       int64 // when it was last given back, by the coarse clock
	dirty      bool  // its pages may be there
	queuedFor  *slot // by this word
	reserved   bool  // it is a WebSocket's, or was asked for by one
	file       heldFile
	watched    watched
}

func (r *run) shared() *pyhost.Stream { return r.gen.seg.stream(r.stream) }

func (r *run) state() uint32 { return pyhost.WordState(atomic.LoadUint64(&r.shared().Word)) }

// free marks the word FREE; the sequence stays, so that the next queueing has a new one.
func (r *run) free() {
	atomic.StoreUint64(&r.shared().Word, pyhost.Word(pyhost.StateFree, 0, pyhost.WordSequence(r.word)))
}

// takeBack wins a queued stream back from its worker, or fails because the worker
// has begun it.
func (r *run) takeBack() bool {
	return atomic.CompareAndSwapUint64(&r.shared().Word, r.word, //gb:step take_back
		pyhost.Word(pyhost.StateFree, 0, pyhost.WordSequence(r.word)))
}

// close tells the worker that nobody waits for this stream's answer any more.
func (r *run) close() {
	s := r.shared()
	atomic.OrUint32(&s.Front, pyhost.Closed) //gb:step closed_set
	r.wakeReader()
	r.wakeWriter()
}

// wakeReader wakes who waits for request bytes, wakeWriter who waits for room in
// the response pipe.
func (r *run) wakeReader() { r.wakeIf(atomic.LoadUint32(&r.shared().Request.ReaderWaits)) }
func (r *run) wakeWriter() { r.wakeIf(atomic.LoadUint32(&r.shared().Response.WriterWaits)) }

func (r *run) wakeIf(waits uint32) {
	switch waits {
	case pyhost.WaitsBell, pyhost.WaitsFile:
		wake(r.shared()) //gb:step wake_bell
	case pyhost.WaitsNews:
		p, s := r.owner.Load(), r.slot.Load()
		if p == nil || s == nil {
			return
		}
		r.gen.seg.news(s.index, p.index, pyhost.ToWorker).set(r.stream)
		p.toRing(s)
	}
}
