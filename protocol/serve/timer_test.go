package serve

import (
	"math/rand"
	"testing"
	"time"
)

// The wheel against a plain list of deadlines: none fires early, each fires within a
// tick of its time, and none that was taken back fires at all.
func TestWheel(t *testing.T) {
	const timers = 200
	for seed := range int64(50) {
		random := rand.New(rand.NewSource(seed))
		var w wheel
		now := int64(1 + random.Intn(1e9))
		w.init(now)
		all := make([]*timer, timers)
		for i := range all {
			all[i] = new(timer)
		}
		want := map[*timer]int64{}
		for range 2000 {
			for range random.Intn(5) {
				x := all[random.Intn(timers)]
				switch random.Intn(4) {
				case 0:
					w.set(x, 0)
					delete(want, x)
				case 1:
					x.unlink()
					x.due = 0
					delete(want, x)
				default:
					due := now + random.Int63n(int64(3*time.Minute))
					w.set(x, due)
					want[x] = due
				}
			}
			wait := w.wait(now)
			now += random.Int63n(int64(2 * time.Second))
			w.advance(now, func(x *timer) {
				due, ok := want[x]
				if !ok || due > now {
					t.Fatalf("seed %d: fired %v, due %v of %v", seed, ok, due, now)
				}
				delete(want, x)
			})
			for _, due := range want {
				if due < now-wheelTick {
					t.Fatalf("seed %d: a deadline has been over for %v", seed, time.Duration(now-due))
				}
				if wait < 0 {
					t.Fatalf("seed %d: a deadline is not waited for", seed)
				}
			}
		}
	}
}

func TestWheelWait(t *testing.T) {
	var w wheel
	w.init(1)
	if w.wait(1) >= 0 {
		t.Fatal("an empty wheel waits")
	}
	var x timer
	for _, d := range []time.Duration{1, time.Second, 40 * time.Second, 10 * time.Minute} {
		w.set(&x, 1+int64(d))
		if got, limit := w.wait(1), min(d, wheelSlots*time.Duration(wheelTick)); got < limit-time.Duration(wheelTick) || got > limit+2*time.Duration(wheelTick) {
			t.Fatalf("waits %v for a deadline in %v", got, d)
		}
		x.unlink()
		w.init(1)
		w.used = [wheelSlots / 64]uint64{}
	}
}
