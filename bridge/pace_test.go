package bridge

import (
	"sync/atomic"
	"testing"
	"time"
)

// paced is a bridge with workers of this pace, the clock of its reactor's turn standing still.
func paced(t *testing.T, workers int, pace time.Duration) (*Bridge, []*fakeWorker, *Port) {
	b, w := newTestBridge(t, config(workers, 1))
	for _, w := range w {
		atomic.StoreUint32(&w.slot.gen.seg.worker(w.slot.index).Pace, uint32(pace))
	}
	p := b.ports[0]
	p.Turn()
	return b, w, p
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
	_, w, p := paced(t, 2, 5*time.Microsecond)
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
		_, w, p := paced(t, 3, pace)
		for range 5 {
			begin(p, "/")
		}
		expectInflight(t, pace.String(), w, 2, 2, 1)
	}
}

// What waits behind a request that takes long after all is given to others, all of it, although no
// news comes; and no more is put there.
func TestNobodyStaysBehindARequestThatIsNotSmall(t *testing.T) {
	_, w, p := paced(t, 3, 5*time.Microsecond)
	for range 6 {
		begin(p, "/")
	}
	slow := w[0].claim()
	expectInflight(t, "before", w, 6, 0, 0)
	if p.Turn(); p.Sleep() != DozeBriefly {
		t.Error("the reactor does not look again soon")
	}
	w[0].slot.progress = w[0].slot.progress.Add(-noProgress)
	if p.Deepen() {
		t.Fatal("the reactor goes to sleep and leaves them there")
	}
	p.Turn()
	expectInflight(t, "after", w, 1, 5, 0)
	begin(p, "/")
	expectInflight(t, "one more", w, 1, 6, 0)
	if p.Turn(); !p.spared {
		t.Error("that others are spared for the second worker is forgotten")
	}
	finishAll(w[1])
	slow.answer(200, "")
	p.Turn()
	if p.spared || p.Sleep() == DozeBriefly {
		t.Error("the reactor looks again although nobody waits")
	}
	p.Awake()
	expectInflight(t, "at the end", w, 0, 0, 0)
}

// When nothing is known of a pace, a worker that is held up is not given more while others have room.
func TestWhoIsHeldUpIsGivenNoMore(t *testing.T) {
	_, w, p := paced(t, 2, 0)
	begin(p, "/")
	w[0].claim()
	w[0].slot.progress = w[0].slot.progress.Add(-lateAfter)
	for range 3 {
		begin(p, "/")
	}
	expectInflight(t, "one of two held up", w, 1, 3)
}
