package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gobridge/tests/server"
)

// result is what the quick clients of one measurement got.
type result struct {
	rate     float64 // requests a second
	p50, p99 time.Duration
	failed   int
	front    float64 // microseconds of processor time that the front spent for each
}

func (r result) String() string {
	return fmt.Sprintf("%.0f requests/s, p50 %v, p99 %v, %.1f us of the front each, %d failed", r.rate, r.p50.Round(time.Microsecond), r.p99.Round(time.Microsecond), r.front, r.failed)
}

// quick has clients ask one request after the other, each on a connection that it keeps.
func quick(s *server.Server, clients int, d time.Duration) (r result) {
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	spent := processorTime(s.Pid())
	end := time.Now().Add(d)
	for range clients {
		all.Go(func() {
			mine, err := ask(s, end)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if err != nil {
				r.failed++
			}
		})
	}
	all.Wait()
	if len(took) == 0 {
		return r
	}
	r.front = (processorTime(s.Pid()) - spent) / float64(len(took)) * 1e6
	slices.Sort(took)
	r.rate = float64(len(took)) / d.Seconds()
	r.p50, r.p99 = took[len(took)/2], took[len(took)*99/100]
	return r
}

// processorTime is what a process has had, in seconds.
func processorTime(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11]) // the kernel writes nothing but numbers there
	system, _ := strconv.Atoi(fields[12])
	return float64(user+system) / 100 // USER_HZ
}

// ask returns how long each request took, and why it had to stop before the end.
func ask(s *server.Server, end time.Time) (took []time.Duration, err error) {
	c, err := s.Dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(end.Add(time.Minute)); err != nil {
		return nil, err
	}
	in := bufio.NewReader(c)
	for began := time.Now(); began.Before(end); began = time.Now() {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			return took, err
		}
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			return took, err
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK || string(body) != "quick" {
			return took, fmt.Errorf("%s, %q, %v", response.Status, body, err)
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// share is what part of their requests quick clients get beside slow ones, at the median: of each
// round by what they got alone before and after it, for a machine is not as fast all the time.
func share(alone, beside []result) float64 {
	var parts []float64
	for i, r := range beside {
		parts = append(parts, 2*r.rate/(alone[i].rate+alone[i+1].rate))
	}
	slices.Sort(parts)
	return parts[len(parts)/2]
}
