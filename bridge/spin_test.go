package bridge

import (
	"testing"
	"time"
)

// wait is one wait for due answers that takes so long. It reports whether it began with a look.
func wait(s *spinner, due int, took time.Duration) bool {
	watches := s.try(due)
	s.since = s.since.Add(-took)
	s.answered()
	return watches
}

func TestOnlyARowOfShortWaitsMakesAReactorWatch(t *testing.T) {
	s := spinner{limit: time.Hour}
	begin := func() {
		t.Helper()
		n := 0
		for ; n < 100 && !wait(&s, 1, 0); n++ {
		}
		if n < spinRow-1 || n == 100 { // the check before may have been the first
			t.Fatalf("it watches after %d short waits", n)
		}
	}
	begin()
	if !wait(&s, 1, 0) {
		t.Error("one that has begun does not go on")
	}
	for what, ends := range map[string]func(){
		"several answers": func() { wait(&s, 2, 0) },
		"a long wait":     func() { wait(&s, 1, 2*time.Hour) },
		"a look in vain":  func() { s.try(1); wait(&s, 1, 2*time.Hour) },
	} {
		if ends(); wait(&s, 1, 0) {
			t.Errorf("%s do not end the row", what)
		}
		begin()
	}
	wait(&s, 0, 0) // nothing is waited for: that says nothing
	if !wait(&s, 1, 0) {
		t.Error("an idle moment ends the row")
	}
	p := Port{spin: s}
	p.Taken()
	for n := 0; n < spinRowAfterTaken; n++ {
		if wait(&p.spin, 1, 0) {
			t.Fatalf("it watches %d waits after others needed the processor", n)
		}
	}
	if !wait(&p.spin, 1, 0) {
		t.Error("it never watches again")
	}
	off := spinner{}
	for range 2 * spinRow {
		if wait(&off, 1, 0) {
			t.Fatal("it watches although it may not")
		}
	}
}

func TestDozesInVainBecomeRare(t *testing.T) {
	var d dozer
	tries, dozes := 1000, 0
	for range tries {
		if d.try() {
			dozes++
			d.vain()
		}
		d.over()
	}
	if dozes < 2 || dozes > 30 {
		t.Errorf("%d of %d sleeps began with a doze in vain", dozes, tries)
	}
	for !d.try() {
	}
	d.over() // an answer came
	for range 10 {
		if !d.try() {
			t.Fatal("a doze that served is not followed by the next")
		}
		d.over()
	}
}
