package serve

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Spool is a folder in which request bodies are stored that are too long for memory, each
// in a file without a name: it goes away with its last descriptor, however this process ends.
type Spool struct {
	dir     string
	memory  bool // it is a tmpfs: what is stored there is memory
	named   bool // its system makes no files without a name: they get one for a moment
	reserve uint64
	budget  *budget // pays for what is stored in memory
	numbers atomic.Uint64
}

// tmpfs and ramfs, as statfs calls them (linux/magic.h).
const (
	magicTmpfs = 0x01021994
	magicRamfs = 0x858458f6
)

// OpenSpool makes sure that files can be stored in the folder.
func OpenSpool(dir string) (*Spool, error) {
	var about unix.Statfs_t
	if err := unix.Statfs(dir, &about); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	s := &Spool{dir: dir, memory: about.Type == magicTmpfs || about.Type == magicRamfs}
	// Others live on that disk, too, and what they write there (a log) may matter more.
	s.reserve = min(about.Blocks*uint64(about.Bsize)/20, 64<<20)
	fd, err := s.open()
	if err == nil {
		_, err = unix.Write(fd, make([]byte, 4096))
		unix.Close(fd)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: a file cannot be stored there: %w", dir, err)
	}
	return s, nil
}

// Dir is the folder.
func (s *Spool) Dir() string { return s.dir }

// InMemory says whether the folder is in memory, being a tmpfs.
func (s *Spool) InMemory() bool { return s.memory }

// Free is how many bytes may be stored at the moment.
func (s *Spool) Free() (uint64, error) {
	var about unix.Statfs_t
	if err := unix.Statfs(s.dir, &about); err != nil {
		return 0, err
	}
	free := about.Bavail * uint64(about.Bsize)
	if about.Blocks == 0 { // a tmpfs without a limit
		return 1 << 62, nil
	}
	return free - min(free, s.reserve), nil
}

// open makes a file without a name.
func (s *Spool) open() (int, error) {
	if !s.named {
		fd, err := unix.Open(s.dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err == nil || !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
			return fd, err
		}
	}
	name := fmt.Sprintf("%s/gobridge-%d-%d", s.dir, os.Getpid(), s.numbers.Add(1))
	fd, err := unix.Open(name, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err == nil {
		err = unix.Unlink(name)
	}
	return fd, err
}

// spooled is a body's file.
type spooled struct {
	spool   *Spool
	fd      int
	size    int64
	charged int64 // bytes that the budget was charged with
}

// create makes a file for a body of so many bytes; -1: nobody knows.
func (s *Spool) create(size int64) (*spooled, error) {
	if err := s.fits(max(size, 0)); err != nil {
		return nil, err
	}
	fd, err := s.open()
	if err != nil {
		return nil, shortageOf(err)
	}
	return &spooled{spool: s, fd: fd}, nil
}

// fits returns an error if there is no room for so many bytes more.
func (s *Spool) fits(n int64) error {
	if free, err := s.Free(); err == nil && free < uint64(n) {
		return shortageOf(unix.ENOSPC)
	}
	return nil
}

// write appends bytes; all or an error.
func (f *spooled) write(b []byte) error {
	if f.spool.memory {
		if !f.spool.budget.take(int64(len(b))) {
			return &shortage{memoryShort, "a request body has no room in memory, where the spool folder is", errBudget}
		}
		f.charged += int64(len(b))
	}
	for len(b) > 0 {
		n, err := unix.Pwrite(f.fd, b, f.size)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return shortageOf(err)
		}
		f.size += int64(n)
		b = b[n:]
	}
	return nil
}

// take gives the descriptor away, and what is to be given back to the budget when the file
// is no more.
func (f *spooled) take() (fd int, charged int64) {
	fd, charged = f.fd, f.charged
	f.fd, f.charged = -1, 0
	return fd, charged
}

func (f *spooled) close() {
	f.spool.budget.give(f.charged)
	f.charged = 0
	if f.fd >= 0 {
		closeFile(f.fd)
		f.fd = -1
	}
}

// shortage is why a body cannot be stored, if that may pass.
type shortage struct {
	refusal *refusal
	text    string // for the log
	err     error
}

func (s *shortage) Error() string { return s.err.Error() }
func (s *shortage) Unwrap() error { return s.err }

var errBudget = errors.New("the memory budget is used up")

func shortageOf(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EFBIG):
		return &shortage{diskFull, "a request body has no room on the disk of the spool folder: its client was told to try later", err}
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return &shortage{cannotStore, "a request body could not be stored for want of file descriptors: raise the limit (ulimit -n, LimitNOFILE=), or lower the limit of connections", err}
	}
	return err
}
