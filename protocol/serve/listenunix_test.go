package serve

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A socket's file has its mode and its owner, whatever the umask.
func TestSocketFile(t *testing.T) {
	path := tempSocket(t)
	defer unix.Umask(unix.Umask(0o077))
	group := os.Getegid()
	for _, mode := range []uint32{0o600, 0o660, 0o777} {
		l, err := (&Listening{File: SocketFile{Mode: mode, User: os.Geteuid(), Group: group}}).Listen("uwsgi:unix:" + path)
		if err != nil {
			t.Fatal(err)
		}
		var s unix.Stat_t
		if err := unix.Lstat(path, &s); err != nil || s.Mode != unix.S_IFSOCK|mode || s.Uid != uint32(os.Geteuid()) || s.Gid != uint32(group) {
			t.Errorf("mode %o of %d:%d, %v, want %o", s.Mode, s.Uid, s.Gid, err, mode)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	l, err := (&Listening{File: SocketFile{Mode: 0o600, User: 12345, Group: 12346}}).Listen("unix:" + path)
	if os.Geteuid() != 0 {
		if err == nil || !strings.Contains(err.Error(), "only root may give it") {
			t.Errorf("another user's: %v", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a socket is left that has the wrong owner: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var s unix.Stat_t
	if err := unix.Lstat(path, &s); err != nil || s.Uid != 12345 || s.Gid != 12346 || s.Mode != unix.S_IFSOCK|0o600 {
		t.Errorf("it is %d's and %d's, mode %o, %v", s.Uid, s.Gid, s.Mode, err)
	}
}

// A file that is not the new socket is not touched.
func TestSocketFileOfAnother(t *testing.T) {
	path := tempSocket(t)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := path + "link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{path, link} {
		l := &Listener{path: at}
		file := DefaultSocketFile()
		if err := l.handOver(&file); err == nil || !strings.Contains(err.Error(), "another file in the place") {
			t.Errorf("%s: %v", at, err)
		}
		if err := l.removeFile(); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
}

// Of servers that find a dead one's socket at the same time one gets its path.
func TestDeadSocketIsReplacedOnce(t *testing.T) {
	path := tempSocket(t)
	for range 20 {
		dead, err := Listen("unix:" + path)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(dead.fd)
		var mu sync.Mutex
		var got []*Listener
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				l, err := Listen("unix:" + path)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					got = append(got, l)
				} else if !strings.Contains(err.Error(), "another program listens") {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(got) != 1 {
			t.Fatalf("%d servers have the path", len(got))
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if err := got[0].Close(); err != nil {
			t.Fatal(err)
		}
	}
}
