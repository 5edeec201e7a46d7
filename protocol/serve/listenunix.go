package serve

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// maxUnixPath is what fits into sockaddr_un, without the NUL at its end.
const maxUnixPath = 107

// unixMode lets every local user connect, as to a port on 127.0.0.1: a proxy seldom runs
// as the application's user. The folder's mode says who may really come.
const unixMode = 0o666

// listenUnix listens on a unix socket's path. A file that an earlier server left there is
// removed, but only if nobody answers on it.
func listenUnix(path string) (*Listener, error) {
	if path == "" {
		return nil, errors.New("there is no path behind unix:")
	}
	if path[0] == '@' {
		return nil, fmt.Errorf("sockets without a file are not supported: for a file of that name write unix:./%s", path)
	}
	if len(path) > maxUnixPath {
		return nil, fmt.Errorf("the path has %d bytes, and a unix socket's may have %d: choose a shorter one", len(path), maxUnixPath)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("create a socket: %w", err)
	}
	l := &Listener{fd: fd, url: "unix:" + path, path: path, serverName: "localhost", serverPort: "80"}
	if err := l.openUnix(); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return l, nil
}

func (l *Listener) openUnix() error {
	err := unix.Bind(l.fd, &unix.SockaddrUnix{Name: l.path})
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("the folder of the socket does not exist: create it: %w", err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EROFS):
		return fmt.Errorf("the folder of the socket cannot be written by this user: %w", err)
	case err != nil:
		return err
	}
	if err := unix.Lstat(l.path, &l.file); err != nil {
		return fmt.Errorf("look at the new socket: %w", err)
	}
	if err := os.Chmod(l.path, unixMode); err != nil {
		return fmt.Errorf("let others use the new socket: %w", err)
	}
	return unix.Listen(l.fd, DefaultBacklog)
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
