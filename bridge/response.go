package bridge

import (
	"encoding/binary"
	"errors"
	"fmt"

	"gobridge/pyhost"
)

// ResponseHead is the head of an application's response. Its slices are the front's
// own copy and stay good until Leave; those of early hints only until Head is called again.
type ResponseHead struct {
	Status     int
	Reason     []byte
	Lines      []byte // the header lines as they go out, each with its CRLF
	HasDate    bool
	HasServer  bool
	Close      bool  // the application wants the connection closed behind it
	BodyLength int64 // bytes, or -1 when the application set no Content-Length
	table      []byte
}

// Each calls f for each header line's name and value.
func (h *ResponseHead) Each(f func(name, value []byte)) {
	for n := 0; n < len(h.table); n += pyhost.LineSize {
		from, nameSize, to := h.line(n)
		f(h.Lines[from:from+nameSize], h.Lines[from+nameSize+2:to])
	}
}

// line is where the line with table entry n lies: its start, its name's size, and the
// end of its value.
func (h *ResponseHead) line(n int) (from, nameSize, to int) {
	from = int(binary.LittleEndian.Uint32(h.table[n:]))
	nameSize = int(binary.LittleEndian.Uint32(h.table[n+4:]))
	to = len(h.Lines)
	if n+pyhost.LineSize < len(h.table) {
		to = int(binary.LittleEndian.Uint32(h.table[n+pyhost.LineSize:]))
	}
	return from, nameSize, to - 2
}

// isHeadSize says whether a head's record may be so long.
func isHeadSize(size uint32) bool {
	return size >= pyhost.ResponseHeadSize && size <= pyhost.MaxResponseHead
}

// errHead means that a worker's response head makes no sense.
var errHead = errors.New("the worker's response head makes no sense")

// The statuses of what is no response: early hints (RFC 8297), and a WebSocket's acceptance.
const (
	earlyHints = 103
	accepted   = 101
)

// decodeHead reads a head that came in a record of this kind from the front's own copy. Nothing
// in it is believed: every size is checked against what is there.
func decodeHead(h *ResponseHead, kind uint32, b []byte) error {
	if len(b) < pyhost.ResponseHeadSize {
		return errHead
	}
	status, count := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
	flags := binary.LittleEndian.Uint32(b[4:])
	length := int64(binary.LittleEndian.Uint64(b[8:]))
	reason, lines := uint64(binary.LittleEndian.Uint32(b[16:])), uint64(binary.LittleEndian.Uint32(b[20:]))
	rest := b[pyhost.ResponseHeadSize:]
	table := uint64(count) * pyhost.LineSize
	if !statusFits(kind, status) || length < -1 || uint64(len(rest)) != table+reason+lines {
		return errHead
	}
	*h = ResponseHead{Status: status, BodyLength: length,
		HasDate: flags&pyhost.HeadDate != 0, HasServer: flags&pyhost.HeadServer != 0, Close: flags&pyhost.HeadClose != 0,
		table: rest[:table], Reason: rest[table : table+reason], Lines: rest[table+reason:]}
	return h.check()
}

// statusFits says whether a head of this kind may have the status.
func statusFits(kind uint32, status int) bool {
	switch kind {
	case pyhost.RecordHints:
		return status == earlyHints
	case pyhost.RecordAccept:
		return status == accepted
	}
	return status >= 200 && status <= 999
}

// check holds the table of lines against the lines: they follow each other without a
// gap, each is "name: value CRLF".
func (h *ResponseHead) check() error {
	end := 0
	for n := 0; n < len(h.table); n += pyhost.LineSize {
		from, nameSize, to := h.line(n)
		if from != end || nameSize < 1 || to < from+nameSize+2 || to+2 > len(h.Lines) ||
			h.Lines[from+nameSize] != ':' || h.Lines[from+nameSize+1] != ' ' || h.Lines[to] != '\r' || h.Lines[to+1] != '\n' {
			return errHead
		}
		end = to + 2
	}
	if end != len(h.Lines) {
		return errHead
	}
	return nil
}

// incoming is how far the front has read the response pipe's records.
type incoming struct {
	headDone bool
	head     ResponseHead
	copy     []byte // the head record, as far as it has come
	need     int    // its size; 0 before its record was seen
	kind     uint32 // of the record that is copied
	hinted   bool   // head is early hints, which Hints has not returned yet
	left     uint32 // bytes of the current BODY record still to come
	piece    bool   // a FILE record's header was read, its payload is next
	fileDue  bool   // file is the next part of the body
	file     File
	tail     *tail // a TRAILERS record's header was read; nil: not so
}

// headMemory is how much memory for a head a connection keeps between requests.
const headMemory = 2048

func (in *incoming) release() {
	keep := in.copy[:0]
	if cap(keep) > headMemory {
		keep = nil
	}
	if in.fileDue {
		closeFile(in.file.FD)
	}
	*in = incoming{copy: keep}
}

// record reads the next record's header, if it is there whole.
func record(a, b []byte) (kind, size uint32, ok bool) {
	if len(a)+len(b) < pyhost.RecordSize {
		return 0, 0, false
	}
	var raw [pyhost.RecordSize]byte
	take(raw[:], a, b)
	return binary.LittleEndian.Uint32(raw[:]), binary.LittleEndian.Uint32(raw[4:]), true
}

// Head is the response's head, or nil as long as it is not there whole. When it comes to
// early hints it returns nil, and goes on when Hints has been asked for them.
func (x *Exchange) Head() *ResponseHead {
	if x.in.headDone {
		return &x.in.head
	}
	if x.run == nil || x.fail != Waiting || x.in.hinted {
		return nil
	}
	ok, err := x.readHead()
	if err != nil {
		x.broken(err)
	}
	if !ok {
		return nil
	}
	return &x.in.head
}

// Hints returns early hints that Head has come to, once; nil if there are none. There may be
// more before the response's head.
func (x *Exchange) Hints() *ResponseHead {
	if !x.in.hinted {
		return nil
	}
	x.in.hinted = false
	return &x.in.head
}

// readHead copies a head record out of the pipe, in pieces if it is longer than the pipe,
// and decodes the copy. It reports whether that is the response's head, whole.
func (x *Exchange) readHead() (bool, error) {
	r, in := x.run, &x.in
	p := &r.shared().Response
	a, b, err := pipePeek(p, r.gen.seg.responseBytes(r.stream))
	if err != nil {
		return false, err
	}
	if in.need == 0 {
		kind, size, ok := record(a, b)
		if !ok {
			return false, nil
		}
		due := kind == pyhost.RecordHead || kind == pyhost.RecordHints || kind == pyhost.RecordAccept && x.socket.asked
		if in.kind = kind; !due || !isHeadSize(size) {
			return false, fmt.Errorf("%w: record %d of %d bytes where a head was due", errHead, kind, size)
		}
		in.need = int(size)
		a, b = skip(a, b, pyhost.RecordSize)
		x.taken(pyhost.RecordSize)
	}
	n := min(in.need-len(in.copy), len(a)+len(b))
	first := min(n, len(a))
	in.copy = append(append(in.copy, a[:first]...), b[:n-first]...)
	x.taken(n)
	if len(in.copy) < in.need {
		return false, nil
	}
	if err := decodeHead(&in.head, in.kind, in.copy); err != nil {
		return false, err
	}
	if in.kind == pyhost.RecordHints { // the memory is its head's until this is called again
		in.hinted, in.need, in.copy = true, 0, in.copy[:0]
		return false, nil
	}
	in.headDone = true
	if in.kind == pyhost.RecordAccept {
		x.socket.open = true
		r.socket.Store(true)
	}
	return true, nil
}

func skip(a, b []byte, n int) (c, d []byte) {
	if n < len(a) {
		return a[n:], b
	}
	return b[n-len(a):], nil
}

// taken frees n bytes of the response pipe. A worker that waits for room is woken when less
// than half of the pipe is full: for every piece that is taken would be too often. It does not
// wait in vain, since what is left is taken, too.
func (x *Exchange) taken(n int) {
	if n > 0 {
		r := x.run
		if used := pipeSkip(&r.shared().Response, n); 2*used < uint32(r.gen.seg.pipe) {
			r.wakeWriter()
		}
	}
}

// Body returns the body bytes that can be sent now, in at most two pieces that lie in
// shared memory. They are good until the turn ends or Advance is called. There are none
// while a file is next: File has it then.
func (x *Exchange) Body() (a, b []byte) {
	if !x.in.headDone || x.fail != Waiting {
		return nil, nil
	}
	r := x.run
	p, ring := &r.shared().Response, r.gen.seg.responseBytes(r.stream)
	for !x.in.fileDue {
		a, b, err := pipePeek(p, ring)
		if err == nil && x.in.left == 0 {
			var ok bool
			if ok, err = x.readRecord(a, b); ok {
				continue // an empty record is passed over, the pieces are taken anew
			}
			if err == nil {
				return nil, nil
			}
		}
		if err != nil {
			x.broken(err)
			return nil, nil
		}
		n := int(min(uint64(x.in.left), uint64(len(a)+len(b))))
		first := min(n, len(a))
		return a[:first], b[:n-first]
	}
	return nil, nil
}

// readRecord reads the next record up to its bytes, if it is there so far.
func (x *Exchange) readRecord(a, b []byte) (bool, error) {
	if x.in.piece {
		return x.readFile(a, b)
	}
	if x.in.tail != nil {
		return false, x.readTail(a, b)
	}
	kind, size, ok := record(a, b)
	switch {
	case !ok:
		return false, nil
	case kind == pyhost.RecordBody:
		x.in.left = size
	case kind == pyhost.RecordFile && size == pyhost.FileSize:
		x.in.piece = true
	case kind == pyhost.RecordTrailers && isHeadSize(size):
		x.in.tail = &tail{need: int(size)}
	default:
		return false, fmt.Errorf("record %d of %d bytes where body bytes were due", kind, size)
	}
	x.taken(pyhost.RecordSize)
	return true, nil
}

// Advance says that n of the bytes that Body returned were sent, or are not wanted.
func (x *Exchange) Advance(n int) {
	x.in.left -= uint32(n)
	x.socket.amid = x.in.left > 0
	x.taken(n)
}
