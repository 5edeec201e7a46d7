package pyhost

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// PrivateDir is a folder of mode 0700 that belongs to this user: gobridge-UID in
// XDG_RUNTIME_DIR, or else in the folder for temporary files. If something is to be
// executed from it, its file system allows that.
func PrivateDir(executable bool) (string, error) {
	var refused []string
	for _, parent := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir()} {
		if parent == "" {
			continue
		}
		dir := filepath.Join(parent, PrivateName(os.Geteuid()))
		err := makePrivate(dir, executable)
		if err == nil {
			return dir, nil
		}
		refused = append(refused, fmt.Sprintf("%s: %v", dir, err))
	}
	return "", fmt.Errorf("no private folder for it (%s): set TMPDIR to a folder of yours", strings.Join(refused, "; "))
}

// PrivateName is what a user's private folder is called.
func PrivateName(uid int) string { return fmt.Sprintf("gobridge-%d", uid) }

// makePrivate creates the folder or finds it good. In a shared /tmp another user
// may have made it first, and whoever owns it chooses what we would load.
func makePrivate(dir string, executable bool) error {
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
	case executable && system.Flags&unix.ST_NOEXEC != 0:
		return errors.New("is mounted noexec")
	}
	return nil
}
