package serve

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// maxUnixPath is what fits into sockaddr_un, without the NUL at its end.
const maxUnixPath = 107

// SocketFile says who may use the file of a unix socket. Connecting needs the right to write.
type SocketFile struct {
	Mode        uint32 // permission bits
	User, Group int    // numbers; -1: those of the process, or of the folder if that hands its group on
}

// DefaultSocketFile lets every local user connect, as to a port on 127.0.0.1: a proxy seldom
// runs as the application's user. The folder's mode says who may really come.
func DefaultSocketFile() SocketFile { return SocketFile{Mode: 0o666, User: -1, Group: -1} }

// listenUnix listens on a unix socket's path. A file that an earlier server left there is
// removed, but only if nobody answers on it.
func listenUnix(path string, file *SocketFile) (*Listener, error) {
	if path == "" {
		return nil, errors.New("there is no path behind unix:")
	}
	if path[0] == '@' {
		return nil, fmt.Errorf("sockets without a file are not supported: for a file of that name write unix:./%s", path)
	}
	if len(path) > maxUnixPath {
		return nil, fmt.Errorf("the path has %d bytes, and a unix socket's may have %d: choose a shorter one", len(path), maxUnixPath)
	}
	defer LockFolder(filepath.Dir(path))()
	if err := removeStale(path); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("create a socket: %w", err)
	}
	l := &Listener{fd: fd, url: "unix:" + path, path: path, serverName: "localhost", serverPort: "80"}
	if err := l.openUnix(file); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return l, nil
}

// openUnix makes the file, which admits nobody until it has the owner and the mode that it is
// to have, and listens.
func (l *Listener) openUnix(file *SocketFile) error {
	// The file's mode is the socket's own. (A umask would be that of all threads.)
	if err := unix.Fchmod(l.fd, 0); err != nil {
		return fmt.Errorf("have the new socket admit nobody at first: %w", err)
	}
	err := unix.Bind(l.fd, &unix.SockaddrUnix{Name: l.path})
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("the folder of the socket does not exist: create it: %w", err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EROFS):
		return fmt.Errorf("the folder of the socket cannot be written by this user: %w", err)
	case err != nil:
		return err
	}
	if err = l.handOver(file); err == nil {
		err = unix.Listen(l.fd, DefaultBacklog)
	}
	if err != nil {
		return errors.Join(err, l.removeFile())
	}
	return nil
}

// handOver gives the new file its owner and mode. It is held by a descriptor meanwhile: whoever
// else may write in the folder could put a link in its place.
func (l *Listener) handOver(file *SocketFile) error {
	fd, err := unix.Open(l.path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("look at the new socket: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &l.file); err != nil {
		return fmt.Errorf("look at the new socket: %w", err)
	}
	if l.file.Mode != unix.S_IFSOCK || l.file.Uid != uint32(os.Geteuid()) {
		l.file = unix.Stat_t{} // it is none of ours
		return errors.New("somebody has put another file in the place of the new socket: choose a folder that others may not write")
	}
	if file.User >= 0 || file.Group >= 0 {
		if err := unix.Fchownat(fd, "", file.User, file.Group, unix.AT_EMPTY_PATH); err != nil {
			return fmt.Errorf("give the socket to user %s and group %s (only root may give it to another user, and others only to a group that they are in): %w",
				idOr(file.User, "its own"), idOr(file.Group, "its own"), err)
		}
	}
	if err := os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), os.FileMode(file.Mode)); err != nil {
		return fmt.Errorf("give the socket the mode %04o: %w", file.Mode, err)
	}
	return nil
}

func idOr(id int, text string) string {
	if id < 0 {
		return text
	}
	return strconv.Itoa(id)
}

// removeStale removes the file of a socket on which nobody listens any more.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return errors.New("there is a file at this path which is not a socket: choose another path, or remove the file")
	}
	answered, err := answers(path)
	if err != nil {
		return fmt.Errorf("find out whether somebody listens there: %w", err)
	}
	if answered {
		return errors.New("another program listens on this socket: stop it, or choose another path")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the socket that nobody listens on any more: %w", err)
	}
	return nil
}

// answers says whether a program listens on the unix socket.
func answers(path string) (bool, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	if closed := unix.Close(fd); closed != nil {
		return false, closed
	}
	switch {
	case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EPROTOTYPE): // listening; its backlog full; not a stream
		return true, nil
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOENT):
		return false, nil
	}
	return false, err
}

// removeFile removes the listener's file, unless another one has taken its place.
func (l *Listener) removeFile() error {
	var now unix.Stat_t
	if err := unix.Lstat(l.path, &now); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		return fmt.Errorf("look at the socket %s: %w", l.path, err)
	}
	if now.Dev != l.file.Dev || now.Ino != l.file.Ino {
		return nil
	}
	return os.Remove(l.path)
}

// LockFolder keeps other servers from claiming paths in a folder at the same time: two that find
// the same dead socket there would each remove it, and one of them the other's new one. Who
// holds the lock for long is none of ours; and a folder that may not be locked, for want of
// rights or of locks in its file system, is used all the same.
func LockFolder(dir string) (unlock func()) {
	folder, err := os.Open(dir)
	if err != nil {
		return func() {} // why there can be no socket, the bind will say
	}
	for end := time.Now().Add(longestClaim); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			return func() { folder.Close() }
		}
	}
}

// longestClaim is longer than it takes to claim a path.
const longestClaim = 2 * time.Second
