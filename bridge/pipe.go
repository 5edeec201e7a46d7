package bridge

import (
	"errors"
	"sync/atomic"

	"gobridge/pyhost"
)

// A pipe is a ring of bytes between the front and one worker. The front writes
// the request pipe and reads the response pipe; pipe.c is the other end of both.
// `written` holds {base, write} in one word, `read` counts what was read; all
// three only grow, modulo 2^32.

// errPipe means that a worker's counters make no sense: it (or its application)
// has written over the shared memory.
var errPipe = errors.New("the worker's pipe counters are out of range")

// span returns up to n bytes of the ring beginning at place, in at most two pieces.
func span(ring []byte, place, n uint32) (a, b []byte) {
	if left := uint32(len(ring)) - place; n > left {
		return ring[place:], ring[:n-left]
	}
	return ring[place : place+n], nil
}

// pipeWrite copies what fits of data into the pipe and publishes it. It returns the
// number of bytes taken.
func pipeWrite(p *pyhost.Pipe, ring []byte, data []byte) (int, error) {
	size := uint32(len(ring))
	word := atomic.LoadUint64(&p.Written) // the front's own
	base, write := uint32(word>>32), uint32(word)
	used := write - atomic.LoadUint32(&p.Read)
	if used > size {
		return 0, errPipe
	}
	if used == 0 {
		base = write
	}
	n := min(size-used, uint32(min(len(data), int(size))))
	if n == 0 {
		return 0, nil
	}
	a, b := span(ring, (write-base)&(size-1), n)
	copy(b, data[copy(a, data[:n]):n])
	atomic.StoreUint64(&p.Written, uint64(base)<<32|uint64(write+n)) //gb:step body_written
	return int(n), nil
}

// pipeRecord copies a record's header and payload into the pipe and publishes both at once. It
// returns where the record ends, by the writer's counter; false: it does not fit.
func pipeRecord(p *pyhost.Pipe, ring, header, payload []byte) (end uint32, ok bool) {
	size := uint32(len(ring))
	word := atomic.LoadUint64(&p.Written) // the front's own
	base, write := uint32(word>>32), uint32(word)
	used := write - atomic.LoadUint32(&p.Read)
	n := uint64(len(header)) + uint64(len(payload))
	if used > size || n > uint64(size-used) {
		return 0, false
	}
	if used == 0 {
		base = write
	}
	place := (write - base) & (size - 1)
	a, b := span(ring, place, uint32(n))
	for _, piece := range [2][]byte{header, payload} {
		m := copy(a, piece)
		a = a[m:]
		b = b[copy(b, piece[m:]):]
	}
	end = write + uint32(n)
	atomic.StoreUint64(&p.Written, uint64(base)<<32|uint64(end)) //gb:step body_written
	return end, true
}

// pipePeek returns the bytes that can be read, in at most two pieces.
func pipePeek(p *pyhost.Pipe, ring []byte) (a, b []byte, err error) {
	size := uint32(len(ring))
	word := atomic.LoadUint64(&p.Written)
	base, write := uint32(word>>32), uint32(word)
	read := atomic.LoadUint32(&p.Read) // the front's own
	n := write - read
	if n > size && !plantedBug {
		return nil, nil, errPipe
	}
	a, b = span(ring, (read-base)&(size-1), n)
	return a, b, nil
}

// pipeSkip makes n bytes that were peeked free for the writer. It returns how many there are
// to be read then.
func pipeSkip(p *pyhost.Pipe, n int) uint32 {
	read := atomic.LoadUint32(&p.Read) + uint32(n)
	atomic.StoreUint32(&p.Read, read) //gb:step room_made
	return uint32(atomic.LoadUint64(&p.Written)) - read
}

// pipeEmpty says whether there is nothing to read.
func pipeEmpty(p *pyhost.Pipe) bool {
	return uint32(atomic.LoadUint64(&p.Written)) == atomic.LoadUint32(&p.Read)
}

// take copies n bytes from the two pieces of a peek into dst.
func take(dst []byte, a, b []byte) { copy(dst[copy(dst, a):], b) }
