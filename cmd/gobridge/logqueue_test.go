package main

import (
	"bytes"
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
	var dropped int
	kept := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "line ") {
			if line != fmt.Sprintf("line %d", kept) {
				t.Fatalf("%q is not line %d", line, kept)
			}
			kept++
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
