package bridge

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"gobridge/pyhost"
)

// FuzzHostileWorker lets a worker write what it likes: news for any stream, a stream's
// word, pipe counters and bytes, in any order. The front must not read or write outside
// the segment, must not hang, and must have every stream back at the end.
func FuzzHostileWorker(f *testing.F) {
	head := appendTestHead(nil, 200, "OK", []string{"A: b"}, 5)
	f.Add(appendRecord(head, pyhost.RecordBody, []byte("hello")), []byte{0, 1, 2, 3})
	hints := appendTestHead(nil, 103, "", []string{"Link: a"}, -1)
	f.Add(append(append(hints, hints...), appendRecord(head, pyhost.RecordBody, []byte("h"))...), []byte{0, 1, 2, 3})
	f.Add(head, []byte{4, 200, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(appendFileRecord(head, 1, 4), []byte{8, 0, 0, 0, 0, 3, 0})
	f.Add(appendRecord(appendFileRecord(appendRecord(head, pyhost.RecordBody, []byte("h")), 1, 4), pyhost.RecordFile, make([]byte, 16)), []byte{8, 1, 0, 0, 0, 2, 1, 8, 0})
	f.Add([]byte{1, 0, 0, 0, 24, 0, 0, 0}, []byte{5, 1, 2, 3, 4, 6, 9, 9, 9, 9})
	say := func(kind uint32, text string) []byte { return appendRecord(nil, kind, []byte(text)) }
	f.Add(bytes.Join([][]byte{appendTestAccept(nil), say(pyhost.RecordText|pyhost.RecordMore, "he"), say(pyhost.RecordText, "llo"),
		say(pyhost.RecordBinary, ""), closeRecord(1000, "bye")}, nil), []byte{0x82, 0, 0, 0, 0, 0, 0, 0, 0, 31, 4, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(bytes.Join([][]byte{appendTestAccept(nil), say(pyhost.RecordBinary, "hello")}, nil), []byte{0x82, 0, 0, 0, 0, 200, 1, 0, 0})
	tail := appendTestTail(nil, "X-Sum: 1")
	f.Add(append(appendRecord(head, pyhost.RecordBody, []byte("hello")), tail...), []byte{0, 1, 2, 3})
	f.Add(append(append(slices.Clip(head), tail...), tail...), []byte{4, 200, 1, 2, 3, 4, 5, 6, 7, 8})
	file, notOne := testFiles(f)
	files := [2]int{file, notOne}
	f.Fuzz(func(t *testing.T, pipe, acts []byte) {
		socket := len(acts) > 0 && acts[0]&0x80 != 0
		c := Config{Workers: 1, Threads: 1, Reactors: 1, Streams: 64, PipeSize: 4096}
		b, w := newTestBridge(t, c)
		p := b.ports[0]
		var talker *chat
		if socket {
			talker, _ = handshake(p)
		}
		clients := []*fakeClient{begin(p, "/"), begin(p, "/"), begin(p, "/")}
		w[0].connect()
		run := w[0].claim()
		held := hold(t, p, -1) // its body is in a file, which any worker may want at any time
		held.submit(t, p, file)
		clients = append(clients, held)
		w[0].files = files
		s := run.seg().stream(run.stream)
		for len(pipe) > 0 {
			n, err := pipeWrite(&s.Response, run.seg().responseBytes(run.stream), pipe)
			if err != nil || n == 0 {
				break
			}
			pipe = pipe[n:]
			run.news()
			hostile(run, &acts)
			p.Turn()
			if socket && talker.open {
				talker.talkAtRandom(&acts)
			}
		}
		run.news()
		p.Turn()
		kill(b, b.dispatch.gen.slots[0])
		if socket {
			talker.x.Leave()
		}
		for _, c := range clients {
			c.x.Leave()
			if c.x.body.held {
				t.Fatal("a body's file is still held")
			}
		}
		for _, r := range b.dispatch.gen.runs {
			if got := r.slot.Load(); got != nil {
				t.Fatal("a stream is still in flight")
			}
			if r.file.held {
				t.Fatal("a file is still held")
			}
		}
		expectIdle(t, b)
	})
}

// talkAtRandom does what connections do with a WebSocket, as the next byte says.
func (c *chat) talkAtRandom(acts *[]byte) {
	act := byte(7)
	if len(*acts) > 0 {
		act = (*acts)[0]
	}
	if room := c.x.MessageRoom(); room >= 0 && act&1 != 0 {
		c.x.WriteMessage(TextMessage+MessageKind(act>>2&1), make([]byte, min(room, 50*int(act))), act&2 != 0)
	}
	if act&8 != 0 {
		c.x.Rest()
	}
	if act&16 != 0 {
		c.x.WriteClose(1000, []byte("bye"))
	}
}

// hostile does what the next bytes say.
func hostile(c *claimed, acts *[]byte) {
	next := func() (v uint32) {
		var raw [4]byte
		*acts = (*acts)[copy(raw[:], *acts):]
		return binary.LittleEndian.Uint32(raw[:])
	}
	if len(*acts) == 0 {
		return
	}
	act := (*acts)[0]
	*acts = (*acts)[1:]
	g := c.seg()
	s := g.stream(next() % uint32(g.streams))
	switch act % 9 {
	case 0:
		s.Response.Written = uint64(next())<<32 | uint64(next())
	case 1:
		s.Response.Read = next()
	case 2:
		s.Request.Read = next()
	case 3:
		s.Request.ReaderWaits, s.Response.WriterWaits = next()%4, next()%4
	case 4:
		g.news(0, 0, pyhost.ToFront).set(next() % uint32(g.streams))
	case 5:
		s.Word = uint64(next())<<32 | uint64(next())
	case 6:
		g.worker(0).Taken = next()
	case 7:
		s.Reactor, s.Front = next(), next()
	case 8:
		how := next()
		said := pyhost.Message{Kind: pyhost.MsgFile, A: uint64(c.stream), B: c.word}
		if how&1 != 0 {
			said.A = uint64(next() % uint32(g.streams+1))
		}
		if how&2 != 0 {
			said.B = uint64(next())<<32 | uint64(next())
		}
		c.w.say(&said, c.w.files[how>>2%2:1+how>>2%2]...)
		if how&8 != 0 {
			c.w.heard()
		}
	}
}
