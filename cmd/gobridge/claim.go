package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/protocol/serve"
	"gobridge/pyhost"
)

// Where the control socket is: at the path that --control names; else in the user's private
// folder, under a name made of the application's folder and name, so that each application
// has its own and a file that a killed server left is the next one's to replace.

const (
	controlOff     = "off"
	controlPattern = "control-*"
	longestSocket  = 107 // what fits into sockaddr_un, without the NUL at its end
)

// errTaken says that a server listens on the path.
var errTaken = errors.New("another server listens on this control socket: stop it, or choose another path with --control")

// controlName is the file's name for an application.
func controlName(dir, application string) string {
	sum := sha256.Sum256([]byte(dir + "\x00" + application))
	return "control-" + hex.EncodeToString(sum[:8])
}

// startControl opens the control socket that the settings ask for. A path that was asked for
// must do; without one, a server that cannot have the socket serves all the same.
func (v *service) startControl() error {
	s := v.settings
	switch s.control {
	case controlOff:
		return nil
	case "":
		v.startOwnControl()
		return nil
	}
	path, err := filepath.Abs(s.control)
	if err == nil {
		defer serve.LockFolder(filepath.Dir(path))()
		v.control, err = openControl(path, v, v.log)
	}
	if err != nil {
		return &exitError{exitListen, fmt.Errorf("--control %s: %w", s.control, err)}
	}
	return nil
}

// startOwnControl opens it in the private folder.
func (v *service) startOwnControl() {
	s := v.settings
	none := func(err error) {
		v.log.Warn().Err(err).Msg("there is no control socket, so gobridge reload and status cannot find this server: give it a path with --control, or --control off")
	}
	dir, err := pyhost.PrivateDir(false)
	if err != nil {
		none(err)
		return
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		none(err)
		return
	}
	defer unlock()
	removeStale(dir)
	path := filepath.Join(dir, controlName(s.chdir, s.application))
	v.control, err = openControl(path, v, v.log)
	if errors.Is(err, errTaken) {
		path = fmt.Sprintf("%s-%d", path, os.Getpid())
		if v.control, err = openControl(path, v, v.log); err == nil {
			v.log.Info().Msgf("another server of this application runs already: for the commands reload and status this one is --control %s", path)
		}
	}
	if err != nil {
		none(err)
	}
}

// lockFolder keeps other servers from claiming paths in the folder at the same time.
func lockFolder(dir string) (unlock func(), err error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), folder.Close())
	}
	return func() { folder.Close() }, nil
}

// removeStale removes what killed servers have left in the folder.
func removeStale(dir string) {
	paths, _ := filepath.Glob(filepath.Join(dir, controlPattern)) // the pattern is good
	for _, path := range paths {
		if answered, err := listens(path); err == nil && !answered {
			os.Remove(path) // if that fails it stays, as it was
		}
	}
}

// claim listens on the path, on which nobody else may. The socket is made beside it and
// linked there when it listens already: nobody ever finds one that does not answer yet.
func claim(path string) (*net.UnixListener, os.FileInfo, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, nil, fmt.Errorf("this is a folder: name a file in it, like %s", filepath.Join(path, "control"))
	}
	born := fmt.Sprintf("%s.%d", path, os.Getpid())
	if len(born) > longestSocket {
		return nil, nil, fmt.Errorf("the path %s has %d bytes, and a unix socket's may have %d: choose a shorter one",
			path, len(path), longestSocket-(len(born)-len(path)))
	}
	if err := os.Remove(born); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, noPlace(filepath.Dir(path), err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: born, Net: "unix"})
	if err != nil {
		return nil, nil, noPlace(filepath.Dir(path), err)
	}
	defer os.Remove(born)
	listener.SetUnlinkOnClose(false)
	file, err := os.Lstat(born)
	if err == nil {
		err = os.Chmod(born, 0o600)
	}
	if err == nil {
		err = move(born, path)
	}
	if err != nil {
		return nil, nil, errors.Join(err, listener.Close())
	}
	return listener, file, nil
}

// noPlace says why there can be no socket in a folder. The socket is made under another name
// first, which would only puzzle who reads it.
func noPlace(folder string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s: create it, or choose another path", folder)
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%s is not a folder: choose another path", folder)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("user %d may not create files in the folder %s: let that user write there, or choose another path", os.Geteuid(), folder)
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("the folder %s is on a file system that is read-only: choose another path", folder)
	}
	return fmt.Errorf("create a socket in %s: %w", folder, err)
}

// move gives the socket its path, in the place of one on which nobody listens.
func move(born, path string) error {
	for {
		err := os.Link(born, path)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		answered, err := listens(path)
		if err != nil {
			return err
		}
		if answered {
			return errTaken
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the control socket on which nobody listens: %w", err)
		}
	}
}

// listens says whether a server listens on the path, where a socket should be if anything.
func listens(path string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return false, fmt.Errorf("there is a file at %s which is not a socket: choose another path, or remove the file", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		return true, conn.Close()
	case errors.Is(err, unix.EAGAIN): // its backlog is full
		return true, nil
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOENT):
		return false, nil
	}
	return false, fmt.Errorf("find out whether a server listens there: %w", err)
}
