package pyhost

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestUnpackWritesOnceAndMendsWhatIsBroken(t *testing.T) {
	dir := t.TempDir()
	content := bytes.Repeat([]byte("library"), 1000)
	path, err := unpack(dir, content)
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := unpack(dir, content)
	if err != nil || again != path {
		t.Fatalf("the second time: %s, %v", again, err)
	}
	if second, err := os.Stat(path); err != nil || !os.SameFile(first, second) {
		t.Errorf("it was written twice (%v)", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(dir, content); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("a broken file was kept: %d bytes, %v", len(got), err)
	}
	other, err := unpack(dir, append(content, 'x'))
	if err != nil || other == path {
		t.Errorf("another library has the same path %s (%v)", other, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func write(t *testing.T, path string, age time.Duration) string {
	t.Helper()
	if err := os.WriteFile(path, []byte("old"), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestKeepRemovesWhatNobodyUses: libraries of other builds go, but not those that a server
// holds, nor what is being written, nor what is not ours to remove.
func TestKeepRemovesWhatNobodyUses(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	unused := write(t, at("host-0123.so"), 0)
	abandoned, begun := write(t, at("host-1.new"), 2*unfinished), write(t, at("host-2.new"), 0)
	other := write(t, at("control.so"), 1000*time.Hour)
	link := at("host-4567.so")
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	var first, second keeper
	used, err := first.keep(dir, []byte("another build"))
	if err != nil {
		t.Fatal(err)
	}
	mine, err := second.keep(dir, []byte("this build"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{unused: false, abandoned: false, begun: true, other: true, link: true, used: true, mine: true} {
		if exists(path) != want {
			t.Errorf("%s is there: %v", filepath.Base(path), !want)
		}
	}
	first.held.Close() // that server has ended
	if again, err := second.keep(dir, []byte("this build")); err != nil || again != mine || !exists(used) {
		t.Errorf("looked at again while it is held: %s, %v", again, err)
	}
	var third keeper
	if _, err := third.keep(dir, []byte("this build")); err != nil || exists(used) || !exists(mine) {
		t.Errorf("the next start: %v, the ended one's is there: %v, the other's: %v", err, exists(used), exists(mine))
	}
}

// TestKeepComesBack: whoever clears the folder does not keep the next interpreter from its
// library, and the new file is held as the first was.
func TestKeepComesBack(t *testing.T) {
	dir := t.TempDir()
	var k, other keeper
	path, err := k.keep(dir, []byte("this build"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if again, err := k.keep(dir, []byte("this build")); err != nil || again != path || !exists(path) {
		t.Fatalf("%s, %v", again, err)
	}
	if _, err := other.keep(dir, []byte("another build")); err != nil || !exists(path) {
		t.Errorf("%v, and the file is there: %v", err, exists(path))
	}
}

// TestKeepAtTheSameTime: servers of two builds that start again and again do not take each
// other's library away.
func TestKeepAtTheSameTime(t *testing.T) {
	dir := t.TempDir()
	failed := make(chan error, 4)
	for i := range 4 {
		go func() {
			for range 200 {
				var k keeper
				content := []byte{byte(i % 2)}
				path, err := k.keep(dir, content)
				if err == nil {
					var there []byte
					if there, err = os.ReadFile(path); err == nil && !bytes.Equal(there, content) {
						err = os.ErrInvalid
					}
					k.held.Close()
				}
				if err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range 4 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
