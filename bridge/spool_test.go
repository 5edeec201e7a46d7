package bridge

import (
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// hold begins a request whose body is taken in first, and submits it with the test's file.
func hold(t *testing.T, p *Port, length int64) *fakeClient {
	t.Helper()
	c := &fakeClient{name: "POST /", leave: true}
	r := hello("/")
	r.BodyLength = length
	if length < 0 {
		r.Fields = append(r.Fields, Field{[]byte("Transfer-Encoding"), []byte("chunked")})
	} else {
		r.Fields = append(r.Fields, Field{[]byte("Content-Length"), []byte("19")})
	}
	p.Hold(&c.x, r, c)
	return c
}

// submit gives the body as the test's file.
func (c *fakeClient) submit(t *testing.T, p *Port, file int) {
	t.Helper()
	own, err := unix.FcntlInt(uintptr(file), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.Submit(&c.x, int64(len(testFile)), own)
}

// want has the worker wait for the body's file.
func (c *claimed) want() {
	atomic.StoreUint32(&c.seg().stream(c.stream).Request.ReaderWaits, pyhost.WaitsFile)
	c.news()
}

// passed receives what the front has sent to the worker: the file for this very run.
func (c *claimed) passed(t *testing.T) (text string, ok bool) {
	t.Helper()
	m, fds, err := pyhost.Receive(c.w.says, make([]byte, pyhost.MaxMessage))
	if err == unix.EAGAIN {
		return "", false
	}
	if err != nil || m.Kind != pyhost.MsgBody || m.A != uint64(c.stream) || m.B != c.word || len(fds) != 1 {
		t.Fatalf("the front has sent %+v with %d descriptors, %v; the run is stream %d, word %x", m, len(fds), err, c.stream, c.word)
	}
	defer unix.Close(fds[0])
	b := make([]byte, 100)
	n, err := unix.Pread(fds[0], b, 0)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n]), true
}

func (c *claimed) told() bool {
	return atomic.LoadUint32(&c.seg().stream(c.stream).Front)&pyhost.BodyPassed != 0
}

// A body's file goes to the worker that runs the request, when it wants it, once.
func TestBodyInFile(t *testing.T) {
	file, _ := testFiles(t)
	for _, length := range []int64{int64(len(testFile)), -1} {
		b, w := newTestBridge(t, config(1, 1))
		p := b.ports[0]
		for range 3 {
			w[0].connect()
			c := hold(t, p, length)
			if w[0].claim() != nil {
				t.Fatal("a worker has a request whose body is not there")
			}
			c.submit(t, p, file)
			run := w[0].claim()
			head := run.head()
			if _, has := head["HTTP_TRANSFER_ENCODING"]; has || head["CONTENT_LENGTH"] != "19" {
				t.Errorf("environ %v", head)
			}
			p.Turn()
			if _, ok := run.passed(t); ok || run.told() {
				t.Fatal("the file was sent to who did not want it")
			}
			run.want()
			p.Turn()
			if text, ok := run.passed(t); !ok || text != testFile || !run.told() {
				t.Fatalf("the body is %q, sent %v, told %v", text, ok, run.told())
			}
			run.want() // a wait that a signal cut short
			p.Turn()
			if _, ok := run.passed(t); ok {
				t.Fatal("the file was sent twice")
			}
			run.answer(200, "hello")
			p.Turn()
			if c.state != Finished {
				t.Errorf("state %v", c.state)
			}
		}
		expectIdle(t, b)
		wantOpen(t, 1)
	}
}

// Whatever comes before a worker wants the file, nobody has it then, and it is closed.
func TestBodyInFileThatNobodyReads(t *testing.T) {
	for name, act := range map[string]func(t *testing.T, b *Bridge, w *fakeWorker, c *fakeClient){
		"held":   func(t *testing.T, b *Bridge, w *fakeWorker, c *fakeClient) { c.x.Leave() },
		"cancel": func(t *testing.T, b *Bridge, w *fakeWorker, c *fakeClient) { c.x.Leave(); w.claim(); b.ports[0].Turn() },
		"running": func(t *testing.T, b *Bridge, w *fakeWorker, c *fakeClient) {
			run := w.claim()
			c.x.Leave()
			run.want()
			b.ports[0].Turn()
			run.finish(0)
			b.ports[0].Turn()
		},
		"answer": func(t *testing.T, b *Bridge, w *fakeWorker, c *fakeClient) {
			w.claim().answer(200, "x")
			b.ports[0].Turn()
		},
		"death": func(t *testing.T, b *Bridge, w *fakeWorker, c *fakeClient) { w.claim().want(); kill(b, w.slot) },
	} {
		t.Run(name, func(t *testing.T) {
			b, w := newTestBridge(t, config(1, 1))
			file, _ := testFiles(t)
			w[0].connect()
			c := hold(t, b.ports[0], 19)
			if name != "held" {
				c.submit(t, b.ports[0], file)
			}
			act(t, b, w[0], c)
			expectIdle(t, b)
			wantOpen(t, 1)
		})
	}
}

// A request that its worker has not begun takes its body along to another one.
func TestBodyInFileMoves(t *testing.T) {
	b, w := newTestBridge(t, config(2, 1))
	p := b.ports[0]
	file, _ := testFiles(t)
	for _, each := range w {
		each.connect()
	}
	c := hold(t, p, 19)
	c.submit(t, p, file)
	first, other := w[0], w[1]
	if c.x.run.slot.Load() != first.slot {
		first, other = other, first
	}
	kill(b, first.slot)
	p.Turn()
	run := other.claim()
	if run == nil {
		t.Fatal("the request has not moved")
	}
	run.head()
	run.want()
	p.Turn()
	if text, ok := run.passed(t); !ok || text != testFile {
		t.Fatalf("the body is %q, sent %v", text, ok)
	}
	run.answer(200, "hello")
	p.Turn()
	expectIdle(t, b)
	wantOpen(t, 1)
}

// A full socket is waited for.
func TestBodyInFileWaitsForTheSocket(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	file, _ := testFiles(t)
	w[0].connect()
	c := hold(t, p, -1)
	c.submit(t, p, file)
	run := w[0].claim()
	stuffed := 0
	for pyhost.Send(int(w[0].slot.worker.fd(t)), &pyhost.Message{Kind: 99}) == nil {
		stuffed++
	}
	run.want()
	p.Turn()
	if run.told() {
		t.Fatal("the file was not sent, and the worker is told that it was")
	}
	for range stuffed {
		if _, _, err := pyhost.Receive(w[0].says, make([]byte, pyhost.MaxMessage)); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(time.Minute); !run.told(); p.Turn() {
		if time.Now().After(end) {
			t.Fatal("the file was never sent")
		}
	}
	if text, ok := run.passed(t); !ok || text != testFile {
		t.Fatalf("the body is %q, sent %v", text, ok)
	}
	run.answer(200, "hello")
	p.Turn()
	expectIdle(t, b)
	wantOpen(t, 1)
}

func (w *worker) fd(t *testing.T) (fd uintptr) {
	t.Helper()
	raw, err := w.control.SyscallConn()
	if err == nil {
		err = raw.Control(func(f uintptr) { fd = f })
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// A chunked body that could not be stored goes on as a stream.
func TestHeldBodyThatStreams(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	c := hold(t, p, -1)
	p.Submit(&c.x, -1, -1)
	run := w[0].claim()
	if head := run.head(); head["HTTP_TRANSFER_ENCODING"] != "chunked" || head["CONTENT_LENGTH"] != "" {
		t.Errorf("environ %v", head)
	}
	if n := c.x.WriteBody([]byte("some")); n != 4 || string(run.read(9)) != "some" {
		t.Errorf("%d bytes were taken", n)
	}
	c.x.EndBody()
	run.answer(200, "x")
	p.Turn()
	expectIdle(t, b)
}
