package bridge

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"gobridge/pyhost"
)

// TestEarlyHints sends hints before a response, in pieces of every size: they come once, in
// their order, and not as the response.
func TestEarlyHints(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	p := b.ports[0]
	whole := appendTestHead(nil, 103, "", []string{"Link: </a.css>", "Link: </b.js>"}, -1)
	whole = appendTestHead(whole, 103, "", []string{"Link: " + strings.Repeat("c", 9000)}, -1) // longer than the pipe
	whole = appendTestHead(whole, 200, "OK", []string{"A: b"}, 5)
	whole = appendRecord(whole, pyhost.RecordBody, []byte("hello"))
	want := []string{"Link: </a.css>\r\nLink: </b.js>\r\n", "Link: " + strings.Repeat("c", 9000) + "\r\n"}
	for _, size := range []int{1, 3, 8, 100, len(whole)} {
		c := begin(p, "/")
		c.leave = false
		run := w[0].claim()
		for rest := whole; len(rest) > 0; {
			rest = rest[run.write(rest[:min(size, len(rest))]):]
			p.Turn()
		}
		run.finish(pyhost.OutcomeFinished)
		p.Turn()
		if !slices.Equal(c.hints, want) || c.state != Finished || string(c.body) != "hello" || c.x.Head().Status != 200 {
			t.Errorf("in pieces of %d: hints %.40q, state %v, body %q", size, c.hints, c.state, c.body)
		}
		c.x.Leave()
	}
	expectIdle(t, b)
}

// TestHintsAndNoResponse ends a request after its hints.
func TestHintsAndNoResponse(t *testing.T) {
	b, w := newTestBridge(t, config(1, 1))
	for _, outcome := range []uint32{pyhost.OutcomeAborted, pyhost.OutcomeFinished} {
		c := begin(b.ports[0], "/")
		run := w[0].claim()
		run.write(appendTestHead(nil, 103, "", []string{"A: b"}, -1))
		run.finish(outcome)
		b.ports[0].Turn()
		if c.state != Aborted || len(c.hints) != 1 {
			t.Errorf("state %v, hints %q", c.state, c.hints)
		}
	}
	expectIdle(t, b)
}

// TestHintsMakeSense wants the status and the place of hints to be right.
func TestHintsMakeSense(t *testing.T) {
	hints := appendTestHead(nil, 103, "", []string{"A: b"}, -1)
	response := appendTestHead(nil, 200, "OK", []string{"A: b"}, -1)
	changed := func(record []byte, kind uint32, status uint16) []byte {
		record = slices.Clone(record)
		binary.LittleEndian.PutUint32(record, kind)
		binary.LittleEndian.PutUint16(record[pyhost.RecordSize:], status)
		return record
	}
	for name, text := range map[string][]byte{
		"hints of another status":   changed(hints, pyhost.RecordHints, 102),
		"a response as hints":       changed(response, pyhost.RecordHints, 200),
		"hints as the response":     changed(hints, pyhost.RecordHead, 103),
		"hints behind the response": append(slices.Clone(response), hints...),
	} {
		b, w := newTestBridge(t, config(1, 1))
		c := begin(b.ports[0], "/")
		run := w[0].claim()
		run.write(text)
		if b.ports[0].Turn(); c.state != Aborted {
			t.Errorf("%s: state %v", name, c.state)
		}
		run.finish(pyhost.OutcomeFinished)
		b.ports[0].Turn()
		expectIdle(t, b)
	}
}
