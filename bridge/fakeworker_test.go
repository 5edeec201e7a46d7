package bridge

import (
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// A fakeWorker is the worker's side of the bridge in Go, one step at a time, so that
// tests can stop it between any two.
type fakeWorker struct {
	t     *testing.T
	slot  *slot
	taken uint32
	says  int    // the worker's end of its socket; 0: it has none yet
	files [2]int // that a hostile one sends
}

// claimed is a stream that the fake worker runs.
type claimed struct {
	w      *fakeWorker
	stream uint32
	word   uint64
}

// newTestBridge is a bridge without processes: slots are opened by hand.
func newTestBridge(t *testing.T, c Config) (*Bridge, []*fakeWorker) {
	t.Helper()
	c.Log = zerolog.New(zerolog.NewTestWriter(t))
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	b, gen, err := newBridge(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	var workers []*fakeWorker
	for _, s := range gen.slots {
		workers = append(workers, startFake(t, b, s))
	}
	return b, workers
}

func startFake(t *testing.T, b *Bridge, s *slot) *fakeWorker {
	incarnation := s.gen.incarnations.Add(1)
	shared := s.gen.seg.worker(s.index)
	atomic.StoreUint32(&shared.Put, 0)
	atomic.StoreUint32(&shared.Taken, 0)
	atomic.StoreUint32(&shared.Incarnation, incarnation)
	b.dispatch.mu.Lock()
	s.incarnation, s.open, s.finished = incarnation, true, 0
	b.dispatch.mu.Unlock()
	for _, p := range b.ports {
		p.rouse()
	}
	return &fakeWorker{t: t, slot: s}
}

// claim takes hints until one is won; nil when the inbox is empty.
func (w *fakeWorker) claim() *claimed {
	g := w.slot.gen.seg
	shared := g.worker(w.slot.index)
	for w.taken != atomic.LoadUint32(&shared.Put) {
		h := *g.hint(w.slot.index, w.taken)
		w.taken++
		atomic.StoreUint32(&shared.Taken, w.taken)
		running := pyhost.Word(pyhost.StateRunning, pyhost.WordIncarnation(h.Word), pyhost.WordSequence(h.Word))
		if atomic.CompareAndSwapUint64(&g.stream(h.Stream).Word, h.Word, running) {
			return &claimed{w: w, stream: h.Stream, word: running}
		}
		(&claimed{w: w, stream: h.Stream}).news() // there is room in the inbox
	}
	return nil
}

func (c *claimed) seg() *segment { return c.w.slot.gen.seg }

// read returns up to n bytes of the request pipe.
func (c *claimed) read(n int) []byte {
	p := &c.seg().stream(c.stream).Request
	a, b, err := pipePeek(p, c.seg().requestBytes(c.stream))
	if err != nil {
		c.w.t.Fatal(err)
	}
	out := append(append([]byte{}, a...), b...)
	if len(out) > n {
		out = out[:n]
	}
	pipeSkip(p, len(out))
	if len(out) > 0 && atomic.LoadUint32(&p.WriterWaits) != 0 {
		c.news()
	}
	return out
}

// head reads the request head and returns its variables.
func (c *claimed) head() map[string]string {
	fixed := c.read(pyhost.RequestHeadSize)
	size := int(binary.LittleEndian.Uint32(fixed))
	return decodeVariables(c.w.t, c.read(size-pyhost.RequestHeadSize), int(binary.LittleEndian.Uint16(fixed[4:])))
}

func decodeVariables(t *testing.T, b []byte, count int) map[string]string {
	out := map[string]string{}
	for range count {
		name, value := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint32(b[4:]))
		b = b[pyhost.VariableSize:]
		if _, twice := out[string(b[:name])]; twice {
			t.Errorf("variable %s comes twice", b[:name])
		}
		out[string(b[:name])] = string(b[name : name+value])
		b = b[name+value:]
	}
	if len(b) != 0 {
		t.Errorf("%d bytes behind the variables", len(b))
	}
	return out
}

// write puts raw bytes into the response pipe and gives news; it returns how many fit.
func (c *claimed) write(b []byte) int {
	n, err := pipeWrite(&c.seg().stream(c.stream).Response, c.seg().responseBytes(c.stream), b)
	if err != nil {
		c.w.t.Fatal(err)
	}
	c.news()
	return n
}

// answer writes a whole small response and finishes.
func (c *claimed) answer(status int, body string) {
	b := appendTestHead(nil, status, "OK", []string{"Content-Type: text/plain"}, int64(len(body)))
	b = appendRecord(b, pyhost.RecordBody, []byte(body))
	if n := c.write(b); n != len(b) {
		c.w.t.Fatalf("only %d of %d bytes fit", n, len(b))
	}
	c.finish(pyhost.OutcomeFinished)
}

func (c *claimed) finish(outcome uint32) {
	s := c.seg().stream(c.stream)
	atomic.StoreUint32(&s.Outcome, outcome)
	done := pyhost.Word(pyhost.StateDone, pyhost.WordIncarnation(c.word), pyhost.WordSequence(c.word))
	if !atomic.CompareAndSwapUint64(&s.Word, c.word, done) {
		c.w.t.Error("a running stream was taken from its worker")
	}
	c.news()
}

func (c *claimed) news() {
	g := c.seg()
	reactor := int(g.stream(c.stream).Reactor) % g.reactors // a hostile worker writes there too
	g.news(c.w.slot.index, reactor, pyhost.ToFront).set(c.stream)
}

func appendRecord(b []byte, kind uint32, payload []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}

func appendTestHead(b []byte, status int, reason string, lines []string, length int64) []byte {
	var table, text []byte
	for _, l := range lines {
		name := 0
		for name < len(l) && l[name] != ':' {
			name++
		}
		table = binary.LittleEndian.AppendUint32(table, uint32(len(text)))
		table = binary.LittleEndian.AppendUint32(table, uint32(name))
		text = append(append(text, l...), "\r\n"...)
	}
	var h []byte
	h = binary.LittleEndian.AppendUint16(h, uint16(status))
	h = binary.LittleEndian.AppendUint16(h, uint16(len(lines)))
	h = binary.LittleEndian.AppendUint32(h, 0)
	h = binary.LittleEndian.AppendUint64(h, uint64(length))
	h = binary.LittleEndian.AppendUint32(h, uint32(len(reason)))
	h = binary.LittleEndian.AppendUint32(h, uint32(len(text)))
	h = append(append(append(h, table...), reason...), text...)
	if status == earlyHints {
		return appendRecord(b, pyhost.RecordHints, h)
	}
	return appendRecord(b, pyhost.RecordHead, h)
}

// fakeClient is a connection: it collects the answer.
type fakeClient struct {
	x        Exchange
	name     string
	body     []byte
	hints    []string // lines of each
	file     File     // the last one
	files    int
	state    State
	progress int
	leave    bool // leaves as soon as the answer is there
	ended    int  // how often EndStream was called
	cut      string
}

func (c *fakeClient) Describe() string { return c.name }

func (c *fakeClient) EndStream() string {
	c.ended++
	return c.cut
}

func (c *fakeClient) Progress() {
	c.progress++
	head := c.x.Head()
	for h := c.x.Hints(); h != nil; h = c.x.Hints() {
		c.hints = append(c.hints, string(h.Lines))
		head = c.x.Head()
	}
	if head != nil {
		for {
			a, b := c.x.Body()
			if len(a) == 0 {
				break
			}
			c.body = append(append(c.body, a...), b...)
			c.x.Advance(len(a) + len(b))
		}
		if f, ok := c.x.File(); ok {
			c.file, c.files = f, c.files+1
			b := make([]byte, min(f.Length, 1<<20))
			n, _ := unix.Pread(f.FD, b, f.Offset)
			c.body = append(c.body, b[:max(n, 0)]...)
			unix.Close(f.FD)
			c.Progress()
			return
		}
	}
	if c.state = c.x.State(); c.state != Waiting && c.leave {
		c.x.Leave()
	}
}

func hello(path string) *Request {
	return &Request{Method: []byte("GET"), Target: []byte(path), Path: []byte(path), Minor: 1,
		Fields: []Field{{Name: []byte("Host"), Value: []byte("example.org")}},
		Peer:   &Peer{RemoteAddr: "127.0.0.1", RemotePort: "4711", ServerName: "localhost", ServerPort: "8000", Scheme: "http"}}
}

// begin starts a request as a new client.
func begin(p *Port, path string) *fakeClient {
	c := &fakeClient{name: "GET " + path, leave: true}
	p.Begin(&c.x, hello(path), c)
	return c
}

// kill buries a worker as the supervisor does, turning the ports meanwhile.
func kill(b *Bridge, s *slot) (lost []string) {
	gone := make(chan struct{})
	go func() { lost, _ = s.gen.bury(s); close(gone) }()
	for {
		for _, p := range b.ports {
			p.Turn()
		}
		select {
		case <-gone:
			return lost
		case <-time.After(time.Millisecond):
		}
	}
}
