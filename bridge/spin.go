package bridge

import "time"

// SpinTime is how long, where there are processors enough, a reactor looks for an answer and
// a worker for a request before it sleeps: longer than a small view takes, and than the way
// to a client on the same machine and back.
const SpinTime = 50 * time.Microsecond

// spinRow is how many answers in a row must have come sooner than that.
const spinRow = 8

// spinRowAfterTaken, when others were in need of the processor at the last look.
const spinRowAfterTaken = 2000

// A spinner says whether a reactor that waits for a single answer looks for it, instead of
// going to sleep: when the last ones came that soon. The first that does not come ends the
// row, so applications that take their time cost nothing here. spin.h is the worker's twin.
type spinner struct {
	limit   time.Duration // 0: never
	since   time.Time     // of the wait
	waiting bool
	row     int // waits that were short, one after the other; below zero, those that must come before the count
}

// try is called before a sleep; due is the number of answers waited for. It reports true
// once in a wait.
func (s *spinner) try(due int) bool {
	switch {
	case s.limit == 0:
	case s.waiting, due > 1: // once is enough
		s.row = min(s.row, 0)
	case due == 1:
		s.since, s.waiting = time.Now(), true
		return s.row >= spinRow
	}
	return false
}

// answered is called when news has come.
func (s *spinner) answered() {
	if !s.waiting {
		return
	}
	s.waiting = false
	if time.Since(s.since) < s.limit {
		s.row++
	} else {
		s.row = min(s.row, 0)
	}
}

// maxWithout is how many sleeps at most go without a doze because dozes were in vain.
const maxWithout = 63

// A dozer says whether a reactor that waits for several answers dozes before it sleeps. A doze
// in which no answer comes has cost a timer and a wake for nothing: then some
// sleeps go without, and about twice as many after each further one in vain. So views that take longer
// than DozeTime are not disturbed.
type dozer struct {
	dozing  bool
	without int // sleeps that go without one, after the last that was in vain
	left    int // of them
}

func (d *dozer) try() bool {
	if d.left > 0 {
		d.left--
		return false
	}
	d.dozing = true
	return true
}

// vain is called when a doze is over and nothing has come.
func (d *dozer) vain() {
	d.dozing = false
	d.without = min(2*d.without+1, maxWithout)
	d.left = d.without
}

// over is called when the reactor is awake again.
func (d *dozer) over() {
	if d.dozing {
		*d = dozer{}
	}
}

func (c *Config) spinTime() time.Duration {
	if c.Spin {
		return SpinTime
	}
	return 0
}
