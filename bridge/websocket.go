package bridge

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// A WebSocket is an exchange that goes on behind its head: a request with WebSocket set, which the
// application accepts by a head with the status 101. From then on both pipes carry messages, each
// in one record or several, until one side says that it ends. What neither side reads stays in its
// pipe and stops the other one.

// MessageKind is what a Message is.
type MessageKind uint8

// The kinds of messages, and the end.
const (
	NoMessage MessageKind = iota // nothing has come
	TextMessage
	BinaryMessage
	CloseMessage // the application has ended the WebSocket
)

// Message is a piece of what the application sends.
type Message struct {
	Kind MessageKind
	A, B []byte // bytes that can be sent now, as Body's; those of an empty message are none
	Size int    // bytes of the piece and what is known to follow it
	Last bool   // with A and B the message is whole
	// Of a CloseMessage.
	Code   int
	Reason []byte
}

const (
	maxReason = 123                                              // bytes of a close's reason (RFC 6455 section 5.5)
	closeRoom = pyhost.RecordSize + pyhost.CloseSize + maxReason // in the request pipe, kept for the end
	leastRoom = 4096                                             // a message of so many bytes is one record
	narrow    = pageSize                                         // bytes of a pipe that an exchange may use without leave to use more
)

// socket is what an exchange has for a WebSocket. The zero value is that of any other exchange.
type socket struct {
	asked    bool   // the request is a handshake
	open     bool   // it is accepted
	kind     uint32 // of the record that is being read, with its flag
	amid     bool   // it is
	message  uint32 // kind of the message whose next record is due; 0: none is
	close    []byte // of a CLOSE record, what has come
	closed   bool   // it has come whole
	said     bool   // WriteClose was called
	wide     bool   // it may use all of its request pipe
	recalled bool   // it is to end, because its worker does
	unread   unread
}

// unread is where in the request pipe whole messages end that the application has not taken.
type unread struct {
	ends  []uint32
	first int
	count int
}

// full says whether there are limit of them.
func (u *unread) full(read uint32, limit int) bool {
	for u.count > 0 && int32(read-u.ends[u.first]) >= 0 {
		u.first = (u.first + 1) % len(u.ends)
		u.count--
	}
	return limit > 0 && u.count >= limit
}

func (u *unread) add(end uint32, limit int) {
	if limit <= 0 {
		return
	}
	if u.ends == nil {
		u.ends = make([]uint32, limit)
	}
	u.ends[(u.first+u.count)%len(u.ends)] = end
	u.count++
}

// WebSockets says whether the application can be asked for WebSockets.
func (p *Port) WebSockets() bool { return p.bridge.isASGI() }

// ---- From the client.

// MessageRoom is how many bytes of a message WriteMessage takes now; negative: it must not be
// called before there is Progress.
func (x *Exchange) MessageRoom() int {
	if x.fail != Waiting || x.done {
		return 1 << 20 // nobody will read them
	}
	if x.run == nil || !x.socket.open {
		return -1
	}
	p := &x.run.shared().Request
	room := x.messageRoom(p)
	if room < 0 {
		atomic.StoreUint32(&p.WriterWaits, pyhost.WaitsNews) //gb:step body_waits
		if room = x.messageRoom(p); room < 0 {
			return room
		}
	}
	if atomic.LoadUint32(&p.WriterWaits) != pyhost.WaitsNot {
		atomic.StoreUint32(&p.WriterWaits, pyhost.WaitsNot)
	}
	return room
}

func (x *Exchange) messageRoom(p *pyhost.Pipe) int {
	s := &x.socket
	read := atomic.LoadUint32(&p.Read)
	used := uint32(atomic.LoadUint64(&p.Written)) - read
	size := uint32(x.run.gen.seg.pipe)
	if used > size {
		x.broken(errPipe)
		return 1 << 20
	}
	if s.unread.full(read, x.port.bridge.config.MessageQueue) {
		return -1
	}
	if !s.wide && !x.widen() {
		size = narrow
	}
	least := min(leastRoom, size/4)
	if used+least+closeRoom+pyhost.RecordSize > size {
		return -1
	}
	return int(size - used - closeRoom - pyhost.RecordSize)
}

// WriteMessage gives the application a piece of a message, which has room; last: with it the
// message is whole.
func (x *Exchange) WriteMessage(kind MessageKind, b []byte, last bool) {
	if x.fail != Waiting || x.done {
		return
	}
	record := uint32(pyhost.RecordText)
	if kind == BinaryMessage {
		record = pyhost.RecordBinary
	}
	if !last {
		record |= pyhost.RecordMore
	}
	if end, ok := x.writeRecord(record, b); ok && last {
		x.socket.unread.add(end, x.port.bridge.config.MessageQueue)
	}
}

// WriteClose tells the application, once, why the WebSocket ends: behind all messages, or before it has
// accepted the handshake. That one need not have room for it in its pipe, and learns by Leave then.
func (x *Exchange) WriteClose(code int, reason []byte) {
	s := &x.socket
	if !s.asked || s.said || x.run == nil || x.fail != Waiting || x.done || !s.open && !x.closeFits() {
		return
	}
	s.said = true
	var raw [pyhost.CloseSize + maxReason]byte
	binary.LittleEndian.PutUint16(raw[:], uint16(code))
	n := copy(raw[pyhost.CloseSize:], reason)
	x.writeRecord(pyhost.RecordClose, raw[:pyhost.CloseSize+n])
}

// closeFits says whether the head of a handshake has left room for a CLOSE record.
func (x *Exchange) closeFits() bool {
	p := &x.run.shared().Request
	used := uint32(atomic.LoadUint64(&p.Written)) - atomic.LoadUint32(&p.Read)
	return len(x.head) == 0 && uint64(used)+closeRoom <= uint64(x.run.gen.seg.pipe)
}

// writeRecord puts a record that has room into the request pipe, and returns where it ends.
func (x *Exchange) writeRecord(kind uint32, b []byte) (end uint32, ok bool) {
	r := x.run
	p := &r.shared().Request
	var header [pyhost.RecordSize]byte
	binary.LittleEndian.PutUint32(header[:], kind)
	binary.LittleEndian.PutUint32(header[4:], uint32(len(b)))
	end, ok = pipeRecord(p, r.gen.seg.requestBytes(r.stream), header[:], b)
	if !ok {
		x.broken(errPipe)
		return 0, false
	}
	r.wakeReader()
	return end, true
}

// ---- To the client.

// Message is the next piece of what the application sends. It is the same again until Advance.
func (x *Exchange) Message() (m Message) {
	s := &x.socket
	if !s.open || s.closed || x.fail != Waiting {
		return m
	}
	r := x.run
	p, ring := &r.shared().Response, r.gen.seg.responseBytes(r.stream)
	for {
		a, b, err := pipePeek(p, ring)
		if err == nil && !s.amid {
			var ok bool
			if ok, err = x.beginMessage(a, b); ok {
				continue
			}
			if err == nil {
				return m
			}
		}
		if err != nil {
			x.broken(err)
			return Message{}
		}
		n := int(min(uint64(x.in.left), uint64(len(a)+len(b))))
		first := min(n, len(a))
		a, b = a[:first], b[:n-first]
		if s.kind == pyhost.RecordClose {
			return x.readClose(a, b)
		}
		more := s.kind&pyhost.RecordMore != 0
		switch {
		case n == 0 && x.in.left > 0:
			return m
		case n == 0 && more: // an empty piece tells nothing
			s.amid = false
			continue
		}
		m.Kind = TextMessage
		if s.kind&^pyhost.RecordMore == pyhost.RecordBinary {
			m.Kind = BinaryMessage
		}
		m.A, m.B, m.Size, m.Last = a, b, int(x.in.left), uint32(n) == x.in.left && !more
		return m
	}
}

// beginMessage reads the header of a record, if it is there.
func (x *Exchange) beginMessage(a, b []byte) (bool, error) {
	s := &x.socket
	kind, size, ok := record(a, b)
	if !ok {
		return false, nil
	}
	plain := kind &^ pyhost.RecordMore
	switch {
	case kind == pyhost.RecordClose && size >= pyhost.CloseSize && size <= pyhost.CloseSize+maxReason:
	case (plain == pyhost.RecordText || plain == pyhost.RecordBinary) && (s.message == 0 || s.message == plain):
		if s.message = plain; kind == plain {
			s.message = 0 // behind this record
		}
	default:
		return false, fmt.Errorf("record %d of %d bytes where a message was due", kind, size)
	}
	s.kind, s.amid, x.in.left = kind, true, size
	x.taken(pyhost.RecordSize)
	return true, nil
}

// readClose takes what there is of a CLOSE record.
func (x *Exchange) readClose(a, b []byte) (m Message) {
	s := &x.socket
	s.close = append(append(s.close, a...), b...)
	x.Advance(len(a) + len(b))
	if x.in.left > 0 {
		return m
	}
	s.closed = true
	return Message{Kind: CloseMessage, Last: true, Code: int(binary.LittleEndian.Uint16(s.close)), Reason: s.close[pyhost.CloseSize:]}
}

// ---- Its end, and its rest.

// Recalled says whether the WebSocket should end because its worker is about to.
func (x *Exchange) Recalled() bool { return x.socket.recalled }

// Rest gives back memory that an open WebSocket does not need while nothing is said. Of the
// request pipe, which the front writes, the pages behind the first are given back; those of the
// response pipe are the worker's to give.
func (x *Exchange) Rest() {
	s := &x.socket
	x.kept, x.in.copy = nil, nil
	if x.run == nil {
		return
	}
	p := &x.run.shared().Request
	if !pipeEmpty(p) {
		return
	}
	s.unread = unread{}
	if s.wide {
		if err := x.run.gen.seg.punchRequest(x.run.stream); err == nil {
			x.narrow()
		}
	}
}

// widen asks for leave to use all of the request pipe: as many may do so at once as there may be
// ordinary requests, which may too. Whoever has none goes on with one page.
func (x *Exchange) widen() bool {
	b := x.port.bridge
	if b.wide.Add(1) > int64(b.config.Streams) {
		b.wide.Add(-1)
		return false
	}
	x.socket.wide = true
	return true
}

func (x *Exchange) narrow() {
	if x.socket.wide {
		x.socket.wide = false
		x.port.bridge.wide.Add(-1)
	}
}

// punchRequest gives back the pages of a request pipe behind its first one, in which nothing lies.
func (g *segment) punchRequest(i uint32) error {
	if g.pipe <= pageSize {
		return nil
	}
	at := g.header.PipesAt + 2*uint64(i)*uint64(g.pipe)
	return unix.Fallocate(g.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(at)+pageSize, int64(g.pipe)-pageSize)
}
