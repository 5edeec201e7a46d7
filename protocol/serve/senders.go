package serve

import (
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"gobridge/protocol/fastcgi"
)

// The senders are the goroutines that wait for disks. There are few: when a disk hangs,
// the files on it wait, and so do those behind them, but nothing else does.
type senders struct {
	mu      sync.Mutex
	queue   []diskJob
	running int
}

// A diskJob is work that may wait for a disk: a part of a file to be sent (transfer), or of
// a body to be stored (spill). While a sender has it nobody else touches it.
type diskJob interface {
	mailed
	work()          // on a sender's goroutine
	home() *reactor // to which it returns
}

// mailed is what another goroutine has for a reactor.
type mailed interface {
	returned() // in its reactor's turn
	release()  // instead, when there is no reactor any more
}

const mostSenders = 8

// give has a job be done. It comes back through its reactor.
func (s *senders) give(t diskJob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, t)
	if s.running < mostSenders {
		s.running++
		go s.run()
	}
}

// withdraw takes a job back that no sender has begun.
func (s *senders) withdraw(t diskJob) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queue, t)
	if i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	return i >= 0
}

func (s *senders) next() diskJob {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.running--
		return nil
	}
	t := s.queue[0]
	s.queue = slices.Delete(s.queue, 0, 1)
	return t
}

func (s *senders) run() {
	for t := s.next(); t != nil; t = s.next() {
		t.work()
		t.home().handBack(t)
	}
}

// handBack gives something to its reactor, or ends it when there is no reactor any more.
// Any goroutine but the reactor's may call it.
func (r *reactor) handBack(t mailed) {
	r.mail.Lock()
	over := r.over
	if !over {
		r.sent = append(r.sent, t)
		r.waiting.Store(true)
	}
	r.mail.Unlock()
	if over {
		t.release()
		return
	}
	r.rouse()
}

// work sends what the socket takes, up to a part. The file's last byte sent, it is
// closed here, where it may take its time.
func (t *transfer) work() {
	t.sent, t.result, t.errno = 0, partSent, 0
	if t.seals {
		t.readSome()
	}
	for !t.seals && t.left > 0 && t.sent < transferPart && t.result == partSent {
		n := min(t.left, transferPart-t.sent)
		if t.record.id != 0 {
			if t.result = t.record.open(t.socket, t.left); t.result != partSent {
				break
			}
			n = min(n, int64(t.record.left))
		}
		t.sendSome(int(n))
	}
	if t.left == 0 {
		unix.Close(t.file)
		t.file = -1
	}
}

// readSome reads a part that the reactor is to seal and to send.
func (t *transfer) readSome() {
	n, errno := readFile(t.file, t.piece, t.offset)
	switch {
	case errno == unix.EINTR:
	case errno != 0:
		t.result, t.errno = fileBroken, errno
	case n == 0:
		t.result = fileShorter
	}
	t.offset += int64(n)
	t.left -= int64(n)
	t.sent = int64(n)
}

// sendSome sends up to n bytes.
func (t *transfer) sendSome(n int) {
	sent, errno := 0, unix.Errno(0)
	if t.copies {
		sent, errno = copyFile(t.socket, t.file, t.offset, n)
	} else {
		sent, errno = sendFile(t.socket, t.file, t.offset, n)
	}
	switch {
	case errno == unix.EINTR:
	case errno == unix.EAGAIN:
		t.result = socketFull
	case !t.copies && (errno == unix.EINVAL || errno == unix.ENOSYS || errno == unix.EOVERFLOW):
		t.copies = true // by hand, then
	case errno != 0 && ofFile(errno):
		t.result, t.errno = fileBroken, errno
	case errno != 0:
		t.result = clientGone
	case sent == 0:
		t.result = fileShorter
	}
	t.offset += int64(sent)
	t.left -= int64(sent)
	t.sent += int64(sent)
	if t.record.id != 0 {
		t.record.left -= sent
	}
}

// A record is one of FastCGI's in which a piece of a file is sent.
type record struct {
	id     uint16 // of the request; 0: files are sent as they are
	left   int    // bytes of the file that it has still to bring
	header []byte // what of its header is not sent
	memory [fastcgi.HeaderSize]byte
}

// open begins a record if none has begun, for a file of which so many bytes are left, and sends its
// header.
func (r *record) open(socket int, left int64) transferResult {
	if r.left == 0 {
		r.left = int(min(left, fastcgi.MaxContent))
		r.header = fastcgi.AppendStdoutHeader(r.memory[:0], r.id, r.left)
	}
	for len(r.header) > 0 {
		n, errno := send(socket, r.header)
		switch {
		case errno == unix.EAGAIN:
			return socketFull
		case errno != 0:
			return clientGone
		}
		r.header = r.header[n:]
	}
	return partSent
}

// ofFile tells errors of reading a file from those of a socket.
func ofFile(errno unix.Errno) bool {
	switch errno {
	case unix.EIO, unix.EBADF, unix.EINVAL, unix.ESTALE, unix.EISDIR, unix.EOVERFLOW, unix.EACCES, unix.EPERM, unix.ENODATA, unix.ENOMEM:
		return true
	}
	return false
}

// sendFile has the kernel send bytes of a file. The scheduler is told: it can take long.
// The file's own position, which the application shares, stays.
func sendFile(socket, file int, offset int64, n int) (int, unix.Errno) {
	sent, _, errno := unix.Syscall6(unix.SYS_SENDFILE, uintptr(socket), uintptr(file),
		uintptr(unsafe.Pointer(&offset)), uintptr(n), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(sent), 0
}

// copyFile does the same for files whose system cannot.
func copyFile(socket, file int, offset int64, n int) (int, unix.Errno) {
	b := make([]byte, min(n, 64<<10))
	got, errno := readFile(file, b, offset)
	if got == 0 {
		return 0, errno
	}
	return send(socket, b[:got])
}

// readFile reads into b, which has room.
func readFile(file int, b []byte, offset int64) (int, unix.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_PREAD64, uintptr(file), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(offset), 0, 0)
	if errno != 0 {
		if errno == unix.EAGAIN {
			errno = unix.EIO // it is the file that has nothing to give
		}
		return 0, errno
	}
	return int(n), 0
}
