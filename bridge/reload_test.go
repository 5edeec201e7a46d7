package bridge

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"gobridge/pyhost"
)

// turning turns the ports as their reactors would while f runs.
func turning(b *Bridge, f func()) {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	for {
		for _, p := range b.ports {
			p.Turn()
			p.Flush()
		}
		select {
		case <-done:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// nextGeneration takes over with workers that are ready, as a reload does.
func nextGeneration(t *testing.T, b *Bridge) (old, g *generation, w []*fakeWorker) {
	t.Helper()
	g, err := b.newGeneration()
	if err != nil {
		t.Fatal(err)
	}
	turning(b, func() { b.everywhere(func(p *Port) { p.gens = append(p.gens, g) }) })
	for _, s := range g.slots {
		w = append(w, startFake(t, b, s))
	}
	turning(b, func() { old = b.takeOver(g) })
	return old, g, w
}

func TestReloadMovesWhatIsNotBegun(t *testing.T) {
	for _, reactors := range []int{1, 3} {
		b, w := newTestBridge(t, config(2, reactors))
		var clients []*fakeClient
		for i := range 200 { // some in inboxes, some in the line
			clients = append(clients, begin(b.ports[i%reactors], fmt.Sprintf("/%d", i)))
		}
		running := w[0].claim()
		running.head()
		old, _, next := nextGeneration(t, b)
		for i := range w {
			if w[i].claim() != nil {
				t.Error("an old worker still gets requests")
			}
		}
		seen := map[string]bool{"/0": true}
		for len(seen) < len(clients) {
			before := len(seen)
			for _, n := range next {
				for run := n.claim(); run != nil; run = n.claim() {
					path := run.head()["PATH_INFO"]
					if seen[path] {
						t.Fatalf("%s comes twice", path)
					}
					seen[path] = true
					run.answer(200, path)
				}
			}
			for _, p := range b.ports {
				p.Turn()
			}
			if len(seen) == before {
				t.Fatalf("only %d of %d requests came", len(seen), len(clients))
			}
		}
		running.answer(200, "/0") // what runs ends where it began
		turning(b, func() { b.retire(old) })
		for i, c := range clients {
			if want := fmt.Sprintf("/%d", i); c.state != Finished || string(c.body) != want {
				t.Errorf("request %d: state %v, body %q", i, c.state, c.body)
			}
		}
		if got := b.generations(); len(got) != 1 || len(b.ports[0].gens) != 1 {
			t.Errorf("%d generations are left", len(got))
		}
		expectIdle(t, b)
	}
}

// A request that waits in an old inbox has part of its body in its pipe; the rest comes
// after it has moved.
func TestReloadMovesAHalfSentBody(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	first := begin(p, "/first")
	blocking := w[0].claim()
	r := hello("/upload")
	body := bytes.Repeat([]byte("0123456789abcdef"), 1024) // four times the pipe
	r.BodyLength = int64(len(body))
	c := &fakeClient{name: "POST /upload", leave: true}
	p.Begin(&c.x, r, c)
	sent := c.x.WriteBody(body)
	if sent == 0 || sent == len(body) {
		t.Fatalf("%d bytes of the body were taken", sent)
	}
	old, _, next := nextGeneration(t, b)
	run := next[0].claim()
	if run == nil {
		t.Fatal("the upload did not move")
	}
	if got := run.head()["PATH_INFO"]; got != "/upload" {
		t.Fatalf("%s came", got)
	}
	var got []byte
	for turns := 0; len(got) < len(body) && turns < 1000; turns++ {
		got = append(got, run.read(4096)...)
		p.Turn()
		sent += c.x.WriteBody(body[sent:])
	}
	c.x.EndBody()
	if !bytes.Equal(got, body) {
		t.Errorf("%d of %d bytes came, equal so far: %v", len(got), len(body), bytes.HasPrefix(body, got))
	}
	if atomic.LoadUint32(&run.seg().stream(run.stream).Front)&pyhost.BodyEnd == 0 {
		t.Error("the body does not end")
	}
	run.answer(200, "done")
	blocking.answer(200, "first")
	turning(b, func() { b.retire(old) })
	if c.state != Finished || first.state != Finished {
		t.Errorf("states %v and %v", c.state, first.state)
	}
	expectIdle(t, b)
}

// A worker of the old generation that dies while it drains loses only what it runs.
func TestOldWorkerDiesWhileItDrains(t *testing.T) {
	b, w := newTestBridge(t, config(1, 2))
	lost := begin(b.ports[0], "/lost")
	if w[0].claim() == nil {
		t.Fatal("nothing came")
	}
	queued := begin(b.ports[1], "/queued")
	g, err := b.newGeneration()
	if err != nil {
		t.Fatal(err)
	}
	turning(b, func() { b.everywhere(func(p *Port) { p.gens = append(p.gens, g) }) })
	next := startFake(t, b, g.slots[0])
	b.dispatch.mu.Lock()
	old := b.dispatch.gen
	b.dispatch.gen = g // the old worker dies before anything was recalled
	b.dispatch.mu.Unlock()
	if got := kill(b, old.slots[0]); len(got) != 1 || got[0] != "GET /lost" {
		t.Errorf("lost: %v", got)
	}
	run := next.claim()
	if run == nil || run.head()["PATH_INFO"] != "/queued" {
		t.Fatal("the request that was not begun did not move")
	}
	run.answer(200, "moved")
	turning(b, func() { b.retire(old) })
	if lost.state != Lost || queued.state != Finished {
		t.Errorf("states %v and %v", lost.state, queued.state)
	}
	expectIdle(t, b)
}

// Its request pipe's counters make no sense: whoever holds that worker's memory may have
// written there. The request cannot move; its client is told.
func TestMoveFromABrokenPipe(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	begin(b.ports[0], "/running")
	blocking := w[0].claim()
	c := begin(b.ports[0], "/broken")
	atomic.StoreUint32(&b.dispatch.gen.seg.stream(c.x.run.stream).Request.Read, 1<<31)
	old, _, next := nextGeneration(t, b)
	if next[0].claim() != nil {
		t.Error("a request with a broken pipe was moved")
	}
	if c.state != Aborted {
		t.Errorf("state %v", c.state)
	}
	blocking.answer(200, "")
	turning(b, func() { b.retire(old) })
	expectIdle(t, b)
}

// Whoever asks while a reload runs shares the next one, which begins after it.
func TestReloadsAreShared(t *testing.T) {
	var l reloads
	l.running = true // as if one ran
	a, z := l.ask(nil), l.ask(nil)
	if a != z {
		t.Error("two who asked during a reload do not share the next one")
	}
	if l.take() != a || !l.running {
		t.Error("the next one does not run")
	}
	if l.ask(nil) == a {
		t.Error("who asks during the next one shares it")
	}
	if l.take() == nil || l.take() != nil || l.running {
		t.Error("the last one does not end the run")
	}
}

func TestAllReady(t *testing.T) {
	failed, killed := &StartError{Text: "does not import"}, &StartError{Text: "killed", killed: true}
	for _, c := range []struct {
		name string
		news []error // of the first slot; the second is ready at once
		want error
	}{
		{"ready", []error{nil}, nil},
		{"does not import", []error{failed}, failed},
		{"dies when all are ready", []error{nil, failed}, failed},
		{"killed before it is ready", []error{killed, nil}, nil},
		{"killed when all are ready", []error{nil, killed, nil}, nil},
		{"killed twice", []error{killed, killed}, killed},
		{"another error", []error{errStopping}, errStopping},
	} {
		g := &generation{slots: []*slot{{index: 0}, {index: 1}}, news: make(chan startNews, 8)}
		g.news <- startNews{g.slots[1], nil}
		for _, err := range c.news {
			g.news <- startNews{g.slots[0], err}
		}
		if got := g.allReady(nil); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
