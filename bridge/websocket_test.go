package bridge

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gobridge/pyhost"
)

// chat is a WebSocket's connection: it collects what the application says.
type chat struct {
	fakeClient
	said []string
	open bool
}

func (c *chat) Progress() {
	if c.open = c.open || c.x.Head() != nil && c.x.Head().Status == accepted; !c.open {
		c.fakeClient.Progress()
		return
	}
	c.listen()
}

// listen notes the messages, with a plus sign behind a piece that is not the last.
func (c *chat) listen() {
	for m := c.x.Message(); m.Kind != NoMessage; m = c.x.Message() {
		switch m.Kind {
		case CloseMessage:
			c.said = append(c.said, fmt.Sprintf("close %d %s", m.Code, m.Reason))
			continue
		case BinaryMessage:
			c.said = append(c.said, "binary")
		}
		text := string(m.A) + string(m.B)
		if len(text) > 20 {
			text = fmt.Sprintf("%d:%s", len(text), text[:3])
		}
		if !m.Last {
			text += "+"
		}
		c.said = append(c.said, text)
		c.x.Advance(len(m.A) + len(m.B))
	}
	c.state = c.x.State()
}

func (c *chat) want(t *testing.T, said ...string) {
	t.Helper()
	if got, want := strings.Join(c.said, " "), strings.Join(said, " "); got != want {
		t.Errorf("the application has said %q, want %q", got, want)
	}
	c.said = nil
}

func handshake(p *Port) (*chat, bool) {
	r := hello("/chat")
	r.WebSocket = true
	c := &chat{fakeClient: fakeClient{name: "GET /chat"}}
	return c, p.Begin(&c.x, r, c)
}

// talk opens a WebSocket and returns both of its ends.
func talk(t *testing.T, b *Bridge, w *fakeWorker) (*chat, *claimed) {
	t.Helper()
	c, ok := handshake(b.ports[0])
	run := w.claim()
	if !ok || run == nil {
		t.Fatal("the handshake was not given to the worker")
	}
	if flags := binary.LittleEndian.Uint16(run.read(pyhost.RequestHeadSize)[6:]); flags&pyhost.RequestWebSocket == 0 {
		t.Fatalf("the handshake's flags are %d", flags)
	}
	run.read(1 << 20)
	run.write(appendTestAccept(nil))
	b.ports[0].Turn()
	if !c.open || c.x.MessageRoom() < 0 {
		t.Fatal("the WebSocket is not open")
	}
	return c, run
}

func appendTestAccept(b []byte) []byte {
	h := appendTestHead(nil, accepted, "", []string{"Sec-WebSocket-Protocol: chat"}, -1)
	binary.LittleEndian.PutUint32(h, pyhost.RecordAccept)
	return append(b, h...)
}

// records takes apart what lies in the request pipe.
func records(t *testing.T, b []byte) (all []string) {
	for len(b) > 0 {
		kind, size := binary.LittleEndian.Uint32(b), int(binary.LittleEndian.Uint32(b[4:]))
		payload := b[pyhost.RecordSize : pyhost.RecordSize+size]
		b = b[pyhost.RecordSize+size:]
		text := map[uint32]string{pyhost.RecordText: "text", pyhost.RecordBinary: "binary", pyhost.RecordClose: "close"}[kind&^pyhost.RecordMore]
		if text == "close" {
			text += fmt.Sprintf(" %d", binary.LittleEndian.Uint16(payload))
			payload = payload[pyhost.CloseSize:]
		}
		if text += " " + string(payload); kind&pyhost.RecordMore != 0 {
			text += "+"
		}
		all = append(all, text)
	}
	return all
}

func closeRecord(code uint16, reason string) []byte {
	return appendRecord(nil, pyhost.RecordClose, append(binary.LittleEndian.AppendUint16(nil, code), reason...))
}

func TestMessages(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	b.style.asgi.Store(true)
	p := b.ports[0]
	if !p.WebSockets() {
		t.Fatal("an ASGI application has no WebSockets")
	}
	c, run := talk(t, b, w[0])
	c.x.WriteMessage(TextMessage, []byte("hel"), false)
	c.x.WriteMessage(TextMessage, []byte("lo"), true)
	c.x.WriteMessage(BinaryMessage, nil, true)
	c.x.WriteClose(4000, []byte("bye"))
	c.x.WriteClose(1006, nil) // only the first one counts
	if got := strings.Join(records(t, run.read(1<<20)), ", "); got != "text hel+, text lo, binary , close 4000 bye" {
		t.Errorf("the worker was given %q", got)
	}
	say := func(kind uint32, text string) []byte { return appendRecord(nil, kind, []byte(text)) }
	run.write(bytes.Join([][]byte{say(pyhost.RecordText, "one"), say(pyhost.RecordText|pyhost.RecordMore, "t"), say(pyhost.RecordText|pyhost.RecordMore, ""),
		say(pyhost.RecordText, "wo"), say(pyhost.RecordBinary, ""), say(pyhost.RecordText, "")}, nil))
	p.Turn()
	c.want(t, "one", "t+", "wo", "binary", "", "")
	// A record that is longer than the pipe comes in pieces, and so does one that is cut anywhere.
	long := say(pyhost.RecordBinary, strings.Repeat("long", 3000))
	for _, n := range []int{3, 8, 12, 4090, 4000, 4000} {
		n = min(n, len(long))
		run.write(long[:n])
		long = long[n:]
		p.Turn()
	}
	if len(long) > 0 || !strings.HasPrefix(strings.Join(c.said, " "), "binary lon+ binary 12:") && len(c.said) < 6 {
		t.Errorf("%d bytes are left, said is %q", len(long), c.said)
	}
	c.said = nil
	end := closeRecord(3000, "enough")
	run.write(end[:11])
	p.Turn()
	c.want(t)
	run.write(end[11:])
	run.finish(pyhost.OutcomeFinished)
	p.Turn()
	c.want(t, "close 3000 enough")
	if c.state != Finished {
		t.Errorf("the state is %d", c.state)
	}
	c.x.Leave()
	expectIdle(t, b)
}

// What a worker may not write where a message is due ends the exchange; so does a head with the
// status 101 that nobody has asked for.
func TestMessagesThatAreNone(t *testing.T) {
	more := uint32(pyhost.RecordMore)
	for name, record := range map[string][]byte{
		"body bytes":              appendRecord(nil, pyhost.RecordBody, []byte("x")),
		"a second acceptance":     appendTestAccept(nil),
		"a kind that is unknown":  appendRecord(nil, 99, nil),
		"a close that goes on":    appendRecord(nil, pyhost.RecordClose|more, make([]byte, 2)),
		"a close without a code":  appendRecord(nil, pyhost.RecordClose, make([]byte, 1)),
		"a reason that is long":   appendRecord(nil, pyhost.RecordClose, make([]byte, 126)),
		"a text that goes binary": appendRecord(appendRecord(nil, pyhost.RecordText|more, []byte("x")), pyhost.RecordBinary, nil),
	} {
		b, w := newTestBridge(t, config(1, 1))
		c, run := talk(t, b, w[0])
		run.write(record)
		b.ports[0].Turn()
		if c.state != Aborted {
			t.Errorf("%s: the state is %d", name, c.state)
		}
		c.x.Leave()
	}
	b, w := newTestBridge(t, config(1, 1))
	c := begin(b.ports[0], "/")
	w[0].claim().write(appendTestAccept(nil))
	b.ports[0].Turn()
	if c.state != Aborted {
		t.Errorf("an acceptance that nobody asked for: the state is %d", c.state)
	}
}

// Messages wait for room: that of the pipe, and of the queue.
func TestMessageRoom(t *testing.T) {
	cf := config(1, 1)
	cf.PipeSize, cf.MessageQueue = 16<<10, 3
	b, w := newTestBridge(t, cf)
	p := b.ports[0]
	c, run := talk(t, b, w[0])
	waits := func() uint32 { return atomic.LoadUint32(&run.seg().stream(run.stream).Request.WriterWaits) }
	for range 3 {
		if c.x.MessageRoom() < 0 {
			t.Fatal("there is no room for a few messages")
		}
		c.x.WriteMessage(TextMessage, []byte("x"), true)
	}
	if c.x.MessageRoom() >= 0 || waits() != pyhost.WaitsNews {
		t.Error("more messages may wait than the queue has")
	}
	progress := c.state
	run.read(pyhost.RecordSize + 1)
	if p.Turn() == 0 || c.x.MessageRoom() < 0 || waits() != pyhost.WaitsNot {
		t.Error("there is no room, or no news of it", progress)
	}
	run.read(1 << 20)
	room := c.x.MessageRoom()
	c.x.WriteMessage(BinaryMessage, make([]byte, room), true)
	if c.x.MessageRoom() >= 0 {
		t.Error("there is room in a full pipe")
	}
	c.x.WriteClose(1006, []byte(strings.Repeat("r", maxReason))) // for the end there always is
	if got := len(run.read(1 << 20)); got != 2*pyhost.RecordSize+room+pyhost.CloseSize+maxReason {
		t.Errorf("%d bytes lie in the pipe", got)
	}
	run.finish(pyhost.OutcomeFinished)
	p.Turn()
	c.x.Leave()
	expectIdle(t, b)
}

// Only so many WebSockets use much of their pipes at once; those that rest give it back.
func TestWideWebSockets(t *testing.T) {
	cf := config(1, 1)
	cf.PipeSize = 64 << 10
	b, w := newTestBridge(t, cf)
	b.config.Streams = 1
	first, run := talk(t, b, w[0])
	second, _ := talk(t, b, w[0])
	if first.x.MessageRoom() < 60<<10 || second.x.MessageRoom() > narrow {
		t.Fatalf("there is room for %d and %d bytes", first.x.MessageRoom(), second.x.MessageRoom())
	}
	first.x.WriteMessage(BinaryMessage, bytes.Repeat([]byte{1}, 50<<10), true)
	if first.x.Rest(); !first.x.socket.wide {
		t.Error("a pipe was given back with a message in it")
	}
	run.read(1 << 20)
	first.x.Rest()
	if ring := run.seg().requestBytes(run.stream); !bytes.Equal(ring[pageSize:], make([]byte, len(ring)-pageSize)) || ring[100] != 1 {
		t.Error("the pages behind the first one are not given back")
	}
	if second.x.MessageRoom() < 60<<10 {
		t.Error("the leave was not given back")
	}
	second.x.Leave()
	first.x.Leave()
	if b.wide.Load() != 0 {
		t.Errorf("%d are wide that are gone", b.wide.Load())
	}
}

// WebSockets have streams of their own, and take none from requests.
func TestWebSocketStreams(t *testing.T) {
	cf := config(1, 1)
	cf.Streams, cf.WebSockets = 64, 70
	b, w := newTestBridge(t, cf)
	p := b.ports[0]
	b.dispatch.gen.slots[0].capacity = 1000
	var chats []*chat
	for range 70 {
		c, ok := handshake(p)
		if !ok {
			t.Fatal("a WebSocket was refused")
		}
		chats = append(chats, c)
	}
	if _, ok := handshake(p); ok {
		t.Fatal("one WebSocket too many was taken")
	}
	for range 65 {
		begin(p, "/")
	}
	if got := b.Stats(); got.Running != 134 || got.Line != 1 {
		t.Fatalf("%+v", got)
	}
	gone := chats[0]
	gone.x.Leave() // before the worker has begun it
	again, ok := handshake(p)
	if !ok {
		t.Fatal("a WebSocket's place was not given back")
	}
	chats[0] = again
	for run := w[0].claim(); run != nil; run = w[0].claim() {
		run.answer(200, "hello")
		p.Turn()
	}
	for _, c := range chats {
		c.x.Leave()
	}
	expectIdle(t, b)
	if b.dispatch.sockets != 0 || b.dispatch.gen.reserved != 0 {
		t.Errorf("%d WebSockets are left, and %d streams of theirs", b.dispatch.sockets, b.dispatch.gen.reserved)
	}
}

// A time limit of requests is not one of open WebSockets.
func TestWebSocketsHaveNoTimeLimit(t *testing.T) {
	cf := config(1, 1)
	cf.RequestTimeout = time.Second
	b, w := newTestBridge(t, cf)
	c, run := talk(t, b, w[0])
	now := time.Now()
	for i := range 5 {
		b.lookAtRuns(now.Add(time.Duration(i) * time.Minute))
		b.ports[0].Turn()
	}
	if c.x.State() != Waiting || !b.dispatch.gen.slots[0].open {
		t.Errorf("the state is %d", c.x.State())
	}
	run.finish(pyhost.OutcomeFinished)
	b.ports[0].Turn()
	c.x.Leave()
}
