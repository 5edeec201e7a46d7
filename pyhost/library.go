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
	dir, err := PrivateDir(true)
	if err != nil {
		return "", fmt.Errorf("write %s, which the interpreter is to load: %w, or lay the file beside the executable", hostLibraryName, err)
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
