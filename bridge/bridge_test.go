package bridge

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"gobridge/pyhost"
)

func config(workers, reactors int) Config {
	return Config{Workers: workers, Threads: 1, Reactors: reactors, Streams: 256, PipeSize: 4096}
}

func expectIdle(t *testing.T, b *Bridge) {
	t.Helper()
	s := b.Stats()
	if s.Streams != 0 || s.Line != 0 || s.Running != 0 {
		t.Errorf("something is left in use: %+v", s)
	}
	if n := b.dispatch.begun; n != 0 {
		t.Errorf("%d requests count as begun", n)
	}
	for _, p := range b.ports {
		if p.inflight != 0 {
			t.Errorf("reactor %d counts %d in flight", p.index, p.inflight)
		}
	}
}

func TestHello(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	c := begin(p, "/a%20b?x")
	run := w[0].claim()
	head := run.head()
	for name, want := range map[string]string{"REQUEST_METHOD": "GET", "PATH_INFO": "/a b?x", "HTTP_HOST": "example.org",
		"SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http"} {
		if head[name] != want {
			t.Errorf("%s is %q, want %q", name, head[name], want)
		}
	}
	run.answer(200, "hello")
	p.Turn()
	if c.state != Finished || string(c.body) != "hello" {
		t.Errorf("state %v, body %q", c.state, c.body)
	}
	expectIdle(t, b)
}

func TestOrderInLineAndInbox(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	var clients []*fakeClient
	for i := range 100 { // far more than one worker may be given
		clients = append(clients, begin(p, fmt.Sprintf("/%d", i)))
	}
	if got := b.Stats().Line; got != 100-1-surplus {
		t.Errorf("%d in the line", got)
	}
	for i := range 100 {
		run := w[0].claim()
		if run == nil {
			t.Fatalf("nothing in the inbox for request %d", i)
		}
		if got := run.head()["PATH_INFO"]; got != fmt.Sprintf("/%d", i) {
			t.Fatalf("request %d is %s", i, got)
		}
		run.answer(200, fmt.Sprint(i))
		p.Turn()
	}
	for i, c := range clients {
		if c.state != Finished || string(c.body) != fmt.Sprint(i) {
			t.Errorf("request %d: state %v, body %q", i, c.state, c.body)
		}
	}
	expectIdle(t, b)
}

// Hints whose clients have left fill an inbox until the worker reads them. Then it has
// room again, and nothing but the worker's news says so.
func TestRoomBehindStaleHints(t *testing.T) {
	b, w := newTestBridge(t, config(1, 2))
	gone, waiting := b.ports[0], b.ports[1]
	for b.dispatch.gen.slots[0].room() {
		c := begin(gone, "/gone")
		c.x.Leave()
	}
	c := begin(waiting, "/")
	if s := b.Stats(); s.Line != 1 || s.Running != 0 {
		t.Fatalf("the inbox is not full of stale hints: %+v", s)
	}
	gone.Turn()
	waiting.Turn()
	if w[0].claim() != nil {
		t.Fatal("a stale hint was claimed")
	}
	gone.Turn() // it gets the news, the line belongs to the other
	waiting.Turn()
	run := w[0].claim()
	if run == nil {
		t.Fatal("the request still waits in the line, and nothing will move it")
	}
	run.answer(200, "late")
	waiting.Turn()
	if c.state != Finished || string(c.body) != "late" {
		t.Errorf("state %v, body %q", c.state, c.body)
	}
	expectIdle(t, b)
}

func TestFewestInFlight(t *testing.T) {
	b, _ := newTestBridge(t, config(3, 1))
	for range 30 {
		begin(b.ports[0], "/")
	}
	for _, s := range b.dispatch.gen.slots {
		if s.inflight != 10 {
			t.Errorf("worker %d has %d", s.index, s.inflight)
		}
	}
}

func TestDryWorkerIsGivenWhatAnotherHasNotBegun(t *testing.T) {
	b, w := newTestBridge(t, config(2, 1))
	p := b.ports[0]
	var clients []*fakeClient
	for i := range 10 {
		clients = append(clients, begin(p, fmt.Sprintf("/%d", i)))
	}
	slow := w[0].claim() // request 0, which takes for ever; 2, 4, 6, 8 wait behind it
	for done := 0; done < 9; done++ {
		run := w[1].claim()
		if run == nil {
			p.Turn()
			if run = w[1].claim(); run == nil {
				t.Fatalf("worker 2 is idle after %d while requests wait behind the slow one", done)
			}
		}
		run.head()
		run.answer(200, "fast")
	}
	p.Turn()
	for i, c := range clients[1:] {
		if c.state != Finished {
			t.Errorf("request %d: state %v", i+1, c.state)
		}
	}
	slow.head()
	slow.answer(200, "slow")
	p.Turn()
	if w[0].claim() != nil {
		t.Error("a stale hint won its swap")
	}
	expectIdle(t, b)
}

func TestClientLeaves(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	t.Run("in the line", func(t *testing.T) {
		var clients []*fakeClient
		for range 2 + surplus {
			clients = append(clients, begin(p, "/"))
		}
		last := clients[len(clients)-1]
		last.x.Leave()
		for run := w[0].claim(); run != nil; run = w[0].claim() {
			run.answer(200, "")
		}
		p.Turn()
		expectIdle(t, b)
		if last.progress != 0 {
			t.Error("a client that had left was told of progress")
		}
	})
	t.Run("queued", func(t *testing.T) {
		c := begin(p, "/")
		c.x.Leave()
		if w[0].claim() != nil {
			t.Error("the worker began a request whose client had left")
		}
		expectIdle(t, b)
	})
	t.Run("running", func(t *testing.T) {
		c := begin(p, "/")
		run := w[0].claim()
		c.x.Leave()
		if b.Stats().Streams != 1 {
			t.Error("a running stream was freed")
		}
		run.answer(200, "unheard")
		p.Turn()
		expectIdle(t, b)
	})
	t.Run("after the answer", func(t *testing.T) {
		c := begin(p, "/")
		w[0].claim().answer(200, "unheard")
		c.x.Leave()
		p.Turn()
		expectIdle(t, b)
	})
}

func TestDeath(t *testing.T) {
	for _, reactors := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d reactors", reactors), func(t *testing.T) {
			b, w := newTestBridge(t, config(1, reactors))
			var clients []*fakeClient
			for i := range 12 {
				clients = append(clients, begin(b.ports[i%reactors], fmt.Sprintf("/%d", i)))
			}
			w[0].claim().answer(200, "in time") // no turn: the front has not seen it
			w[0].claim()                        // begun
			lost := kill(b, b.dispatch.gen.slots[0])
			if len(lost) != 1 || lost[0] != "GET /1" {
				t.Errorf("lost: %q", lost)
			}
			if clients[0].state != Finished || clients[1].state != Lost {
				t.Errorf("states %v and %v", clients[0].state, clients[1].state)
			}
			if got := b.Stats().Line; got != 10 {
				t.Errorf("%d in the line", got)
			}
			late := begin(b.ports[0], "/late") // must not overtake
			next := startFake(t, b, b.dispatch.gen.slots[0])
			for i := 2; i < 13; i++ {
				for range reactors {
					for _, p := range b.ports {
						p.Turn()
					}
				}
				want := fmt.Sprintf("/%d", i)
				if i == 12 {
					want = "/late"
				}
				run := next.claim()
				if run == nil {
					t.Fatalf("nothing in the new worker's inbox for %s", want)
				}
				if got := run.head()["PATH_INFO"]; got != want {
					t.Errorf("the new worker got %s instead of %s", got, want)
				}
				run.answer(200, "again")
			}
			for _, p := range b.ports {
				p.Turn()
			}
			if late.state != Finished {
				t.Errorf("the late request: %v", late.state)
			}
			expectIdle(t, b)
		})
	}
}

func TestLargeBodies(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	up := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	c := &fakeClient{leave: true}
	r := hello("/up")
	r.BodyLength = int64(len(up))
	p.Begin(&c.x, r, c)
	run := w[0].claim()
	run.head()
	var got []byte
	for rest := up; len(got) < len(up); {
		n := c.x.WriteBody(rest)
		if rest = rest[n:]; len(rest) == 0 {
			c.x.EndBody()
		}
		got = append(got, run.read(1000)...)
		p.Turn()
	}
	if !bytes.Equal(got, up) {
		t.Error("the upload arrived changed")
	}
	out := appendTestHead(nil, 200, "OK", nil, int64(len(up)))
	out = append(out, 2, 0, 0, 0, 0, 0, 1, 0) // one BODY record of 64 KiB through a pipe of 4 KiB
	out = append(out, up...)
	for len(out) > 0 {
		out = out[run.write(out):]
		p.Turn()
	}
	run.finish(pyhost.OutcomeFinished)
	p.Turn()
	if c.state != Finished || !bytes.Equal(c.body, up) {
		t.Errorf("state %v, %d bytes", c.state, len(c.body))
	}
	expectIdle(t, b)
}

func TestHeadLongerThanThePipe(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	c := &fakeClient{leave: true}
	r := hello("/")
	r.Fields = append(r.Fields, Field{Name: []byte("X-Long"), Value: bytes.Repeat([]byte("v"), 10000)})
	p.Begin(&c.x, r, c)
	run := w[0].claim()
	var got []byte
	for range 10 {
		got = append(got, run.read(4096)...)
		p.Turn()
	}
	if vars := decodeVariables(t, got[16:], int(got[4])); len(vars["HTTP_X_LONG"]) != 10000 {
		t.Errorf("the long value has %d bytes", len(vars["HTTP_X_LONG"]))
	}
	line := "X-Long: " + string(bytes.Repeat([]byte("w"), 10000))
	out := appendTestHead(nil, 200, "OK", []string{line, "A: b"}, 0)
	for len(out) > 0 {
		out = out[run.write(out):]
		p.Turn()
	}
	if h := c.x.Head(); h == nil || len(h.Lines) != len(line)+2+6 {
		t.Error("the long head did not arrive")
	}
	run.finish(pyhost.OutcomeFinished)
	p.Turn()
	if c.state != Finished {
		t.Errorf("state %v", c.state)
	}
	expectIdle(t, b)
}

func TestCutAndBrokenResponses(t *testing.T) {
	for name, write := range map[string]func(c *claimed){
		"aborted":              func(c *claimed) { c.finish(pyhost.OutcomeAborted) },
		"finished without any": func(c *claimed) { c.finish(pyhost.OutcomeFinished) },
		"record cut": func(c *claimed) {
			c.write(appendTestHead(nil, 200, "OK", nil, -1))
			c.write([]byte{2, 0, 0, 0, 9, 0, 0, 0, 'x'})
			c.finish(pyhost.OutcomeFinished)
		},
		"a piece of a record's header": func(c *claimed) {
			c.write(append(appendTestHead(nil, 200, "OK", nil, -1), 2, 0, 0, 0, 9))
			c.finish(pyhost.OutcomeAborted)
		},
		"body first":  func(c *claimed) { c.write(appendRecord(nil, 2, []byte("x"))) },
		"two heads":   func(c *claimed) { h := appendTestHead(nil, 200, "", nil, -1); c.write(append(h, h...)) },
		"bad status":  func(c *claimed) { c.write(appendTestHead(nil, 99, "", nil, -1)) },
		"no CRLF":     func(c *claimed) { c.write(appendRecord(nil, 1, make([]byte, 40))) },
		"giant head":  func(c *claimed) { c.write([]byte{1, 0, 0, 0, 255, 255, 255, 255}) },
		"bad counter": func(c *claimed) { c.seg().stream(c.stream).Response.Written = 1 << 20; c.news() },
	} {
		t.Run(name, func(t *testing.T) {
			b, w := newTestBridge(t, config(1, 1))
			c := begin(b.ports[0], "/")
			run := w[0].claim()
			write(run)
			b.ports[0].Turn()
			if c.state != Aborted {
				t.Errorf("state %v", c.state)
			}
			if run.seg().stream(run.stream).Word>>pyhost.StateShift == pyhost.StateRunning {
				run.finish(pyhost.OutcomeAborted)
			}
			b.ports[0].Turn()
			expectIdle(t, b)
		})
	}
}

func TestSleepSeesWhatCameBefore(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	p.Turn()
	if p.Sleep() != SleepLong {
		t.Error("an idle reactor does not sleep")
	}
	p.Awake()
	begin(p, "/")
	w[0].claim().answer(200, "")
	if p.Sleep() != Stay {
		t.Error("a reactor with news sleeps")
	}
	p.Turn()
	p.Post(func() {})
	if p.Sleep() != Stay {
		t.Error("a reactor with mail sleeps")
	}
}

func TestQueueDeadline(t *testing.T) {
	c := config(1, 1)
	c.QueueTimeout = time.Nanosecond
	b, w := newTestBridge(t, c)
	p := b.ports[0]
	var clients []*fakeClient
	for range 3 + surplus { // the last two in the line, the others in the inbox
		clients = append(clients, begin(p, "/"))
	}
	begun := w[0].claim()
	b.dispatch.overdue(time.Now().Add(time.Second))
	p.Turn()
	for i, c := range clients {
		if want := i > 0; (c.state == Overdue) != want {
			t.Errorf("request %d: state %v", i, c.state)
		}
	}
	if w[0].claim() != nil {
		t.Error("a request that was answered can be begun")
	}
	begun.answer(200, "")
	p.Turn()
	if clients[0].state != Finished {
		t.Errorf("the request that was begun: state %v", clients[0].state)
	}
	expectIdle(t, b)
}

func TestPagesOfIdleStreamsAreGivenBack(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	c := begin(p, "/")
	w[0].claim().answer(200, "x")
	p.Turn()
	r := b.dispatch.gen.runs[0]
	if c.state != Finished || !r.dirty || b.dispatch.gen.seg.requestBytes(0)[0] == 0 {
		t.Fatal("stream 0 was not used")
	}
	b.dispatch.trim(time.Now().Add(time.Hour))
	if r.dirty || b.dispatch.gen.seg.requestBytes(0)[0] != 0 {
		t.Error("the pages are still there")
	}
	expectIdle(t, b)
}

// A start that fails buries the workers that were ready just then, although no reactor turns.
func TestFailedStartBuriesWhoWasReady(t *testing.T) {
	b, _ := newTestBridge(t, config(2, 3))
	g := b.dispatch.gen
	for _, s := range g.slots {
		g.keepers.Go(func() { g.bury(s) })
	}
	b.endUnserved(g)
	if s := b.Stats(); s.Workers != 0 {
		t.Errorf("%d workers are open", s.Workers)
	}
}
