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
	"sync"
)

// hostLibraryName is the interpreter host's shared library.
const hostLibraryName = "gobridge-host.so"

//go:embed lib
var carried embed.FS

// sources are the C sources that this executable's own host was compiled from.
//
//go:embed *.c *.h
var sources embed.FS

var errNoHostLibrary = errors.New("this gobridge was built without " + hostLibraryName +
	", so it has the embedded host only: build it with `make build`, or lay the file beside the executable")

// errStaleHostLibrary is of a library that another state of the sources was built into, which
// happens when a changed source is followed by `go build` alone.
var errStaleHostLibrary = errors.New("was built from other C sources than gobridge itself: build both with `make build`")

// haveHostLibrary says whether hostLibrary can be expected to work, without writing anything.
func haveHostLibrary() error {
	_, _, err := findHostLibrary()
	return err
}

// findHostLibrary finds the library beside the executable (its path), or else the one
// carried inside it (its content).
func findHostLibrary() (beside string, content []byte, err error) {
	if beside = besideExecutable(); beside != "" {
		if content, err = os.ReadFile(beside); err != nil {
			return "", nil, err
		}
		return beside, content, checkFingerprint(beside, content)
	}
	if content, err = carried.ReadFile("lib/" + hostLibraryName); err != nil {
		return "", nil, errNoHostLibrary
	}
	return "", content, checkFingerprint("the "+hostLibraryName+" inside this gobridge", content)
}

// hostLibrary is the path of the interpreter host's library: the one beside the
// executable, else the one carried inside it, written into a private folder.
func hostLibrary() (string, error) {
	beside, content, err := findHostLibrary()
	if err != nil || beside != "" {
		return beside, err
	}
	dir, err := PrivateDir(true)
	if err != nil {
		return "", fmt.Errorf("write %s, which the interpreter is to load: %w, or lay the file beside the executable", hostLibraryName, err)
	}
	path, err := unpacked.keep(dir, content)
	if err != nil {
		return "", fmt.Errorf("write %s, which the interpreter is to load: %w", hostLibraryName, err)
	}
	return path, nil
}

// checkFingerprint looks for the fingerprint of our own sources in a library, into which
// scripts/build-host puts that of its sources.
func checkFingerprint(name string, library []byte) error {
	want, err := fingerprint()
	if err == nil && !bytes.Contains(library, []byte(want)) {
		err = fmt.Errorf("%s %w", name, errStaleHostLibrary)
	}
	return err
}

// fingerprint is the hash of the C sources as scripts/build-host makes it: of all *.c and
// then all *.h, in the order of their names.
var fingerprint = sync.OnceValues(func() (string, error) {
	hash := sha256.New()
	for _, pattern := range []string{"*.c", "*.h"} {
		names, err := fs.Glob(sources, pattern)
		if err != nil {
			return "", err
		}
		for _, name := range names {
			content, err := sources.ReadFile(name)
			if err != nil {
				return "", err
			}
			hash.Write(content)
		}
	}
	return "gobridge-host sources " + hex.EncodeToString(hash.Sum(nil)), nil
})

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
