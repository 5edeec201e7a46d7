package bridge

import (
	"encoding/binary"
	"errors"
	"math"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// A worker can have the front send a piece of a file: it gives the descriptor through its
// control socket, and after that writes a record into the response pipe that says which
// piece. So a front that meets the record need never wait for the descriptor: what is not
// there by then, or in the socket, was not sent.
//
// A run holds at most one descriptor. It goes to whoever sends the response when its record
// is read, and from then on the worker may give the next one; or it is closed when the stream
// is queued anew, is free, or its client has left.

// File is a piece of a file that is the next part of a response's body.
type File struct {
	FD             int
	Offset, Length int64
}

// File returns the file that is next in the body, after Body has come to it. The
// descriptor is the caller's from then on, and the file no part of the exchange any more.
func (x *Exchange) File() (File, bool) {
	if !x.in.fileDue || x.fail != Waiting {
		return File{}, false
	}
	x.in.fileDue = false
	return x.in.file, true
}

var (
	errNoFile = errors.New("the response names a file whose descriptor was not sent")
	errPiece  = errors.New("the piece of a file that the response names cannot be")
)

// readFile reads what a FILE record says, if it is there whole.
func (x *Exchange) readFile(a, b []byte) (bool, error) {
	if len(a)+len(b) < pyhost.FileSize {
		return false, nil
	}
	var raw [pyhost.FileSize]byte
	take(raw[:], a, b)
	offset, length := binary.LittleEndian.Uint64(raw[:]), binary.LittleEndian.Uint64(raw[8:])
	if offset > math.MaxInt64 || length > math.MaxInt64-offset {
		return false, errPiece
	}
	fd, ok := x.descriptor()
	if !ok {
		return false, errNoFile
	}
	x.in.piece, x.in.fileDue = false, true
	x.in.file = File{FD: fd, Offset: int64(offset), Length: int64(length)}
	x.taken(pyhost.FileSize)
	return true, nil
}

// descriptor takes what the run holds. When nobody has heard the worker say it yet, it
// lies in the worker's socket.
func (x *Exchange) descriptor() (int, bool) {
	fd, w := x.run.takeFile()
	if fd < 0 && w != nil {
		w.hearOut(x.run)
		fd, _ = x.run.takeFile() //gb:step file_fetched
	}
	return fd, fd >= 0
}

// heldFile is a descriptor that a worker has sent for a run.
type heldFile struct {
	fd   int // while it is held
	held bool
}

// takeFile returns the descriptor; or -1, and the worker that may have sent one.
func (r *run) takeFile() (int, *worker) {
	d := &r.gen.bridge.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.file.held {
		r.file.held = false
		return r.file.fd, nil
	}
	if w := r.queuedFor.worker; w != nil && w.incarnation == pyhost.WordIncarnation(r.word) {
		return -1, w
	}
	return -1, nil // a later one: the run's own was heard out when it died
}

func (r *run) hasFile() bool {
	d := &r.gen.bridge.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	return r.file.held
}

// dropFile closes what is held. Called with dispatch.mu held.
func (r *run) dropFile() {
	if r.file.held {
		r.file.held = false
		closeFile(r.file.fd) //gb:step file_dropped
	}
}

// hold keeps a descriptor that a worker has sent, or closes it: it must be a regular
// file, for a stream that this very worker runs or has just run for a client who is still
// there, and that holds none.
func (g *generation) hold(w *worker, m *pyhost.Message, fds []int) bool {
	if len(fds) != 1 || m.A >= uint64(len(g.runs)) || !regular(fds[0]) {
		closeFiles(fds)
		return false
	}
	d := &g.bridge.dispatch
	d.mu.Lock()
	defer d.mu.Unlock()
	r := g.runs[m.A]
	if r.x == nil || r.file.held || w.incarnation != pyhost.WordIncarnation(r.word) ||
		m.B != pyhost.Word(pyhost.StateRunning, w.incarnation, pyhost.WordSequence(r.word)) || !r.begun() {
		closeFiles(fds)
		return false
	}
	r.file = heldFile{fd: fds[0], held: true} //gb:step file_held
	return true
}

// begun says whether a worker has claimed the run, and the front has not taken it back since.
func (r *run) begun() bool {
	state := r.state()
	return state == pyhost.StateRunning || state == pyhost.StateDone
}

// regular says whether a descriptor is of a file with bytes of its own. It asks nobody
// who could be far away and not answer.
func regular(fd int) bool {
	var status unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &status)
	return err == nil && status.Mode&unix.S_IFMT == unix.S_IFREG
}

func closeFiles(fds []int) {
	for _, fd := range fds {
		closeFile(fd)
	}
}

// closeFile does not wait: the last close of an unlinked file deletes it, which can take
// long.
func closeFile(fd int) { go unix.Close(fd) }
