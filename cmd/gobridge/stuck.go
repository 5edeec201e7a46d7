package main

import (
	"fmt"
	"time"
)

// Whether a server is stuck can be seen from outside: requests wait, and no worker begins one.
// That is not the same as busy, where each worker that is through with one begins the next. It
// takes two looks at least, and so it is the command that looks, as often as it wants to know,
// and nothing is counted for it while requests are served.

// lookAgain is the time between two looks.
const lookAgain = 200 * time.Millisecond

// watch looks for so long whether a worker begins one of the requests that wait. It returns how
// the server was at last, and why it is stuck if it is.
func watch(s *serverStatus, limit time.Duration, ask func() (*serverStatus, error)) (last *serverStatus, stuck, err error) {
	first := s.begun()
	for end := time.Now().Add(limit); s.waits() > 0; {
		left := time.Until(end)
		if left <= 0 {
			return s, &exitError{exitUnwell, fmt.Errorf("%s, and no worker has begun one for %v", waitFor(s.waits()), limit)}, nil
		}
		time.Sleep(min(lookAgain, left))
		if s, err = ask(); err != nil {
			return nil, nil, err
		}
		if s.begun() != first {
			break
		}
	}
	return s, nil, nil
}

func waitFor(requests int) string {
	if requests == 1 {
		return "1 request waits"
	}
	return fmt.Sprintf("%d requests wait", requests)
}

// waits is the number of requests that no worker has begun: those in the line, and those that
// workers have been given ahead.
func (s *serverStatus) waits() int {
	n := s.Waiting
	for _, g := range s.Generations {
		for _, w := range g.Workers {
			n += w.Queued
		}
	}
	return n
}

// begun is a text that is another one as soon as a worker has begun a request, or another worker
// has come.
func (s *serverStatus) begun() string {
	var text []byte
	for _, g := range s.Generations {
		for _, w := range g.Workers {
			text = fmt.Appendf(text, "%d %d %d\n", g.Number, w.Pid, w.Finished+uint64(w.Running-w.Queued))
		}
	}
	return string(text)
}
