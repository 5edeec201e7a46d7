package serve

import (
	"errors"

	"gobridge/bridge"
	"gobridge/protocol/http1"
)

// A body can be taken in before a worker is given its request, so that a client that sends
// slowly holds no worker. A body that has come with its head is not stored anywhere: such a
// request is begun at once, and that is most of them. Else the bytes are kept in buffers, up
// to Settings.Buffer of them, and a longer body goes to a file, a part at a time, written by
// the senders, for a disk may be slow. The worker reads it from there itself.
//
// A counted body that waits for 100 (Continue) is not taken in: its client wants to hear
// first whether the application wants it. A chunked one is, and 100 is sent for it at once:
// most applications take a body without a length for none, so nobody would ask for it.

// intake is a body as far as it has been taken in and not given away. The buffers are the
// reactor's.
type intake struct {
	chunks []buffer // full ones, but for the last
	held   int64    // bytes in them
	size   int64    // bytes taken in, with those in the file

	// A sender's while it is away: it writes what is held to the file.
	away  bool
	spool *Spool
	conn  *conn // nil: the connection is closed
	base  *reactor
	whole int64 // bytes of the whole body; -1: nobody knows
	file  *spooled
	err   error
}

// takesIn says whether a request's body is to be taken in; behind its head lie as many
// bytes already.
func (c *conn) takesIn(q *bridge.Request, behind int) bool {
	w := c.work
	if w.body == bodyWhole || c.r.server.settings.Buffer <= 0 || !c.r.port.Holds() {
		return false
	}
	switch w.body {
	case bodyCounted:
		return w.left > int64(behind) && !q.Expect
	case bodyRecords: // their headers and padding are not worth a closer look
		return q.BodyLength < 0 || q.BodyLength > int64(behind)
	}
	return true
}

// take begins to take in a body, or declines the request. It reports false when its client is
// gone.
func (c *conn) take(q *bridge.Request, behind int) bool {
	w := c.work
	if !c.r.port.Hold(w.x, q, c) {
		c.decline(crowded)
		return true
	}
	w.held, w.intake = true, &intake{spool: c.r.server.settings.Spool, conn: c, base: c.r, whole: q.BodyLength}
	c.phase = taking
	if w.expect && behind == 0 {
		if c.send([]byte(http1.Continue)); c.phase == closed {
			return false
		}
	}
	w.expect = false
	c.awaitBody()
	return true
}

// store keeps body bytes and returns how many it has taken. When there is no more room for
// them they go to a file, and work.full is set meanwhile.
func (c *conn) store(b []byte) (taken int) {
	w := c.work
	in := w.intake
	for c.phase == taking && !in.away && taken < len(b) {
		if room := in.room(); len(room) > 0 {
			n := copy(room, b[taken:])
			in.chunks[len(in.chunks)-1].to += n
			in.held += int64(n)
			in.size += int64(n)
			w.left -= int64(n)
			taken += n
		} else if in.held >= c.r.server.settings.Buffer || !c.addChunk() {
			c.spill()
		}
	}
	if w.intake != nil && taken < len(b) { // what is kept goes first
		w.full = true
	}
	return taken
}

// room is what the last chunk has left.
func (in *intake) room() []byte {
	if len(in.chunks) == 0 {
		return nil
	}
	last := &in.chunks[len(in.chunks)-1]
	return last.memory[last.to:]
}

// addChunk reports false when there is no memory for one.
func (c *conn) addChunk() bool {
	memory := c.r.takeBuffer(bufferSize)
	if memory == nil {
		return false
	}
	in := c.work.intake
	in.chunks = append(in.chunks, buffer{memory: memory})
	return true
}

// spill has what is held be written to the file. Without a place for files, the application
// is given what there is, and the rest as it comes.
func (c *conn) spill() {
	w, in := c.work, c.work.intake
	switch {
	case in.held == 0:
		c.refuse(memoryShort)
	case in.spool == nil:
		c.submit()
	default:
		in.away, w.full = true, true
		c.r.server.senders.give(in)
	}
}

// tookAll goes on when the body has come to its end.
func (c *conn) tookAll() {
	switch in := c.work.intake; {
	case in.away:
	case in.file != nil && in.held > 0:
		c.spill()
	default:
		c.submit()
	}
}

// submit hands the request to the bridge: with its file, or with what is held behind it.
func (c *conn) submit() {
	w, in := c.work, c.work.intake
	length, file := in.whole, -1
	if w.body == bodyWhole {
		length = in.size
	}
	if in.file != nil {
		var charged int64
		file, charged = in.file.take()
		w.charged += charged
	}
	c.phase = serving
	w.held, w.begun = false, true
	if file >= 0 {
		c.dropIntake()
	}
	c.r.port.Submit(w.x, length, file)
	if w.intake != nil {
		c.pour()
	} else if c.gone() {
		c.hangUp()
	}
	c.awaitBody()
}

// pour gives the application what is held, as far as it takes it.
func (c *conn) pour() {
	w, in := c.work, c.work.intake
	for len(in.chunks) > 0 {
		chunk := &in.chunks[0]
		n := w.x.WriteBody(chunk.bytes())
		if chunk.from += n; chunk.len() > 0 {
			w.full = true
			return
		}
		c.r.giveBuffer(chunk.memory)
		in.chunks = in.chunks[1:]
	}
	c.dropIntake()
	w.full = false
	if w.body == bodyWhole {
		c.endBody()
	}
}

// ---- The file.

func (in *intake) home() *reactor { return in.base }

// work writes what is held to the file, which it makes first.
func (in *intake) work() {
	if in.file == nil {
		if in.file, in.err = in.spool.create(in.whole); in.err != nil {
			return
		}
	}
	if in.err = in.spool.fits(in.held); in.err != nil {
		return
	}
	for i := range in.chunks {
		if in.err = in.file.write(in.chunks[i].bytes()); in.err != nil {
			return
		}
	}
}

// returned goes on when a sender is through with it.
func (in *intake) returned() {
	in.away = false
	c := in.conn
	if c == nil {
		in.giveBack(in.base)
		in.release()
		return
	}
	if in.err != nil {
		c.notStored(in.err)
		return
	}
	in.giveBack(c.r)
	c.work.full = false
	if c.work.body == bodyWhole {
		c.submit()
		return
	}
	c.awaitBody()
	if c.feed(); c.phase != closed {
		c.read()
	}
}

// giveBack returns the buffers.
func (in *intake) giveBack(r *reactor) {
	for i := range in.chunks {
		r.giveBuffer(in.chunks[i].memory)
	}
	in.chunks, in.held = in.chunks[:0], 0
}

// release closes the file. No sender has it.
func (in *intake) release() {
	if in.file != nil {
		in.file.close()
	}
}

// dropIntake parts the connection from what it has taken in.
func (c *conn) dropIntake() {
	w := c.work
	in := w.intake
	if in == nil {
		return
	}
	w.intake, in.conn = nil, nil
	if in.away && !c.r.server.senders.withdraw(in) {
		return // it is released when it returns
	}
	in.giveBack(c.r)
	in.release()
}

// notStored refuses a request whose body finds no place, and says so in the log: of many in
// a second the first one.
func (c *conn) notStored(err error) {
	r := c.r
	a, text := cannotStore, "a request body could not be stored"
	var short *shortage
	if errors.As(err, &short) {
		a, text = short.refusal, short.text
	}
	if r.maySay(&r.unstored) {
		r.server.settings.Log.Error().Err(err).Str("request", c.Describe()).Str("spool-dir", r.server.settings.Spool.dir).Msg(text)
	}
	c.refuse(a)
}
