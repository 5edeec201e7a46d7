package serve

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// smallDisk takes so many bytes, and then none until there is room again.
type smallDisk struct {
	text strings.Builder
	room int
}

func (d *smallDisk) Write(b []byte) (int, error) {
	n := min(len(b), d.room)
	d.room -= n
	d.text.Write(b[:n])
	if n < len(b) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func TestAccessLogOnAFullDisk(t *testing.T) {
	for _, c := range []struct {
		name   string
		room   int
		pieces []string // written before there is room again
		after  []string
		want   string
		lost   string
	}{
		{"full at a line's end", 4, []string{"one\n", "two\n", "three\n"}, []string{"four\n"}, "one\nfour\n", `"lines":2`},
		{"full amid a line", 6, []string{"one\ntwo\n", "three\n"}, []string{"four\n"}, "one\ntw\nfour\n", `"lines":2`},
		{"a piece ends amid a line that is lost", 0, []string{"one\ntw"}, []string{"o\nthree\n"}, "three\n", `"lines":2`},
		{"and again", 0, []string{"on"}, []string{"e", "\n", "two\n"}, "two\n", `"lines":1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var logs bytes.Buffer
			disk := &smallDisk{room: c.room}
			a := newAccessLog(disk, 1, 1<<10, zerolog.New(&logs))
			for _, p := range c.pieces {
				a.write([]byte(p))
			}
			disk.room = 1000
			for _, p := range c.after {
				a.write([]byte(p))
			}
			a.write([]byte("last\n"))
			if got := disk.text.String(); got != c.want+"last\n" {
				t.Errorf("the file has %q", got)
			}
			if strings.Count(logs.String(), "cannot be written") != 1 || strings.Count(logs.String(), "can be written again") != 1 || !strings.Contains(logs.String(), c.lost) {
				t.Errorf("the log: %s", &logs)
			}
		})
	}
}
