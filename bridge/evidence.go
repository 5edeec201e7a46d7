package bridge

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/pyhost"
)

// evidence is what Python's faulthandler writes in a worker: the stacks of a crash, and
// of every thread when the front asks for them. The worker appends to a file in memory,
// and the front reads it and empties it.
type evidence struct {
	fd      int // of file
	file    *os.File
	mu      sync.Mutex  // held by who has asked for stacks
	stacked chan string // the worker has written them, or says why not
}

// StackField names the field of a log record that holds what a worker wrote: lines, for people.
const StackField = "stack"

const (
	evidenceSize = 64 << 10         // of what is there at most so much is told
	stacksTime   = 15 * time.Second // for a worker to write its stacks; it waits a second for the GIL
)

func newEvidence() (*evidence, error) {
	fd, err := pyhost.Memfd("evidence")
	if err != nil {
		return nil, err
	}
	// Of the open file, so it holds for the worker too: we may cut the file at any time.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_APPEND); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("prepare a file for evidence: %w", err)
	}
	return &evidence{fd: fd, file: os.NewFile(uintptr(fd), "evidence"), stacked: make(chan string, 1)}, nil
}

// take reads what has come since it was last called, without threads that run no Python.
func (e *evidence) take() string {
	buf := make([]byte, evidenceSize+1)
	n, err := e.file.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Sprintf("what the worker wrote cannot be read: %v", err)
	}
	if err := e.file.Truncate(0); err != nil {
		return fmt.Sprintf("what the worker wrote cannot be emptied: %v", err)
	}
	if n > evidenceSize {
		return tidy(string(buf[:evidenceSize])) + "\n(the rest is left out)"
	}
	return tidy(string(buf[:n]))
}

// tidy leaves out the paragraphs of threads that have no line of Python to show.
func tidy(text string) string {
	var kept []string
	for p := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if _, stack, _ := strings.Cut(p, "\n"); strings.TrimSpace(stack) != "<no Python frame>" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "\n\n")
}

// answer is the worker's answer to who asks for stacks: "", or why there are none.
func (e *evidence) answer(why string) {
	select {
	case e.stacked <- why:
	default: // nobody waits for it any more
	}
}

// stacks has the worker write the stack of every thread and returns them, or why there
// are none. A template is given the file with the question.
func (w *worker) stacks(file ...int) string {
	e := w.evidence
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.stacked: // late: it came after its time
	default:
	}
	if err := w.send(&pyhost.Message{Kind: pyhost.MsgStacks}, file...); err != nil {
		return fmt.Sprintf("there is no stack: the worker cannot be asked: %v", err)
	}
	late := time.NewTimer(stacksTime)
	defer late.Stop()
	select {
	case why := <-e.stacked:
		if why != "" {
			return "there is no stack: " + why
		}
	case <-late.C: // what is there is better than nothing
	}
	if text := e.take(); text != "" {
		return text
	}
	return "there is no stack: the worker wrote none"
}

func (e *evidence) close() { e.file.Close() }
