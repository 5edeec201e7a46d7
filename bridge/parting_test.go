package bridge

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gobridge/pyhost"
)

// What goes on without an end is ended in the workers that are meant, and an answer that is cut
// is named in the log.
func TestEndStreams(t *testing.T) {
	b, w := newTestBridge(t, config(2, 1))
	var log bytes.Buffer
	b.log, b.config.GracefulTime = zerolog.New(&log), 30*time.Second
	c, run := talk(t, b, w[0])
	stream := &fakeClient{name: "GET /events", cut: "GET /events"}
	b.ports[0].Begin(&stream.x, hello("/events"), stream)
	events := w[1].claim()
	b.endStreams(events.w.slot)
	if b.ports[0].Turn(); c.x.Recalled() || stream.ended != 1 || stream.x.Recalled() {
		t.Errorf("a WebSocket of another worker is recalled: %v; the stream was ended %d times", c.x.Recalled(), stream.ended)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"requests":["GET /events"]`) || !strings.Contains(got, "--graceful-timeout 30s") {
		t.Errorf("the log says %s", got)
	}
	b.endStreams(run.w.slot)
	if b.ports[0].Turn(); !c.x.Recalled() || c.ended != 1 || stream.ended != 1 {
		t.Error("the WebSocket was not recalled")
	}
	c.x.WriteClose(1012, nil)
	c.x.Leave()
	run.read(1 << 20)
	run.finish(pyhost.OutcomeFinished)
	stream.x.Leave()
	events.finish(pyhost.OutcomeAborted)
	b.ports[0].Turn()
	expectIdle(t, b)
}

// The application can be told of the end before it has accepted a WebSocket.
func TestEndBeforeAccept(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	b.style.asgi.Store(true)
	c, ok := handshake(b.ports[0])
	run := w[0].claim()
	if !ok || run == nil {
		t.Fatal("the handshake was not given to the worker")
	}
	run.read(int(binary.LittleEndian.Uint32(run.read(pyhost.RequestHeadSize))) - pyhost.RequestHeadSize)
	c.x.WriteClose(1012, []byte("restart"))
	c.x.WriteClose(1000, nil)
	c.x.Leave()
	if got := strings.Join(records(t, run.read(1<<20)), " "); got != "close 1012 restart" {
		t.Errorf("the application is told %q", got)
	}
	run.finish(pyhost.OutcomeFinished)
	b.ports[0].Turn()
	expectIdle(t, b)
}

func TestPartingTime(t *testing.T) {
	for _, x := range []struct{ graceful, want time.Duration }{{time.Minute, 5 * time.Second}, {6 * time.Second, time.Second}} {
		if got := PartingTime(x.graceful); got != x.want {
			t.Errorf("of %v the last %v are for goodbyes, want %v", x.graceful, got, x.want)
		}
	}
}

func TestNamed(t *testing.T) {
	var n Named
	for range mostNamed + 5 {
		n.Add("GET /")
		n.Add("")
	}
	if n.Count != mostNamed+5 || len(n.First) != mostNamed {
		t.Errorf("%+v", n)
	}
}
