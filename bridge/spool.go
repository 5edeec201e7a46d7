package bridge

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// The body of a request can be taken in before a worker is given the request: Hold, then
// Submit. What is not too long stays with the connection, which gives it with WriteBody;
// a longer one is in a file, and the worker gets its descriptor through its control socket.
//
// A descriptor cannot be taken back as a hint can. So it is sent only to the worker that
// has claimed the stream, when the application wants the body (GB_WAITS_FILE): whoever dies
// before, or has the request moved away, has nothing of it, and an application that does
// not look at the body costs no message.

// heldBody is the file of a request body that no worker has been given.
type heldBody struct {
	held bool
	fd   int
}

// Holds says whether the application is to have its bodies so: an ASGI one asks for them
// piece by piece, and waits for a slow client without holding anybody up.
func (p *Port) Holds() bool { return !p.bridge.isASGI() }

// Hold encodes a request whose body is to be taken in first. What r points to is copied.
// Nobody is given the request before Submit. It reports false, and nothing is held, when
// there are as many requests as there may be.
func (p *Port) Hold(x *Exchange, r *Request, c Client) bool {
	d := &p.bridge.dispatch
	d.mu.Lock()
	ok := d.admit(p, false)
	d.mu.Unlock()
	if !ok {
		return false
	}
	p.scratch = appendHead(p.scratch[:0], r, r.BodyLength < 0)
	x.kept = append(x.kept[:0], p.scratch...) // no larger than it has to be: there may be many
	x.port, x.client, x.run = p, c, nil
	x.head, x.ended, x.left, x.fail, x.done = x.kept, false, false, Waiting, false
	x.chunked = r.BodyLength < 0
	return true
}

// Submit hands a held request to a worker or puts it into the line. All of the body, length
// bytes, is in the file, whose descriptor is the exchange's from then on; or, if file is
// negative, it comes by WriteBody and EndBody, and length may be -1 for a chunked one whose
// end has not come.
func (p *Port) Submit(x *Exchange, length int64, file int) {
	x.kept = finishHead(x.kept, length, x.chunked, file >= 0)
	x.head = x.kept
	if file >= 0 {
		x.body = heldBody{held: true, fd: file}
	}
	x.ended = file >= 0 || length == 0
	d := &p.bridge.dispatch
	d.mu.Lock()
	d.enter(x)
	d.mu.Unlock()
}

// passBody gives the body's file to the worker that runs the request, once that wants it.
func (x *Exchange) passBody() {
	r := x.run
	if x.done || x.fail != Waiting {
		x.body.drop() // nobody will read it any more
		return
	}
	if r == nil || atomic.LoadUint32(&r.shared().Request.ReaderWaits) != pyhost.WaitsFile {
		return
	}
	w, word := r.runner()
	if w == nil {
		return
	}
	err := w.trySend(&pyhost.Message{Kind: pyhost.MsgBody, A: uint64(r.stream), B: word}, x.body.fd) //gb:step spool_sent
	switch {
	case err == nil:
		x.body.drop()
		atomic.OrUint32(&r.shared().Front, pyhost.BodyPassed) //gb:step spool_told
		r.wakeReader()
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET), errors.Is(err, os.ErrClosed):
		x.body.drop() // it is dead, and the sweep will tell
	default: // its socket is full, or too many descriptors are on their way to the workers
		x.passLater(err)
	}
}

// passAgain is how long it takes until what keeps a descriptor from being sent may be over.
const passAgain = 20 * time.Millisecond

func (x *Exchange) passLater(err error) {
	p, ticket := x.port, x.ticket
	p.bridge.log.Debug().Err(err).Str("request", x.client.Describe()).Msg("the file of a request's body could not be given to its worker yet")
	time.AfterFunc(passAgain, func() {
		p.Post(func() {
			if x.port == p && x.ticket == ticket && x.body.held {
				x.passBody()
			}
		})
	})
}

// runner is the worker that has claimed the run, and the word under which it has.
func (r *run) runner() (*worker, uint64) {
	d := &r.gen.bridge.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	w := r.queuedFor.worker
	if r.state() != pyhost.StateRunning || w == nil || w.incarnation != pyhost.WordIncarnation(r.word) {
		return nil, 0
	}
	return w, pyhost.Word(pyhost.StateRunning, w.incarnation, pyhost.WordSequence(r.word))
}

// drop closes what is held.
func (b *heldBody) drop() {
	if b.held {
		b.held = false
		closeFile(b.fd) //gb:step spool_dropped
	}
}
