package pyhost

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestPrivateDirPrefersTheRuntimeFolder(t *testing.T) {
	runtime, temporary := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	for _, c := range []struct{ xdg, want string }{
		{runtime, runtime},
		{runtime, runtime}, // it is there already
		{"", temporary},
		{"/no/such/folder", temporary},
	} {
		t.Setenv("XDG_RUNTIME_DIR", c.xdg)
		dir, err := PrivateDir(true)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(dir) != c.want || info.Mode().Perm() != 0o700 {
			t.Errorf("XDG_RUNTIME_DIR=%q: private folder %s of mode %v, want one of 0700 in %s", c.xdg, dir, info.Mode(), c.want)
		}
	}
}

func TestPrivateDirIsNotSomebodyElses(t *testing.T) {
	elsewhere := t.TempDir()
	for _, c := range []struct {
		name    string
		prepare func(dir string) error
		says    string
	}{
		{"open to others", func(dir string) error { return os.Mkdir(dir, 0o755) }, "open to others"},
		{"a link", func(dir string) error { return os.Symlink(elsewhere, dir) }, "not a folder"},
		{"a file", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "not a folder"},
		{"another user's", func(dir string) error { return otherUsers(dir) }, "belongs to user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "gobridge")
			if err := c.prepare(dir); err != nil {
				t.Fatal(err)
			}
			err := makePrivate(dir, true)
			if err == nil || !strings.Contains(err.Error(), c.says) && !strings.Contains(err.Error(), "open to others") {
				t.Errorf("taken for private: %v", err)
			}
		})
	}
}

// otherUsers makes a folder that belongs to another user, or, for who may not do
// that, one that is at least open to them.
func otherUsers(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if os.Chown(dir, os.Geteuid()+1, -1) != nil {
		return os.Chmod(dir, 0o777)
	}
	return nil
}

func TestPrivateDirSaysWhatToDo(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/no/such/folder")
	t.Setenv("TMPDIR", "/neither/this")
	_, err := PrivateDir(true)
	for _, want := range []string{"/no/such/folder/gobridge-", "/neither/this/gobridge-", "set TMPDIR"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not contain %q", err, want)
		}
	}
}

// TestFingerprint: scripts/build-host and library.go mean the same by it, whatever the
// locale; a library of other sources is refused with what to do.
func TestFingerprint(t *testing.T) {
	if err := haveHostLibrary(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), hostLibraryName)
	build := exec.Command("../scripts/build-host", path)
	build.Env = append(os.Environ(), "LC_ALL=en_US.UTF-8")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	library, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkFingerprint("it", library); err != nil {
		t.Error(err)
	}
	at := bytes.Index(library, []byte("gobridge-host sources "))
	library[at+30] ^= 1
	err = checkFingerprint("it", library)
	if !errors.Is(err, errStaleHostLibrary) || !strings.Contains(err.Error(), "make build") {
		t.Errorf("a library of other sources: %v", err)
	}
}
