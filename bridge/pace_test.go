package bridge

import (
	"sync/atomic"
	"testing"
	"time"
)

// A pacedBridge has workers of one pace, and ports whose clock stands still until it is moved.
type pacedBridge struct {
	*Bridge
	w   []*fakeWorker
	now time.Time
}

func paced(t *testing.T, workers, reactors int, pace time.Duration) *pacedBridge {
	b := &pacedBridge{now: time.Now()}
	b.Bridge, b.w = newTestBridge(t, config(workers, reactors))
	for _, w := range b.w {
		atomic.StoreUint32(&w.slot.gen.seg.worker(w.slot.index).Pace, uint32(pace))
	}
	for _, p := range b.ports {
		p.clock = func() time.Time { return b.now }
		p.Turn()
	}
	return b
}

// expectInflight checks what each worker has.
func expectInflight(t *testing.T, what string, w []*fakeWorker, want ...int) {
	t.Helper()
	for i, w := range w {
		if w.slot.inflight != want[i] {
			t.Errorf("%s: worker %d has %d requests, want %d", what, i, w.slot.inflight, want[i])
		}
	}
}

// finishAll has a worker answer all that it is given.
func finishAll(w *fakeWorker) {
	for run := w.claim(); run != nil; run = w.claim() {
		run.answer(200, "")
	}
}

func TestSmallRequestsWakeNoSecondWorker(t *testing.T) {
	b := paced(t, 2, 1, 5*time.Microsecond)
	p, w := b.ports[0], b.w
	for range 11 {
		begin(p, "/")
	}
	expectInflight(t, "as many as are worth waiting for", w, 11, 0)
	begin(p, "/")
	begin(p, "/")
	expectInflight(t, "and more", w, 11, 2)
	finishAll(w[1])
	p.Turn()
	expectInflight(t, "when the other has run dry", w, 11-5, 5)
	finishAll(w[0])
	finishAll(w[1])
	p.Turn()
	expectInflight(t, "at the end", w, 0, 0)
}

func TestRequestsThatAreNotSmallWakeWhoeverSleeps(t *testing.T) {
	for _, pace := range []time.Duration{0, worthWaking + 1, time.Second} {
		b := paced(t, 3, 1, pace)
		for range 5 {
			begin(b.ports[0], "/")
		}
		expectInflight(t, pace.String(), b.w, 2, 2, 1)
	}
}

// Another thread would have to be woken, too, and to wait for the GIL.
func TestThreadsAreNotSpared(t *testing.T) {
	b := paced(t, 2, 1, 5*time.Microsecond)
	b.dispatch.gen.threads = 2
	for range 4 {
		begin(b.ports[0], "/")
	}
	expectInflight(t, "of two threads each", b.w, 2, 2)
}

// What waits behind a request that takes long after all is given to others, all of it, although no
// news comes; and no more is put there.
func TestNobodyStaysBehindARequestThatIsNotSmall(t *testing.T) {
	b := paced(t, 3, 1, 5*time.Microsecond)
	p, w := b.ports[0], b.w
	for range 6 {
		begin(p, "/")
	}
	slow := w[0].claim()
	expectInflight(t, "before", w, 6, 0, 0)
	if p.Turn(); p.Sleep() != DozeBriefly {
		t.Error("the reactor does not look again soon")
	}
	b.now = b.now.Add(noProgress)
	if p.Deepen() {
		t.Fatal("the reactor goes to sleep and leaves them there")
	}
	p.Turn()
	expectInflight(t, "after", w, 1, 5, 0)
	begin(p, "/")
	expectInflight(t, "one more", w, 1, 6, 0)
	if p.Turn(); !p.watches() {
		t.Error("that a worker is spared for the second one is forgotten")
	}
	finishAll(w[1])
	slow.answer(200, "")
	p.Turn()
	if p.watches() || p.Sleep() == DozeBriefly {
		t.Error("the reactor looks again although nobody waits")
	}
	p.Awake()
	expectInflight(t, "at the end", w, 0, 0, 0)
}

// A worker that has not begun is waited for a little longer: it may have no processor.
func TestAWorkerThatDoesNotBeginIsLeftAlone(t *testing.T) {
	b := paced(t, 2, 1, 5*time.Microsecond)
	p := b.ports[0]
	for range 4 {
		begin(p, "/")
	}
	b.now = b.now.Add(notBegun - 1)
	p.Turn()
	expectInflight(t, "for a while", b.w, 4, 0)
	b.now = b.now.Add(1)
	p.Turn()
	expectInflight(t, "and then not", b.w, 1, 3)
}

// One reactor looks, whichever it is, as long as a worker is spared for another.
func TestOneReactorLooksAfterThem(t *testing.T) {
	b := paced(t, 3, 2, 5*time.Microsecond)
	one, other := b.ports[0], b.ports[1]
	for range 3 {
		begin(other, "/")
		begin(one, "/")
	}
	other.Post(func() {}) // it looks at the line then
	other.Turn()
	if !one.watches() || other.watches() {
		t.Errorf("the first that spared a worker watches: %v, the other: %v", one.watches(), other.watches())
	}
	b.w[0].claim()
	b.now = b.now.Add(noProgress)
	other.Post(func() {})
	other.Turn()
	expectInflight(t, "whoever turns first", b.w, 1, 5, 0)
	one.Turn()
	other.Turn()
	if one.watches() == other.watches() {
		t.Errorf("after what was moved look: %v, %v", one.watches(), other.watches())
	}
	for _, w := range b.w[1:] {
		w.claim()
		b.now = b.now.Add(noProgress)
		one.Turn()
		other.Turn()
	}
	expectInflight(t, "one slow after the other", b.w, 1, 1, 4)
	if one.watches() || other.watches() {
		t.Error("somebody looks after requests that no worker is free for")
	}
}

// When nothing is known of a pace, a worker that is held up is not given more while others have room.
func TestWhoIsHeldUpIsGivenNoMore(t *testing.T) {
	b := paced(t, 2, 1, 0)
	p := b.ports[0]
	begin(p, "/")
	b.w[0].claim()
	b.now = b.now.Add(lateAfter)
	p.Turn()
	for range 3 {
		begin(p, "/")
	}
	expectInflight(t, "one of two held up", b.w, 1, 3)
}

// An event loop may hold what waits for ever, and has no less room for others.
func TestAnEventLoopIsNotHeldUp(t *testing.T) {
	b := paced(t, 2, 1, 0)
	b.style.asgi.Store(true)
	p := b.ports[0]
	begin(p, "/")
	b.w[0].claim()
	b.now = b.now.Add(2 * lateAfter)
	p.Turn()
	for range 3 {
		begin(p, "/")
	}
	expectInflight(t, "one waits", b.w, 2, 2)
}
