package websocket

// An Event is what a Receiver has come to. Data is good until the next call.
type Event struct {
	Kind  Kind
	Data  []byte // a piece of a message; the payload of a ping or pong; the reason of a close
	Last  bool   // with this piece the message is whole
	Fresh bool   // and with this one it begins
	Code  int    // of a close; NoCode for an empty one
}

// A Receiver takes in what a client sends behind the handshake. It keeps what has come of a
// frame's header or of a control frame; of messages it keeps nothing, but for a compressed one
// what its Inflater needs.
type Receiver struct {
	Limit     int64 // bytes of a message, inflated; 0: no limit
	Inflaters *Inflaters

	frames
	kind     Kind  // of the message that is under way; None: none is
	fresh    bool  // nothing of it has been returned
	size     int64 // bytes of it that have been returned or announced
	text     text
	deflate  bool      // compression was settled
	forget   bool      // between messages the client's window is empty
	inflater *Inflater // of a compressed message that is under way
	window   []byte    // what later messages can refer back to
	failed   error     // behind it nothing has a meaning
}

// Settle makes the receiver one of a connection with that compression.
func (r *Receiver) Settle(d *Deflate) { r.deflate, r.forget = d.On, d.ClientForget }

// Close gives back what is borrowed.
func (r *Receiver) Close() {
	if r.inflater != nil {
		r.Inflaters.give(r.inflater)
		r.inflater = nil
	}
}

// Amid says whether a message has begun and not come whole.
func (r *Receiver) Amid() bool { return r.kind != None }

// Next goes on with b, which is changed, and returns how many bytes of it are used and what it
// has come to; the rest is to be given again. A piece of a message has room bytes at most, and
// none comes while room is negative. Out is memory for what is inflated. An error is an *Error, and
// it is the same from then on.
func (r *Receiver) Next(b []byte, room int, out []byte) (n int, e Event, err error) {
	if r.failed == nil {
		n, e, r.failed = r.next(b, room, out)
	}
	return n, e, r.failed
}

func (r *Receiver) next(b []byte, room int, out []byte) (n int, e Event, err error) {
	for {
		if r.inflater != nil && !r.inflater.wants {
			if room <= 0 {
				return n, e, nil
			}
			e, err = r.inflate(out[:min(room, len(out))])
			if e.Kind != None || err != nil {
				return n, e, err
			}
		}
		if !r.open {
			m, err := r.begin(b[n:])
			n += m
			if err == nil && r.open && r.opcode < opClose {
				err = r.beginData()
			}
			if err != nil || !r.open {
				return n, e, err
			}
		}
		if r.opcode >= opClose {
			m, payload, whole := r.takeControl(b[n:])
			n += m
			if whole {
				e, err = r.control(payload)
			}
			return n, e, err
		}
		m, more := 0, false
		m, e, more, err = r.data(b[n:], room)
		n += m
		if e.Kind != None || err != nil || !more {
			return n, e, err
		}
	}
}

// beginData holds the header of a data frame against the message that is under way.
func (r *Receiver) beginData() error {
	switch {
	case r.opcode == opContinuation && r.kind == None:
		return broken("a frame continues a message, and none has begun")
	case r.opcode != opContinuation && r.kind != None:
		return broken("a message begins amid another one")
	case r.rsv1 && (!r.deflate || r.opcode == opContinuation):
		return broken("a frame has a reserved bit set")
	}
	if r.opcode != opContinuation {
		r.kind, r.fresh, r.size, r.text = Text, true, 0, text{}
		if r.opcode == opBinary {
			r.kind = Binary
		}
		if r.rsv1 {
			if r.inflater = r.Inflaters.take(r.window); r.inflater == nil {
				return &Error{TryLater, "there is no memory for a compressed message at the moment"}
			}
		}
	}
	if r.inflater == nil {
		return r.count(r.left)
	}
	return nil
}

// count adds n bytes to the message.
func (r *Receiver) count(n int64) error {
	if r.Limit > 0 && n > r.Limit-r.size {
		return &Error{TooBig, "the message is longer than the limit"}
	}
	r.size += n
	return nil
}

// data takes payload of a data frame from b. It reports whether there may be more to do at once.
func (r *Receiver) data(b []byte, room int) (n int, e Event, more bool, err error) {
	if r.left > 0 && len(b) == 0 || room < 0 {
		return 0, e, false, nil
	}
	if r.inflater != nil {
		piece := r.take(b, pieceSize)
		last := r.fin && r.left == 0
		r.open = r.left > 0
		if len(piece) > 0 || last {
			r.inflater.feed(piece, last)
		}
		return len(piece), e, true, nil
	}
	piece := r.take(b, room)
	if r.left > 0 && len(piece) == 0 {
		return 0, e, false, nil
	}
	r.open = r.left > 0
	last := r.fin && !r.open
	if len(piece) == 0 && !last {
		return 0, e, true, nil // an empty fragment
	}
	e, err = r.piece(piece, last)
	return len(piece), e, false, err
}

// piece is the event of a piece of the message.
func (r *Receiver) piece(data []byte, last bool) (Event, error) {
	if r.kind == Text {
		if !r.text.add(data) || last && !r.text.whole() {
			return Event{}, &Error{BadData, "a text message is no UTF-8"}
		}
	}
	e := Event{Kind: r.kind, Data: data, Last: last, Fresh: r.fresh}
	if r.fresh = false; last {
		r.kind = None
	}
	return e, nil
}

// inflate returns what there is of a compressed message.
func (r *Receiver) inflate(out []byte) (e Event, err error) {
	n, done, err := r.inflater.read(out)
	if err != nil {
		return e, &Error{BadData, "a compressed message cannot be inflated"}
	}
	if err := r.count(int64(n)); err != nil {
		return e, err
	}
	if n == 0 && !done {
		return e, nil
	}
	if done {
		if !r.forget {
			r.window = append(r.window[:0], r.inflater.window.last(contextSize)...)
		}
		r.Close()
	}
	return r.piece(out[:n], done)
}

// control is the event of a control frame.
func (r *Receiver) control(payload []byte) (e Event, err error) {
	switch e.Data = payload; r.opcode {
	case opPing:
		e.Kind = Ping
	case opPong:
		e.Kind = Pong
	default:
		e.Kind = Close
		e.Code, e.Data, err = readClose(payload)
	}
	return e, err
}
