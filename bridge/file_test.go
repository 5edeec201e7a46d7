package bridge

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// connect gives the fake worker its socket; what it says there lies unheard.
func (w *fakeWorker) connect() {
	if w.says != 0 {
		return
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.says = pair[1]
	real := &worker{incarnation: w.slot.incarnation, slot: w.slot, control: os.NewFile(uintptr(pair[0]), "worker")}
	d := &w.slot.gen.bridge.dispatch
	d.mu.Lock()
	w.slot.worker = real
	d.mu.Unlock()
	w.t.Cleanup(func() { real.control.Close(); unix.Close(pair[1]) })
}

// say sends a message; one for which there is no room is lost.
func (w *fakeWorker) say(m *pyhost.Message, fds ...int) {
	w.connect()
	if err := pyhost.Send(w.says, m, fds...); err != nil && err != unix.EAGAIN {
		w.t.Fatal(err)
	}
}

// heard has the front take what the worker has said, as the goroutine that listens does.
func (w *fakeWorker) heard() {
	w.connect()
	raw, err := w.slot.worker.control.SyscallConn()
	if err != nil {
		w.t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		for w.slot.gen.hear(w.slot, w.slot.worker, int(fd)) == nil {
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// pass sends a descriptor for the stream.
func (c *claimed) pass(fd int) {
	c.w.say(&pyhost.Message{Kind: pyhost.MsgFile, A: uint64(c.stream), B: c.word}, fd)
}

func appendFileRecord(b []byte, offset, length uint64) []byte {
	payload := binary.LittleEndian.AppendUint64(nil, offset)
	return appendRecord(b, pyhost.RecordFile, binary.LittleEndian.AppendUint64(payload, length))
}

// answerFile writes a response of a file piece, and finishes.
func (c *claimed) answerFile(offset, length uint64) {
	c.write(appendFileRecord(appendTestHead(nil, 200, "OK", nil, int64(length)), offset, length))
	c.finish(pyhost.OutcomeFinished)
}

const testFile = "the bytes of a file"

// testFiles returns a regular file and a pipe.
func testFiles(t testing.TB) (file, pipe int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kept by a test")
	if err := os.WriteFile(path, []byte(testFile), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(file); unix.Close(ends[0]); unix.Close(ends[1]) })
	return file, ends[0]
}

// wantOpen waits until as many descriptors of the test's files are open as it has itself.
func wantOpen(t *testing.T, want int) {
	t.Helper()
	count := func() (n int) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.Contains(to, t.Name()) {
				n++
			}
		}
		return n
	}
	for end := time.Now().Add(time.Minute); count() > want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors are open, want %d", count(), want)
		}
	}
}

func TestFile(t *testing.T) {
	for _, listened := range []bool{false, true} {
		t.Run(fmt.Sprintf("listened %v", listened), func(t *testing.T) {
			b, w := newTestBridge(t, config(1, 1))
			p := b.ports[0]
			file, _ := testFiles(t)
			for i := range 20 {
				c := begin(p, "/")
				run := w[0].claim()
				run.pass(file)
				if listened {
					w[0].heard()
				}
				out := appendTestHead(nil, 200, "OK", nil, -1)
				out = appendRecord(out, pyhost.RecordBody, []byte("before, "))
				out = appendFileRecord(out, 4, 5)
				out = appendRecord(out, pyhost.RecordBody, []byte(", behind"))
				for at := range out { // byte by byte in one round, whole in the others
					if i > 0 {
						run.write(out)
						break
					}
					run.write(out[at : at+1])
					p.Turn()
				}
				run.finish(pyhost.OutcomeFinished)
				p.Turn()
				if c.state != Finished || string(c.body) != "before, bytes, behind" {
					t.Fatalf("state %v, body %q", c.state, c.body)
				}
			}
			expectIdle(t, b)
			wantOpen(t, 1)
		})
	}
}

// What a worker may not send for a stream is closed, and the response that names it is cut.
func TestFilesThatAreRefused(t *testing.T) {
	type act func(t *testing.T, b *Bridge, w *fakeWorker, run *claimed, file, pipe int)
	message := func(change func(m *pyhost.Message)) act {
		return func(t *testing.T, b *Bridge, w *fakeWorker, run *claimed, file, pipe int) {
			m := &pyhost.Message{Kind: pyhost.MsgFile, A: uint64(run.stream), B: run.word}
			change(m)
			w.say(m, file)
		}
	}
	for name, say := range map[string]act{
		"none":   func(*testing.T, *Bridge, *fakeWorker, *claimed, int, int) {},
		"a pipe": func(t *testing.T, b *Bridge, w *fakeWorker, run *claimed, file, pipe int) { run.pass(pipe) },
		"no descriptor": func(t *testing.T, b *Bridge, w *fakeWorker, run *claimed, file, pipe int) {
			w.say(&pyhost.Message{Kind: pyhost.MsgFile, A: uint64(run.stream), B: run.word})
		},
		"two beside one message": func(t *testing.T, b *Bridge, w *fakeWorker, run *claimed, file, pipe int) {
			w.say(&pyhost.Message{Kind: pyhost.MsgFile, A: uint64(run.stream), B: run.word}, file, file)
		},
		"more than a message may have": func(t *testing.T, b *Bridge, w *fakeWorker, run *claimed, file, pipe int) {
			w.say(&pyhost.Message{Kind: pyhost.MsgFile, A: uint64(run.stream), B: run.word}, slices.Repeat([]int{file}, pyhost.MaxDescriptors+1)...)
		},
		"another kind":        message(func(m *pyhost.Message) { m.Kind = 99 }),
		"no stream":           message(func(m *pyhost.Message) { m.A = 1 << 40 }),
		"a free stream":       message(func(m *pyhost.Message) { m.A += 7 }),
		"another sequence":    message(func(m *pyhost.Message) { m.B-- }),
		"another incarnation": message(func(m *pyhost.Message) { m.B += 1 << pyhost.IncarnationShift }),
		"another state":       message(func(m *pyhost.Message) { m.B += 1 << pyhost.StateShift }),
	} {
		t.Run(name, func(t *testing.T) {
			b, w := newTestBridge(t, config(1, 1))
			p := b.ports[0]
			file, pipe := testFiles(t)
			c := begin(p, "/")
			run := w[0].claim()
			say(t, b, w[0], run, file, pipe)
			run.answerFile(0, 5)
			p.Turn()
			if c.state != Aborted || c.files != 0 {
				t.Errorf("state %v, %d files", c.state, c.files)
			}
			expectIdle(t, b)
			wantOpen(t, 1)
		})
	}
}

// A worker's claim to a stream that it has not begun, or that another worker runs.
func TestFilesForOthersStreams(t *testing.T) {
	b, w := newTestBridge(t, config(2, 1))
	p := b.ports[0]
	file, _ := testFiles(t)
	clients := []*fakeClient{begin(p, "/0"), begin(p, "/1"), begin(p, "/2")}
	mine, other := w[0].claim(), w[1].claim()
	queued := &claimed{w: w[0], stream: 2}
	queued.word = pyhost.Word(pyhost.StateRunning, w[0].slot.incarnation, pyhost.WordSequence(b.dispatch.gen.runs[2].word))
	queued.pass(file)
	(&claimed{w: w[0], stream: other.stream, word: other.word}).pass(file)
	(&claimed{w: w[0], stream: other.stream, word: mine.word}).pass(file)
	w[0].heard()
	for _, r := range b.dispatch.gen.runs {
		if r.file.held {
			t.Errorf("stream %d holds a file", r.stream)
		}
	}
	for _, run := range []*claimed{mine, other, w[0].claim()} {
		run.pass(file)
		run.answerFile(0, 3)
		p.Turn()
	}
	for i, c := range clients {
		if c.state != Finished || string(c.body) != "the" {
			t.Errorf("client %d: state %v, body %q", i, c.state, c.body)
		}
	}
	expectIdle(t, b)
	wantOpen(t, 1)
}

// Of two descriptors the first one counts. The second is closed, and so is missed.
func TestSecondFile(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	file, pipe := testFiles(t)
	c := begin(p, "/")
	run := w[0].claim()
	run.pass(file)
	run.pass(file)
	w[0].heard()
	run.write(appendFileRecord(appendTestHead(nil, 200, "OK", nil, -1), 0, 3))
	p.Turn()
	run.pass(pipe)
	w[0].heard()
	if b.dispatch.gen.runs[run.stream].file.held {
		t.Error("a second descriptor is held")
	}
	run.write(appendFileRecord(nil, 0, 3))
	run.finish(pyhost.OutcomeFinished)
	p.Turn()
	if c.state != Aborted || string(c.body) != "the" {
		t.Errorf("state %v, body %q", c.state, c.body)
	}
	expectIdle(t, b)
	wantOpen(t, 1)
}

// A response of several files: each descriptor comes when the record before it was read, heard
// by whoever listens or by who comes to the record.
func TestSeveralFiles(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	file, _ := testFiles(t)
	for round := range 4 {
		c := begin(p, "/")
		run := w[0].claim()
		run.write(appendTestHead(nil, 200, "OK", nil, -1))
		for i := range 3 {
			run.pass(file)
			if (round>>i)&1 == 0 {
				w[0].heard()
			}
			run.write(appendRecord(appendFileRecord(nil, uint64(4*i), 4), pyhost.RecordBody, []byte("|")))
			if r := b.dispatch.gen.runs[run.stream]; i < 2 {
				if p.Turn(); r.file.held {
					t.Fatal("a descriptor is held whose record was read")
				}
			}
		}
		run.finish(pyhost.OutcomeFinished)
		p.Turn()
		if want := testFile[:4] + "|" + testFile[4:8] + "|" + testFile[8:12] + "|"; c.state != Finished || string(c.body) != want {
			t.Errorf("state %v, body %q, want %q", c.state, c.body, want)
		}
	}
	expectIdle(t, b)
	wantOpen(t, 1)
}

// Pieces that no file can have, and a record that is not whole at the end.
func TestFileRecordsThatMakeNoSense(t *testing.T) {
	head := appendTestHead(nil, 200, "OK", nil, -1)
	for name, out := range map[string][]byte{
		"negative offset": appendFileRecord(head, 1<<63, 5),
		"negative length": appendFileRecord(head, 0, 1<<63),
		"sum too large":   appendFileRecord(head, 1<<62, 1<<62),
		"too short":       appendRecord(head, pyhost.RecordFile, make([]byte, 15)),
		"too long":        appendRecord(head, pyhost.RecordFile, make([]byte, 17)),
		"no payload":      appendFileRecord(head, 0, 5)[:len(head)+pyhost.RecordSize],
		"half a payload":  appendFileRecord(head, 0, 5)[:len(head)+pyhost.RecordSize+8],
		"half a header":   appendFileRecord(head, 0, 5)[:len(head)+4],
		"before the head": appendFileRecord(nil, 0, 5),
	} {
		t.Run(name, func(t *testing.T) {
			b, w := newTestBridge(t, config(1, 1))
			file, _ := testFiles(t)
			c := begin(b.ports[0], "/")
			run := w[0].claim()
			run.pass(file)
			run.write(bytes.Clone(out))
			run.finish(pyhost.OutcomeFinished)
			b.ports[0].Turn()
			if c.state != Aborted || c.files != 0 {
				t.Errorf("state %v, %d files", c.state, c.files)
			}
			w[0].heard()
			expectIdle(t, b)
			wantOpen(t, 1)
		})
	}
}

// Every end that a stream can come to closes what it holds.
func TestHeldFilesAreClosed(t *testing.T) {
	for name, end := range map[string]func(b *Bridge, w *fakeWorker, c *fakeClient, run *claimed){
		"answered without it": func(b *Bridge, w *fakeWorker, c *fakeClient, run *claimed) {
			run.answer(200, "no file")
		},
		"cut": func(b *Bridge, w *fakeWorker, c *fakeClient, run *claimed) {
			run.finish(pyhost.OutcomeAborted)
		},
		"client gone": func(b *Bridge, w *fakeWorker, c *fakeClient, run *claimed) {
			c.x.Leave()
			run.pass(0) // nobody wants another one
			w.heard()
			run.answerFile(0, 3)
		},
		"client gone amid the record": func(b *Bridge, w *fakeWorker, c *fakeClient, run *claimed) {
			run.write(appendTestHead(nil, 200, "OK", nil, -1))
			run.write(appendFileRecord(nil, 0, 3)[:12])
			b.ports[0].Turn()
			c.x.Leave()
			run.finish(pyhost.OutcomeAborted)
		},
		"client gone before it takes the file": func(b *Bridge, w *fakeWorker, c *fakeClient, run *claimed) {
			run.write(appendFileRecord(appendTestHead(nil, 200, "OK", nil, -1), 0, 3))
			if c.x.Head(); !c.x.in.fileDue {
				c.x.Body()
			}
			c.x.Leave()
			run.finish(pyhost.OutcomeFinished)
		},
		"worker dead before the record": func(b *Bridge, w *fakeWorker, c *fakeClient, run *claimed) {
			kill(b, w.slot)
		},
		"worker dead behind the record": func(b *Bridge, w *fakeWorker, c *fakeClient, run *claimed) {
			run.write(appendFileRecord(appendTestHead(nil, 200, "OK", nil, 3), 0, 3))
			kill(b, w.slot)
		},
		"worker dead, client gone": func(b *Bridge, w *fakeWorker, c *fakeClient, run *claimed) {
			c.x.Leave()
			kill(b, w.slot)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, w := newTestBridge(t, config(1, 1))
			file, _ := testFiles(t)
			c := begin(b.ports[0], "/")
			run := w[0].claim()
			run.pass(file)
			w[0].heard()
			if !b.dispatch.gen.runs[run.stream].file.held {
				t.Fatal("it is not held")
			}
			end(b, w[0], c, run)
			b.ports[0].Turn()
			c.x.Leave()
			expectIdle(t, b)
			wantOpen(t, 1)
		})
	}
}

// A worker that was DONE may die: what it sent is as good as before, whoever hears of it.
func TestFileOfDeadWorker(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	file, _ := testFiles(t)
	c := begin(b.ports[0], "/")
	run := w[0].claim()
	run.pass(file)
	run.answerFile(4, 5)
	w[0].heard() // as its listener has before it is buried
	kill(b, w[0].slot)
	if c.state != Finished || string(c.body) != "bytes" {
		t.Errorf("state %v, body %q", c.state, c.body)
	}
	expectIdle(t, b)
	wantOpen(t, 1)
}

// A descriptor that comes late, when the stream is another request's, is not that one's.
func TestLateFile(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	file, _ := testFiles(t)
	old := begin(p, "/old")
	run := w[0].claim()
	run.pass(file) // unheard
	old.x.Leave()
	run.finish(pyhost.OutcomeAborted)
	p.Turn()
	c := begin(p, "/new")
	again := w[0].claim()
	if again.stream != run.stream {
		t.Fatalf("stream %d is used, not %d again", again.stream, run.stream)
	}
	w[0].heard()
	again.answerFile(0, 3)
	p.Turn()
	if c.state != Aborted || c.files != 0 {
		t.Errorf("state %v, %d files", c.state, c.files)
	}
	expectIdle(t, b)
	wantOpen(t, 1)
}
