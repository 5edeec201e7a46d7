package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// A logQueue holds the log's lines until they are written. Standard error can be a pipe that
// nobody reads for a while: who logs, a reactor perhaps, must not wait for that. A line for
// which there is no room is dropped and counted, and the count is written when there is room.
type logQueue struct {
	out     io.Writer
	lines   chan []byte
	dropped atomic.Uint64
	lost    int   // lines that could not be written
	failure error // the last one's
	cut     bool  // the last line was not written whole. These three are run's own
	stop    chan struct{}
	stopped chan struct{}
}

const (
	logQueueLines = 4096
	logEndTime    = time.Second // for what is left at the end
)

func newLogQueue(out io.Writer) *logQueue {
	q := &logQueue{out: out, lines: make(chan []byte, logQueueLines), stop: make(chan struct{}), stopped: make(chan struct{})}
	go q.run()
	return q
}

// Write takes one line, and never waits.
func (q *logQueue) Write(line []byte) (int, error) {
	select {
	case q.lines <- append([]byte(nil), line...):
	default:
		q.dropped.Add(1)
	}
	return len(line), nil
}

func (q *logQueue) run() {
	defer close(q.stopped)
	for {
		select {
		case line := <-q.lines:
			q.write(line)
		case <-q.stop: // which may be seen before lines that came earlier
			q.rest()
			return
		}
	}
}

// rest writes the lines that are there.
func (q *logQueue) rest() {
	for {
		select {
		case line := <-q.lines:
			q.write(line)
		default:
			return
		}
	}
}

// write has nobody to tell of an error, a full disk perhaps: this is where errors are told.
// So it is told when lines can be written again.
func (q *logQueue) write(line []byte) {
	if q.lost > 0 {
		line = append(fmt.Appendf(nil, "gobridge: %d lines of the log were lost here: %v\n", q.lost, q.failure), line...)
		if q.cut {
			line = append([]byte{'\n'}, line...)
		}
	}
	if n, err := q.out.Write(line); err != nil {
		q.lost, q.failure, q.cut = q.lost+1, err, q.cut || n > 0
		return
	}
	q.lost, q.cut = 0, false
	if n := q.dropped.Swap(0); n > 0 {
		fmt.Fprintf(q.out, "gobridge: %d lines of the log were dropped, because standard error was not read\n", n)
	}
}

// close writes what is left, unless nobody reads it.
func (q *logQueue) close() {
	close(q.stop)
	select {
	case <-q.stopped:
	case <-time.After(logEndTime):
	}
}
