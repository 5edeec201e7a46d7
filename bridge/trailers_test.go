package bridge

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"gobridge/pyhost"
)

// appendTestTail adds a record of trailers.
func appendTestTail(b []byte, lines ...string) []byte {
	record := appendTestHead(nil, 200, "", lines, -1)
	binary.LittleEndian.PutUint32(record, pyhost.RecordTrailers)
	return append(b, record...)
}

// TestTrailers sends trailers behind a body, in pieces of every size.
func TestTrailers(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	long := "X-Long: " + strings.Repeat("c", 9000) // longer than the pipe
	whole := appendTestHead(nil, 200, "OK", []string{"A: b"}, -1)
	whole = appendRecord(whole, pyhost.RecordBody, []byte("hello"))
	whole = appendTestTail(whole, "X-Sum: 1", long)
	for _, size := range []int{1, 3, 8, 100, len(whole)} {
		c := begin(p, "/")
		c.leave = false
		run := w[0].claim()
		for rest := whole; len(rest) > 0; {
			rest = rest[run.write(rest[:min(size, len(rest))]):]
			if p.Turn(); c.state != Waiting {
				t.Fatalf("in pieces of %d: state %v amid the trailers", size, c.state)
			}
		}
		run.finish(pyhost.OutcomeFinished)
		p.Turn()
		if got := string(c.x.Trailers()); c.state != Finished || string(c.body) != "hello" || got != "X-Sum: 1\r\n"+long+"\r\n" {
			t.Errorf("in pieces of %d: state %v, body %q, trailers %.40q", size, c.state, c.body, got)
		}
		c.x.Leave()
	}
	c := begin(p, "/")
	w[0].claim().answer(200, "none")
	if p.Turn(); c.state != Finished || c.x.Trailers() != nil {
		t.Errorf("without trailers: state %v, trailers %q", c.state, c.x.Trailers())
	}
	expectIdle(t, b)
}

// TestTrailersMakeSense wants trailers to be whole, checked, and the last.
func TestTrailersMakeSense(t *testing.T) {
	start := appendTestHead(nil, 200, "OK", nil, -1)
	tail := appendTestTail(nil, "X-Sum: 1")
	wrong := slices.Clone(tail)
	wrong[len(wrong)-1] = 'x'
	small := slices.Clone(tail)
	binary.LittleEndian.PutUint32(small[4:], pyhost.ResponseHeadSize-1)
	for name, text := range map[string][]byte{
		"before the head":        tail,
		"twice":                  slices.Concat(start, tail, tail),
		"a body behind them":     appendRecord(slices.Concat(start, tail), pyhost.RecordBody, []byte("x")),
		"half a record":          slices.Concat(start, tail[:len(tail)-1]),
		"only its header":        slices.Concat(start, tail[:pyhost.RecordSize]),
		"a line without its end": slices.Concat(start, wrong),
		"smaller than it can be": slices.Concat(start, small),
	} {
		b, w := newTestBridge(t, config(1, 1))
		c := begin(b.ports[0], "/")
		run := w[0].claim()
		run.write(text)
		b.ports[0].Turn()
		run.finish(pyhost.OutcomeFinished)
		b.ports[0].Turn()
		if c.state != Aborted {
			t.Errorf("%s: state %v", name, c.state)
		}
		expectIdle(t, b)
	}
}
