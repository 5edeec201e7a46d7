package pyhost

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Libraries in the private folder: host-HASH.so for each build of gobridge, and
// host-*.new while one is written. Each process that uses one holds a shared lock on it for
// as long as it lives, and removes those that nobody holds. Who has one mapped does not
// need its file any more; a front needs it for the next interpreter that it starts.

// unfinished is the age at which a file that was never moved to its name is one that nobody
// will finish.
const unfinished = time.Hour

// unpacked is the library that this process uses.
var unpacked keeper

type keeper struct {
	mu   sync.Mutex
	path string
	held *os.File // open for its lock
}

// keep writes the library into the folder, or finds it there, and holds it until the
// process ends. It removes what other builds have left.
func (k *keeper) keep(dir string, content []byte) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for range 100 {
		path, err := unpack(dir, content)
		if err != nil {
			return "", err
		}
		if k.held != nil && path == k.path && isAt(k.held, path) {
			return path, nil
		}
		file, err := hold(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // somebody has removed it before it was held
		}
		if err != nil {
			return "", err
		}
		if k.held != nil {
			k.held.Close()
		}
		k.path, k.held = path, file
		removeStale(dir)
		return path, nil
	}
	return "", errors.New("it is removed again and again before it can be used")
}

// unpack writes content into the folder under a name that holds its hash, or finds
// it there. It is written beside and moved, so that a process that starts at the
// same time never loads half of it.
func unpack(dir string, content []byte) (string, error) {
	hash := sha256.Sum256(content)
	path := filepath.Join(dir, "host-"+hex.EncodeToString(hash[:12])+".so")
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, content) {
		return path, nil
	}
	file, err := os.CreateTemp(dir, "host-*.new")
	if err != nil {
		return "", err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	if err == nil {
		err = file.Chmod(0o500)
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = place(file.Name(), path, content)
	}
	if err != nil {
		return "", err
	}
	return path, nil
}

// place gives the new file its name, unless somebody else's with the same content has it
// by now: who holds that one would hold a file that no name leads to any more.
func place(from, path string, content []byte) error {
	if err := os.Link(from, path); err == nil {
		return nil
	}
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, content) {
		return nil
	}
	return os.Rename(from, path) // over a broken one, or where there are no links
}

// hold opens the file and locks it for reading. It is os.ErrNotExist when the file has been
// removed meanwhile. Where the file system knows no locks, it goes without one.
func hold(path string) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = lock(file, unix.LOCK_SH)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.ENOSYS) {
		return file, nil
	}
	if err == nil && !isAt(file, path) {
		err = os.ErrNotExist
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// lock waits only for who removes a file, and has looked and not removed it yet.
func lock(file *os.File, how int) error {
	for {
		if err := unix.Flock(int(file.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// isAt says whether the path still leads to the file.
func isAt(file *os.File, path string) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, there)
}

// removeStale removes the libraries that nobody holds, and what was never finished. What
// cannot be removed is left to the next one who starts.
func removeStale(dir string) {
	libraries, _ := filepath.Glob(filepath.Join(dir, "host-*.so"))
	for _, path := range libraries {
		removeUnheld(path)
	}
	begun, _ := filepath.Glob(filepath.Join(dir, "host-*.new"))
	for _, path := range begun {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > unfinished {
			os.Remove(path)
		}
	}
}

// removeUnheld removes a file under a lock of its own, so that nobody takes it meanwhile.
func removeUnheld(path string) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	if lock(file, unix.LOCK_EX|unix.LOCK_NB) == nil && isAt(file, path) {
		os.Remove(path)
	}
}
