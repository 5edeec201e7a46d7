package websocket

import (
	"bufio"
	"errors"
	"io"
	"iter"

	"github.com/klauspost/compress/flate"
)

// An Inflater inflates one message, in pieces: bytes are fed to it, and it is read until it is
// hungry. The decompressor reads its input as it needs it, and knows no way to stop amid that.
// So it runs in a coroutine, which is left when there is no input. A message that is there whole,
// as most are, needs none.
type Inflater struct {
	decompressor io.ReadCloser
	reader       *bufio.Reader // the decompressor is fastest from one
	fed          [pieceSize]byte
	in           []byte // of fed, what has not been taken
	last         bool   // no more is fed
	tail         int    // bytes of messageTail that were taken
	window       window

	next  func() (struct{}, bool) // of the coroutine; nil: there is none
	stop  func()
	yield func(struct{}) bool
	chunk [pieceSize]byte // what it fills: it may be left amid that
	n     int             // how far it has
	err   error
	ready []byte // of chunk, what was not read
	wants bool   // it has come to the end of what was fed
}

// pieceSize is how much is fed at once, in bytes.
const pieceSize = 4096

// messageTail is what a sender has left out at the end of each message (RFC 7692 section 7.2.1),
// and an empty last block, which has the decompressor come to an end.
const messageTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

var errStopped = errors.New("the connection has ended amid a compressed message")

func newInflater() *Inflater {
	f := &Inflater{}
	f.reader = bufio.NewReaderSize(source{f}, pieceSize)
	f.decompressor = flate.NewReader(f.reader)
	return f
}

// begin makes it ready for a message that can refer back to what is in the window.
func (f *Inflater) begin(window []byte) error {
	f.in, f.last, f.tail, f.wants, f.ready = nil, false, 0, true, nil
	f.window.reset(window)
	f.reader.Reset(source{f})
	return f.decompressor.(flate.Resetter).Reset(f.reader, window)
}

// end leaves a message, which need not be whole.
func (f *Inflater) end() {
	if f.stop != nil {
		f.stop()
		f.next, f.stop, f.yield = nil, nil, nil
	}
}

// feed gives it a piece of pieceSize bytes at most; only when it is hungry.
func (f *Inflater) feed(piece []byte, last bool) {
	f.in, f.last, f.wants = f.fed[:copy(f.fed[:], piece)], last, false
}

// read fills out as far as what was fed goes. Done: the message is whole.
func (f *Inflater) read(out []byte) (n int, done bool, err error) {
	for n < len(out) && !f.wants && !done && err == nil {
		var m int
		m, err = f.step(out[n:])
		f.window.add(out[n : n+m])
		n += m
		if err == io.EOF {
			done, err = f.over()
		}
	}
	return n, done, err
}

// over goes on behind a block that says it is the last one. That need not be the message's end
// (RFC 7692 section 7.2.3.5).
func (f *Inflater) over() (done bool, err error) {
	if f.last && len(f.in) == 0 && f.tail == len(messageTail) && f.reader.Buffered() == 0 {
		return true, nil
	}
	return false, f.decompressor.(flate.Resetter).Reset(f.reader, f.window.last(windowSize))
}

// step has the decompressor go on, until it has something or is hungry.
func (f *Inflater) step(out []byte) (n int, err error) {
	if f.last && f.next == nil {
		return f.decompressor.Read(out)
	}
	if f.next == nil {
		f.next, f.stop = iter.Pull(f.run)
	}
	if len(f.ready) == 0 {
		f.next()
		f.ready = f.chunk[:f.n]
	}
	n = copy(out, f.ready)
	if f.ready = f.ready[n:]; len(f.ready) > 0 {
		return n, nil
	}
	return n, f.err
}

// run is the coroutine.
func (f *Inflater) run(yield func(struct{}) bool) {
	f.yield = yield
	for {
		f.n, f.err = f.decompressor.Read(f.chunk[:])
		if !yield(struct{}{}) {
			return
		}
	}
}

// source is the decompressor's input.
type source struct{ *Inflater }

func (s source) Read(b []byte) (n int, err error) {
	f := s.Inflater
	for len(f.in) == 0 && !f.last {
		f.wants, f.n, f.err = true, 0, nil
		if !f.yield(struct{}{}) {
			return 0, errStopped
		}
	}
	if n = copy(b, f.in); n > 0 {
		f.in = f.in[n:]
		return n, nil
	}
	if n = copy(b, messageTail[f.tail:]); n == 0 {
		return 0, io.EOF
	}
	f.tail += n
	return n, nil
}

// ---- What can be referred back to.

// windowSize is how far back a compressed message can refer at most (RFC 1951), in bytes.
const windowSize = 32 << 10

// window is the last bytes of what was inflated.
type window struct {
	memory [2 * windowSize]byte
	n      int
}

func (w *window) reset(b []byte) { w.n = copy(w.memory[:], b) }

func (w *window) add(b []byte) {
	if over := len(b) - windowSize; over > 0 {
		b = b[over:]
	}
	if w.n+len(b) > len(w.memory) {
		w.n = copy(w.memory[:], w.last(windowSize))
	}
	w.n += copy(w.memory[w.n:], b)
}

// last returns up to n bytes.
func (w *window) last(n int) []byte { return w.memory[max(w.n-n, 0):w.n] }

// ---- Many of them.

// Inflaters lends a reactor's connections their inflaters. The zero value is ready.
type Inflaters struct {
	// Take and Give, if they are there, are asked for the memory of one in use, and told when it
	// is not in use any more.
	Take func(bytes int64) bool
	Give func(bytes int64)

	free []*Inflater
}

const (
	inflaterSize = 120 << 10 // of the decompressor too, about, in bytes
	keepFree     = 16
)

// take lends an inflater; nil if there is no memory.
func (all *Inflaters) take(window []byte) (f *Inflater) {
	if all.Take != nil && !all.Take(inflaterSize) {
		return nil
	}
	if n := len(all.free); n > 0 {
		f = all.free[n-1]
		all.free = all.free[:n-1]
	} else {
		f = newInflater()
	}
	if err := f.begin(window); err != nil { // it knows no error
		panic(err)
	}
	return f
}

func (all *Inflaters) give(f *Inflater) {
	f.end()
	if all.Give != nil {
		all.Give(inflaterSize)
	}
	if len(all.free) < keepFree {
		all.free = append(all.free, f)
	}
}
