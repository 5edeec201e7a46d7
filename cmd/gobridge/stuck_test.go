package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// looks are how a server is when it is looked at, one time after the other; the last one stays.
type looks []*serverStatus

func (l *looks) ask() (*serverStatus, error) {
	if len(*l) > 1 {
		*l = (*l)[1:]
	}
	return (*l)[0], nil
}

// of is a server with so many requests in the line, and one worker.
func of(line int, w workerStatus) *serverStatus {
	return &serverStatus{State: serving, Waiting: line, Generations: []generationStatus{{Number: 1, Workers: []workerStatus{w}}}}
}

func TestStuck(t *testing.T) {
	hung := workerStatus{Pid: 10, Running: 2, Queued: 1, Finished: 7}
	for _, c := range []struct {
		name  string
		looks looks
		want  string // in the error; "": it is not stuck
	}{
		{"nothing waits", looks{of(0, workerStatus{Pid: 10, Running: 1, Finished: 7})}, ""},
		{"they wait in the line and with the worker", looks{of(2, hung)}, "3 requests wait, and no worker has begun one for 1ms"},
		{"one waits with the worker", looks{of(0, hung)}, "1 request waits, and"},
		{"one waits in the line", looks{of(1, workerStatus{})}, "1 request waits, and"},
		{"one is begun", looks{of(2, hung), of(1, workerStatus{Pid: 10, Running: 2, Queued: 0, Finished: 7})}, ""},
		{"one is finished and the next one begun", looks{of(2, hung), of(1, workerStatus{Pid: 10, Running: 2, Queued: 1, Finished: 8})}, ""},
		{"more come", looks{of(2, hung), of(9, hung)}, "10 requests wait, and"},
		{"one that waits leaves", looks{of(2, hung), of(1, hung)}, "2 requests wait, and"},
		{"all that wait leave", looks{of(1, workerStatus{}), of(0, workerStatus{})}, ""},
		{"another worker comes", looks{of(2, hung), of(2, workerStatus{Pid: 11, Running: 1, Queued: 1})}, ""},
	} {
		s, stuck, err := watch(c.looks[0], time.Millisecond, c.looks.ask)
		switch {
		case err != nil || s != c.looks[0]:
			t.Errorf("%s: %+v, %v, want the last look", c.name, s, err)
		case c.want == "" && stuck != nil:
			t.Errorf("%s: %v", c.name, stuck)
		case c.want != "" && (stuck == nil || !strings.HasPrefix(stuck.Error(), c.want) || codeOf(stuck) != exitUnwell):
			t.Errorf("%s: %v, want %q", c.name, stuck, c.want)
		}
	}
	gone := errors.New("it has ended")
	if _, _, err := watch(of(1, hung), time.Minute, func() (*serverStatus, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Errorf("a server that ends meanwhile: %v", err)
	}
}
