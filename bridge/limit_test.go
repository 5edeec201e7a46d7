package bridge

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

func limited(workers, reactors int) Config {
	c := config(workers, reactors)
	c.Threads, c.RequestTimeout, c.SlowRequest = 4, time.Minute, 10*time.Second
	return c
}

// turnAll turns every port until nobody has anything left to do.
func turnAll(b *Bridge) {
	for range 3 {
		for _, p := range b.ports {
			p.Turn()
			p.Flush()
		}
	}
}

// after looks at the runs as they are after d, the beginning being when they are first seen.
func after(b *Bridge, d time.Duration) {
	begin := time.Unix(1000, 0)
	b.lookAtRuns(begin.Add(d))
	turnAll(b)
}

func TestRequestTimeout(t *testing.T) {
	for _, reactors := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d reactors", reactors), func(t *testing.T) {
			b, w := newTestBridge(t, limited(2, reactors))
			s := w[0].slot
			var clients []*fakeClient
			for i := range 20 { // the even ones are the first worker's
				clients = append(clients, begin(b.ports[i%reactors], fmt.Sprintf("/%d", i)))
			}
			w[0].claim() // which gets stuck
			other := w[0].claim()
			after(b, 0)
			late := w[0].claim()
			after(b, time.Second)
			after(b, 59*time.Second)
			for i, c := range clients {
				if c.state != Waiting {
					t.Fatalf("request %d before the limit: %v", i, c.state)
				}
			}
			other.answer(200, "in time") // not seen yet when the time is over
			after(b, time.Minute)
			if clients[0].state != Overrun || clients[2].state != Finished || clients[4].state != Waiting {
				t.Errorf("states %v, %v and %v", clients[0].state, clients[2].state, clients[4].state)
			}
			if w[0].claim() != nil {
				t.Error("the worker still gets requests")
			}
			if begin(b.ports[0], "/new"); s.inflight != 2 {
				t.Errorf("%d requests are with the worker", s.inflight)
			}
			if !s.gen.runsElse(s, s.incarnation) {
				t.Error("the request that has time left does not count")
			}
			late.answer(200, "late")
			turnAll(b)
			if clients[4].state != Finished || s.gen.runsElse(s, s.incarnation) {
				t.Errorf("state %v; does it still run? %v", clients[4].state, s.gen.runsElse(s, s.incarnation))
			}
			if lost := kill(b, s); len(lost) != 0 {
				t.Errorf("lost: %q", lost)
			}
			served := 0
			for range 20 { // all that was taken back, by the other worker
				for run := w[1].claim(); run != nil; run = w[1].claim() {
					run.answer(200, "fine")
					served++
				}
				turnAll(b)
			}
			if served != 18 {
				t.Errorf("the other worker has served %d", served)
			}
			if startFake(t, b, s); s.expired {
				t.Error("the next worker is taken for the one that was killed")
			}
			expectIdle(t, b)
		})
	}
}

// A request that comes to its end before its reactor has heard of the limit is no reason
// to end the worker.
func TestRequestTimeoutTooLate(t *testing.T) {
	b, w := newTestBridge(t, limited(1, 1))
	c := begin(b.ports[0], "/")
	run := w[0].claim()
	after(b, 0)
	b.lookAtRuns(time.Unix(1000, 0).Add(time.Hour))
	run.answer(200, "just in time")
	turnAll(b)
	if c.state != Finished || !w[0].slot.open {
		t.Errorf("state %v, open %v", c.state, w[0].slot.open)
	}
	// The stream's next use has its own time.
	c = begin(b.ports[0], "/next")
	run = w[0].claim()
	after(b, 2*time.Hour)
	if c.state != Waiting {
		t.Errorf("the next request: %v", c.state)
	}
	run.answer(200, "")
	turnAll(b)
	expectIdle(t, b)
}

// Its client has left, but it runs on and holds a thread.
func TestRequestTimeoutWithoutClient(t *testing.T) {
	b, w := newTestBridge(t, limited(1, 1))
	c := begin(b.ports[0], "/")
	w[0].claim()
	after(b, 0)
	c.x.Leave()
	after(b, time.Minute)
	if w[0].slot.open || !w[0].slot.expired {
		t.Error("the worker that is stuck still gets requests")
	}
	kill(b, w[0].slot)
	expectIdle(t, b)
}

// A part of the answer has gone out: no more of it does, though the worker writes on.
func TestRequestTimeoutAmidTheAnswer(t *testing.T) {
	b, w := newTestBridge(t, limited(1, 1))
	c := begin(b.ports[0], "/")
	run := w[0].claim()
	run.write(appendRecord(appendTestHead(nil, 200, "OK", nil, -1), pyhost.RecordBody, []byte("begun")))
	after(b, 0)
	c.leave = false // its client is slow to take what it was sent
	after(b, time.Minute)
	run.write(appendRecord(nil, pyhost.RecordBody, []byte("more")))
	turnAll(b)
	if c.state != Overrun || string(c.body) != "begun" {
		t.Errorf("state %v, body %q", c.state, c.body)
	}
	kill(b, w[0].slot)
	if c.state != Overrun {
		t.Errorf("after the death: %v", c.state)
	}
	c.x.Leave()
	expectIdle(t, b)
}

func TestSlowRequestIsToldOnce(t *testing.T) {
	b, w := newTestBridge(t, limited(1, 1))
	c := begin(b.ports[0], "/")
	run := w[0].claim()
	after(b, 0)
	for _, seconds := range []time.Duration{9, 10, 11, 50} {
		after(b, seconds*time.Second)
		if told := c.x.run.watched.slow; told != (seconds >= 10) {
			t.Errorf("after %d seconds: told %v", seconds, told)
		}
	}
	run.answer(200, "slow")
	turnAll(b)
	if c.state != Finished || !w[0].slot.open {
		t.Errorf("state %v", c.state)
	}
	expectIdle(t, b)
}

func TestEvidence(t *testing.T) {
	e, err := newEvidence()
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	thread := func(name string) string {
		return fmt.Sprintf("Thread 0x%s (most recent call first):\n  File \"%s.py\", line 1 in f\n", name, name)
	}
	for _, c := range []struct{ written, want string }{
		{"", ""},
		{"Fatal Python error: Aborted\n\n" + thread("a"), "Fatal Python error: Aborted\n\n" + strings.TrimSpace(thread("a"))},
		{"Thread 0x1 (most recent call first):\n  <no Python frame>\n\n" + thread("b"), strings.TrimSpace(thread("b"))},
		{strings.Repeat("x", evidenceSize), strings.Repeat("x", evidenceSize)},
		{strings.Repeat("x", 2*evidenceSize), strings.Repeat("x", evidenceSize) + "\n(the rest is left out)"},
		{thread("c"), strings.TrimSpace(thread("c"))}, // the file was emptied meanwhile
	} {
		if _, err := e.file.WriteString(c.written); err != nil {
			t.Fatal(err)
		}
		if got := e.take(); got != c.want {
			t.Errorf("of %.100q it takes %.100q", c.written, got)
		}
	}
}

// A template that dies when it is to fork is not waited for, though a process that it has left
// behind has its socket; what it has said before counts.
func TestTemplateDiesInSpawn(t *testing.T) {
	b, _ := newTestBridge(t, config(1, 1))
	for _, when := range []string{"before", "asked", "answered"} {
		ours, theirs, err := pyhost.SocketPair()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(err)
		defer theirs.Close() // as the heir's
		must(unix.SetNonblock(ours, true))
		process := exec.Command("/bin/sleep", "600")
		must(process.Start())
		defer process.Wait()
		pidfd, err := unix.PidfdOpen(process.Process.Pid, unix.PIDFD_NONBLOCK)
		must(err)
		w := &worker{control: os.NewFile(uintptr(ours), "template"), pidfd: os.NewFile(uintptr(pidfd), "pidfd")}
		defer w.control.Close()
		defer w.pidfd.Close()
		if when == "before" {
			must(process.Process.Kill())
			w.hushWhenDead()
		} else {
			go w.hushWhenDead()
		}
		go func() {
			asked, fds, err := pyhost.Receive(int(theirs.Fd()), make([]byte, pyhost.MaxMessage))
			closeAll(fds)
			if err == nil && when == "answered" {
				err = pyhost.Send(int(theirs.Fd()), &pyhost.Message{Kind: pyhost.MsgSpawned, A: asked.A})
			}
			if err != nil {
				t.Error(err)
			}
			process.Process.Kill()
		}()
		made := template{gen: b.dispatch.gen, process: w}
		began := time.Now()
		err = made.ask(&pyhost.Message{Kind: pyhost.MsgSpawn, A: 7}, int(theirs.Fd()))
		if when == "answered" && err != nil || when != "answered" && (!errors.Is(err, errTemplateGone) || !strings.Contains(err.Error(), "it has died")) {
			t.Errorf("%s: %v", when, err)
		}
		if took := time.Since(began); took > pyhost.SpawnLimit/2 {
			t.Errorf("%s: it took %v", when, took)
		}
	}
}

// A template that has imported the application while it was asked where it hangs is not
// killed for being late, nor is the worker that it becomes.
func TestTemplateIsReadyAtTheLimit(t *testing.T) {
	b, _ := newTestBridge(t, config(1, 1))
	g := b.dispatch.gen
	ours, theirs, err := pyhost.SocketPair()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	defer theirs.Close()
	must(unix.SetNonblock(ours, true))
	evidence, err := newEvidence()
	must(err)
	w := &worker{control: os.NewFile(uintptr(ours), "template"), evidence: evidence}
	defer w.control.Close()
	defer evidence.close()

	over := make(chan struct{})
	go func() { g.endLate(nil, w); close(over) }()
	asked, _, err := pyhost.Receive(int(theirs.Fd()), make([]byte, pyhost.MaxMessage))
	if must(err); asked.Kind != pyhost.MsgStacks {
		t.Fatalf("message %d came", asked.Kind)
	}
	must(pyhost.Send(int(theirs.Fd()), &pyhost.Message{Kind: pyhost.MsgImported, A: 1}))
	m, err := g.template.awaitImport(w)
	if must(err); m.Kind != pyhost.MsgImported {
		t.Fatalf("message %d ended the wait", m.Kind)
	}
	w.evidence.answer("nobody answers any more")
	<-over
	if w.late {
		t.Error("it was killed")
	}
}
