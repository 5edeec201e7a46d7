package main

import (
	"context"
	"os"
	"time"

	"github.com/rs/zerolog"
)

// touchLook is how often files are looked at. Asking the system to tell of changes would be
// quicker, but not by much, and has nothing to watch while a file or its folder is not there,
// or lies on another machine.
const touchLook = time.Second

// touchFiles are those at whose change the server reloads. They need not be there yet.
type touchFiles []*touchFile

type touchFile struct {
	path string
	seen os.FileInfo // when it was last there; nil: never
}

// watchTouches notes what the files are now, so that a change from here on counts.
func watchTouches(paths []string) (files touchFiles) {
	for _, path := range paths {
		f := &touchFile{path: path}
		f.changed()
		files = append(files, f)
	}
	return files
}

// run calls reload for each change until ctx ends. Changes that come while it reloads are
// one more.
func (files touchFiles) run(ctx context.Context, log zerolog.Logger, reload func(why string)) {
	if len(files) == 0 {
		return
	}
	look := time.NewTicker(touchLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if path := files.changed(); path != "" {
			log.Debug().Str("file", path).Msg("a file was touched")
			reload(path + " was touched")
		}
	}
}

// changed looks at all files, and names the first that has changed.
func (files touchFiles) changed() (path string) {
	for _, f := range files {
		if f.changed() && path == "" {
			path = f.path
		}
	}
	return path
}

// changed says whether the file is there and not as it was when it was last there: another
// one, or with another time or size.
func (f *touchFile) changed() bool {
	now, err := os.Stat(f.path)
	if err != nil {
		return false // it is not there at the moment
	}
	before := f.seen
	f.seen = now
	return before == nil || !os.SameFile(before, now) || !before.ModTime().Equal(now.ModTime()) || before.Size() != now.Size()
}
