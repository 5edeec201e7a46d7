package pyhost

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// hostLibraryName is the interpreter host's shared library.
const hostLibraryName = "gobridge-host.so"

//go:embed lib
var carried embed.FS

var errNoHostLibrary = errors.New("this gobridge was built without " + hostLibraryName +
	", so it has the embedded host only: build it with `make build`, or lay the file beside the executable")

// haveHostLibrary says whether hostLibrary can be expected to work, without writing anything.
func haveHostLibrary() error {
	if besideExecutable() != "" {
		return nil
	}
	if _, err := fs.Stat(carried, "lib/"+hostLibraryName); err != nil {
		return errNoHostLibrary
	}
	return nil
}

// hostLibrary is the path of the interpreter host's library: the one beside the
// executable, else the one carried inside it, written into a private folder.
func hostLibrary() (string, error) {
	if path := besideExecutable(); path != "" {
		return path, nil
	}
	content, err := carried.ReadFile("lib/" + hostLibraryName)
	if err != nil {
		return "", errNoHostLibrary
	}
	dir, err := privateDir()
	if err != nil {
		return "", fmt.Errorf("write %s, which the interpreter is to load: %w", hostLibraryName, err)
	}
	path, err := unpack(dir, content)
	if err != nil {
		return "", fmt.Errorf("write %s, which the interpreter is to load: %w", hostLibraryName, err)
	}
	return path, nil
}

func besideExecutable() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	path := filepath.Join(filepath.Dir(self), hostLibraryName)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// privateDir is a folder of mode 0700 that belongs to this user, in a file system
// from which libraries may be loaded.
func privateDir() (string, error) {
	var refused []string
	for _, parent := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir()} {
		if parent == "" {
			continue
		}
		dir := filepath.Join(parent, fmt.Sprintf("gobridge-%d", os.Geteuid()))
		err := makePrivate(dir)
		if err == nil {
			return dir, nil
		}
		refused = append(refused, fmt.Sprintf("%s: %v", dir, err))
	}
	return "", fmt.Errorf("no private folder for it (%s): set TMPDIR to a folder of yours, or lay the file beside the executable",
		strings.Join(refused, "; "))
}

// makePrivate creates the folder or finds it good. In a shared /tmp another user
// may have made it first, and whoever owns it chooses what we would load.
func makePrivate(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return plain(err)
	}
	var info unix.Stat_t
	if err := unix.Lstat(dir, &info); err != nil {
		return err
	}
	var system unix.Statfs_t
	if err := unix.Statfs(dir, &system); err != nil {
		return err
	}
	switch {
	case info.Mode&unix.S_IFMT != unix.S_IFDIR:
		return errors.New("is not a folder")
	case info.Uid != uint32(os.Geteuid()):
		return fmt.Errorf("belongs to user %d", info.Uid)
	case info.Mode&0o077 != 0:
		return fmt.Errorf("is open to others (mode %#o)", info.Mode&0o777)
	case system.Flags&unix.ST_NOEXEC != 0:
		return errors.New("is mounted noexec")
	}
	return nil
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
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return "", err
	}
	return path, nil
}
