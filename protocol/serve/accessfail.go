package serve

import "bytes"

// failing is what is known of writes to the access log that fail: a full disk, usually. Lines
// that cannot be written are lost, and counted; what is written before and after is whole lines.
type failing struct {
	failed bool   // the last write did
	lost   uint64 // lines since the first of them
	cut    bool   // the file ends amid a line
	amid   bool   // what was lost last ended amid a line: its rest is of no use
}

// write writes bytes of lines, perhaps not whole ones. It complains of the first failure in a
// row, and says when it is over.
func (a *accessLog) write(b []byte) {
	f := &a.failing
	if f.failed {
		if b = f.resume(b); len(b) == 0 {
			return
		}
	}
	n, err := 0, error(nil)
	if f.cut {
		_, err = a.out.Write([]byte{'\n'})
		f.cut = err != nil
	}
	if err == nil {
		n, err = a.out.Write(b)
	}
	switch {
	case err != nil:
		if !f.failed {
			a.log.Error().Err(err).Msg("the access log cannot be written: its lines are lost until it can")
		}
		f.fail(b, n)
	case f.failed:
		a.log.Info().Uint64("lines", f.lost).Msg("the access log can be written again; lines were lost")
		*f = failing{}
	}
}

// resume is what of b is worth writing after a failure.
func (f *failing) resume(b []byte) []byte {
	if f.amid {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return nil
		}
		b, f.amid = b[end+1:], false
	}
	return b
}

// fail notes that only n bytes of b were written.
func (f *failing) fail(b []byte, n int) {
	if n > 0 {
		f.cut = b[n-1] != '\n'
	}
	f.failed = true
	f.lost += uint64(bytes.Count(b[n:], []byte{'\n'}))
	if f.amid = b[len(b)-1] != '\n'; f.amid {
		f.lost++
	}
}
