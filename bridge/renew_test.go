package bridge

import (
	"testing"
	"time"
)

func TestJitter(t *testing.T) {
	c := Renewal{Requests: 100, RequestsJitter: 10, Lifetime: time.Hour, LifetimeJitter: time.Minute, MemoryJitter: 5}
	seen := map[int]bool{}
	for range 2000 {
		l := c.chosen()
		if l.Requests < 100 || l.Requests > 110 || l.Lifetime < time.Hour || l.Lifetime > time.Hour+time.Minute || l.Memory != 0 {
			t.Fatalf("%+v", l)
		}
		seen[l.Requests] = true
	}
	if len(seen) != 11 {
		t.Errorf("%d of 11 limits were chosen", len(seen))
	}
	if c.RequestsJitter = 0; c.chosen().Requests != 100 {
		t.Error("without a jitter the limit is not as it was set")
	}
}

func TestMemoryOf(t *testing.T) {
	const status = "Name:\tx\nVmPeak:\t  999 kB\nVmRSS:\t  3000 kB\nRssAnon:\t 1000 kB\nRssShmem:\t  500 kB\nVmSwap:\t   7 kB\n"
	if n, err := memoryOf([]byte(status)); n != (3000-500+7)<<10 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for _, wrong := range []string{"", "Name:\tzombie\nState:\tZ (zombie)\n", "VmRSS:\n", "VmRSS:\tmany kB\n", "VmRSS:\t-1 kB\n"} {
		if n, err := memoryOf([]byte(wrong)); err == nil {
			t.Errorf("%q has %d bytes", wrong, n)
		}
	}
}

// FuzzMemoryOf: whatever the kernel writes one day, it is a size or an error.
func FuzzMemoryOf(f *testing.F) {
	f.Add([]byte("VmRSS:\t 1 kB\nRssShmem:\t 2 kB\nVmSwap:\t 3 kB\n"))
	f.Fuzz(func(t *testing.T, status []byte) {
		if n, err := memoryOf(status); n < 0 || err != nil && n != 0 {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// A renewal takes its course on slots: the free one, the one that is due, and who is ready. Of two
// that are due one waits until it is over.
func TestRenewalsCourse(t *testing.T) {
	c := config(2, 1)
	c.Renewal.Requests = 3
	b, _ := newTestBridge(t, c)
	g := b.dispatch.gen
	free := g.slots[2]
	if len(g.slots) != 3 || g.kept() != 2 || g.renewals.free != free || !g.rests(free) {
		t.Fatalf("%d slots, %d kept", len(g.slots), g.kept())
	}
	old, other := g.slots[0], g.slots[1]
	now := time.Now()
	for i, s := range []*slot{old, other} {
		g.workers[s] = &worker{ready: now.Add(time.Duration(i)), incarnation: s.incarnation, limits: c.Renewal.chosen()}
	}
	b.dispatch.mu.Lock()
	free.open, free.incarnation = false, 0
	old.finished, other.finished = 3, 100
	b.dispatch.mu.Unlock()
	s, w, why := g.due(now, true)
	if s != old || why == "" {
		t.Fatalf("due is %v: %q", s, why)
	}
	g.beginRenewal(s, w, why)
	if g.renewOn(now) || free.role != trying || free.number != 1 || !old.open {
		t.Errorf("at the begin: %+v", free)
	}
	if !g.called(free) || !g.through(free) || free.role != resting || old.renewing != "" || g.renewOn(now) || !g.renewOn(now.Add(2*time.Second)) {
		t.Errorf("when it does not come up: %+v", free)
	}
	g.beginRenewal(s, w, why)
	if !g.called(free) {
		t.Fatal("the successor is not called")
	}
	delete(g.workers, old) // it dies meanwhile, and the next one is held up
	g.workers[free] = &worker{ready: now, incarnation: 9}
	g.renewOn(now)
	if old.role != leaving || free.role != keeping || old.open || free.renewals != 1 {
		t.Errorf("when the successor is ready: %+v, %+v", old, free)
	}
	if !g.rests(old) || g.renewals.free != old || !g.renewOn(now) {
		t.Errorf("in the end: %+v", g.renewals)
	}
	if s, _, _ := g.due(now, false); s != other {
		t.Errorf("%+v is due next", s)
	}
}
