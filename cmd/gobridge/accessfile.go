package main

import (
	"io"
	"os"
	"sync/atomic"
)

// accessFile is the file of the access log. At SIGUSR1 it is opened anew, so that who has
// moved it away (logrotate) finds the new one begun.
type accessFile struct {
	path string
	file atomic.Pointer[os.File]
}

// openAccessLog opens the file of --access-log. nil: none is wanted. Standard output is
// nobody's to close or to open anew.
func openAccessLog(path string) (out io.Writer, file *accessFile, err error) {
	switch path {
	case "":
		return nil, nil, nil
	case "-":
		return os.Stdout, nil, nil
	}
	a := &accessFile{path: path}
	if err := a.open(); err != nil {
		return nil, nil, usage("--access-log: %w", err)
	}
	return a, a, nil
}

// open opens the path, and drops the file that was there until then. An error leaves that one.
func (a *accessFile) open() error {
	file, err := os.OpenFile(a.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	if old := a.file.Swap(file); old != nil {
		return old.Close() // which waits for a write that is under way
	}
	return nil
}

// Write appends lines. When the file is replaced meanwhile, they go into the new one.
func (a *accessFile) Write(b []byte) (n int, err error) {
	for {
		file := a.file.Load()
		n, err = file.Write(b)
		if n > 0 || err == nil || file == a.file.Load() {
			return n, err
		}
	}
}

// reopenAccessLog opens the access log's file anew, if it has one.
func (v *service) reopenAccessLog() {
	if v.access == nil {
		return
	}
	if err := v.access.open(); err != nil {
		v.log.Error().Err(err).Msg("the access log could not be opened anew: it goes on in the file that was opened before")
		return
	}
	v.log.Info().Str("file", v.access.path).Msg("the access log was opened anew")
}
