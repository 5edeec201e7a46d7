package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// stuck is an output that takes nothing until it is freed.
type stuck struct {
	bytes.Buffer
	free chan struct{}
}

func (s *stuck) Write(b []byte) (int, error) {
	<-s.free
	return s.Buffer.Write(b)
}

func TestLogQueueNeverWaits(t *testing.T) {
	out := &stuck{free: make(chan struct{})}
	q := newLogQueue(out)
	const n = 2 * logQueueLines
	for i := range n {
		fmt.Fprintf(q, "line %d\n", i)
	}
	close(out.free)
	q.close()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	var dropped, number int
	kept, last := 0, -1
	for _, line := range lines {
		if _, err := fmt.Sscanf(line, "line %d", &number); err == nil {
			if number <= last {
				t.Fatalf("line %d comes behind line %d", number, last)
			}
			kept, last = kept+1, number
		} else if _, err := fmt.Sscanf(line, "gobridge: %d lines of the log were dropped", &dropped); err != nil {
			t.Errorf("%q", line)
		}
	}
	if kept < logQueueLines || kept+dropped != n {
		t.Errorf("%d lines kept and %d said to be dropped of %d", kept, dropped, n)
	}
}

func TestLogQueueEnds(t *testing.T) {
	q := newLogQueue(&stuck{free: make(chan struct{})})
	fmt.Fprintln(q, "nobody reads this")
	q.close() // returns
}

func TestLogQueueWritesWhatCameBeforeTheEnd(t *testing.T) {
	var out bytes.Buffer
	q := &logQueue{out: &out, lines: make(chan []byte, 64), stop: make(chan struct{}), stopped: make(chan struct{})}
	for range cap(q.lines) {
		fmt.Fprintln(q, "line")
	}
	close(q.stop) // before anybody has looked
	q.run()
	if n := strings.Count(out.String(), "line\n"); n != cap(q.lines) {
		t.Errorf("%d of %d lines were written", n, cap(q.lines))
	}
}

// fullDisk takes so many bytes, and no more until there is room again.
type fullDisk struct {
	text strings.Builder
	room int
}

func (d *fullDisk) Write(b []byte) (int, error) {
	n := min(len(b), d.room)
	d.room -= n
	d.text.Write(b[:n])
	if n < len(b) {
		return n, errors.New("disk full")
	}
	return n, nil
}

func TestLogOnAFullDisk(t *testing.T) {
	disk := &fullDisk{room: 6}
	q := &logQueue{out: disk}
	for _, line := range []string{"one\n", "two\n", "three\n"} {
		q.write([]byte(line))
	}
	disk.room = 1000
	q.write([]byte("four\n"))
	q.write([]byte("five\n"))
	if want := "one\ntw\ngobridge: 2 lines of the log were lost here: disk full\nfour\nfive\n"; disk.text.String() != want {
		t.Errorf("it has %q, want %q", disk.text.String(), want)
	}
}
