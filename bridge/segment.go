package bridge

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// shape says how large a segment's parts are.
type shape struct {
	workers, reactors, streams, inbox int
	pipe                              int // bytes
	spin                              time.Duration
}

// segment is one generation's shared memory: a sealed memfd, mapped here and in
// each of its workers. The front fills it; layout.h says who writes what.
type segment struct {
	shape
	fd      int
	memory  []byte
	base    unsafe.Pointer
	header  pyhost.Header // the front's own copy: what lies in shared memory is not believed
	mask    uint32        // pipe size - 1
	summary int           // words in the upper level of a bitmap
}

const pageSize = 4096

func align(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }

// layOut computes where the parts of a segment of this shape begin.
func layOut(s shape) pyhost.Header {
	h := pyhost.Header{
		Magic: pyhost.Magic, Version: pyhost.LayoutVersion, HeaderSize: uint32(unsafe.Sizeof(pyhost.Header{})),
		Workers: uint32(s.workers), Reactors: uint32(s.reactors), Streams: uint32(s.streams),
		PipeSize: uint32(s.pipe), InboxEntries: uint32(s.inbox),
		SummaryWords: uint32((s.streams + 4095) / 4096), SpinNS: uint32(s.spin.Nanoseconds()),
	}
	h.ReactorsAt = align(uint64(h.HeaderSize), 64)
	h.WorkersAt = h.ReactorsAt + uint64(s.reactors)*uint64(unsafe.Sizeof(pyhost.Reactor{}))
	h.WorkerStride = align(uint64(unsafe.Sizeof(pyhost.Worker{}))+uint64(s.inbox)*uint64(unsafe.Sizeof(pyhost.Hint{})), 64)
	h.NewsAt = h.WorkersAt + uint64(s.workers)*h.WorkerStride
	h.NewsStride = align(uint64(h.SummaryWords)*8, 64) + align(uint64(s.streams)/8, 64)
	h.StreamsAt = h.NewsAt + 2*uint64(s.workers)*uint64(s.reactors)*h.NewsStride
	h.PipesAt = align(h.StreamsAt+uint64(s.streams)*uint64(unsafe.Sizeof(pyhost.Stream{})), pageSize)
	h.Size = h.PipesAt + 2*uint64(s.streams)*uint64(s.pipe)
	return h
}

// newSegment makes a segment of the given shape, its words all FREE, sealed so
// that nobody can change its size (a worker's ftruncate would end the front with
// SIGBUS).
func newSegment(s shape) (*segment, error) {
	h := layOut(s)
	fd, err := pyhost.Memfd("gobridge")
	if err != nil {
		return nil, err
	}
	memory, err := mapSegment(fd, int64(h.Size))
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	g := &segment{shape: s, fd: fd, memory: memory, base: unsafe.Pointer(&memory[0]), header: h,
		mask: uint32(s.pipe) - 1, summary: int(h.SummaryWords)}
	*(*pyhost.Header)(g.base) = h
	return g, nil
}

func mapSegment(fd int, size int64) ([]byte, error) {
	if err := unix.Ftruncate(fd, size); err != nil {
		return nil, fmt.Errorf("size shared memory to %d bytes: %w", size, err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return nil, fmt.Errorf("seal shared memory: %w", err)
	}
	memory, err := unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map shared memory of %d bytes: %w", size, err)
	}
	// A core dump of the front need not hold what clients sent.
	_ = unix.Madvise(memory, unix.MADV_DONTDUMP)
	return memory, nil
}

func (g *segment) close() error {
	err := unix.Munmap(g.memory)
	if e := unix.Close(g.fd); err == nil {
		err = e
	}
	g.memory, g.base = nil, nil
	return err
}

func (g *segment) reactor(i int) *pyhost.Reactor {
	return (*pyhost.Reactor)(unsafe.Add(g.base, g.header.ReactorsAt+uint64(i)*uint64(unsafe.Sizeof(pyhost.Reactor{}))))
}

func (g *segment) worker(i int) *pyhost.Worker {
	return (*pyhost.Worker)(unsafe.Add(g.base, g.header.WorkersAt+uint64(i)*g.header.WorkerStride))
}

func (g *segment) hint(worker int, at uint32) *pyhost.Hint {
	n := uint64(at & uint32(g.inbox-1))
	return (*pyhost.Hint)(unsafe.Add(unsafe.Pointer(g.worker(worker)), uint64(unsafe.Sizeof(pyhost.Worker{}))+n*uint64(unsafe.Sizeof(pyhost.Hint{}))))
}

func (g *segment) stream(i uint32) *pyhost.Stream {
	return (*pyhost.Stream)(unsafe.Add(g.base, g.header.StreamsAt+uint64(i)*uint64(unsafe.Sizeof(pyhost.Stream{}))))
}

// requestBytes is the memory of a stream's request pipe, responseBytes of its response pipe.
func (g *segment) requestBytes(i uint32) []byte  { return g.pipeBytes(2 * uint64(i)) }
func (g *segment) responseBytes(i uint32) []byte { return g.pipeBytes(2*uint64(i) + 1) }

func (g *segment) pipeBytes(n uint64) []byte {
	at := g.header.PipesAt + n*uint64(g.pipe)
	return g.memory[at : at+uint64(g.pipe) : at+uint64(g.pipe)]
}

// punch gives the pages of a free stream's pipes back to the system.
func (g *segment) punch(i uint32) error {
	at := g.header.PipesAt + 2*uint64(i)*uint64(g.pipe)
	return unix.Fallocate(g.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(at), 2*int64(g.pipe))
}

// reset makes a stream that the front owns ready for a request: both pipes empty,
// nobody waiting, no flag set. The word is left alone. These stores are plain ones: nobody
// else looks at a FREE stream, and the store of the word that queues it publishes them.
func (g *segment) reset(i uint32) {
	s := g.stream(i)
	s.Request, s.Response = pyhost.Pipe{}, pyhost.Pipe{}
	s.Front, s.Outcome = 0, pyhost.OutcomeAborted
}
