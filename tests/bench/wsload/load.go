package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// authorDigits is how many bytes of a message are the number of the client that has sent it.
const authorDigits = 8

// patience is how long a server may take to open a WebSocket, and then to answer what is sent at once.
const patience = 30 * time.Second

// result is what a load has come to, in the words that the benchmarks use of wrk's.
type result struct {
	Messages int            `json:"requests"` // received while it counted
	Rate     float64        `json:"rate"`     // messages a second
	P50      float64        `json:"p50"`      // milliseconds from a message to its return
	P99      float64        `json:"p99"`
	Served   int            `json:"served"` // clients that received at least a tenth of the mean
	Errors   map[string]int `json:"errors"` // clients that ended early, by the reason
}

// worker is a client with what it has seen.
type worker struct {
	*client
	frame, own []byte // what it sends, and what it expects back
	received   int
	latencies  []time.Duration
	failure    error
}

// message is of so many bytes, and begins with its author's number.
func message(author, size int) []byte {
	m := fmt.Appendf(nil, "%0*d", authorDigits, author)
	return append(m, bytes.Repeat([]byte{'x'}, size-len(m))...)
}

// load has all clients send at once until the time is over.
func load(s *settings) (*result, error) {
	all := make([]*worker, s.connections)
	for i := range all {
		c, err := dial(s.address, s.path)
		if err != nil {
			return nil, fmt.Errorf("client %d of %d: %w", i+1, s.connections, err)
		}
		defer c.conn.Close()
		own := message(i, s.size)
		all[i] = &worker{client: c, own: own, frame: frame(opText, own)}
	}
	begin := time.Now()
	end := begin.Add(s.duration)
	var running sync.WaitGroup
	for _, w := range all {
		running.Go(func() { w.failure = w.run(end, s.mode == "broadcast") })
	}
	running.Wait()
	return sum(all, s.duration), nil
}

// run sends and receives until the time is over, which the deadline of a read may tell.
func (w *worker) run(end time.Time, room bool) error {
	if err := w.conn.SetDeadline(end); err != nil {
		return err
	}
	for {
		sent := time.Now()
		if sent.After(end) {
			return nil
		}
		err := w.send(w.frame)
		for own := false; err == nil && !own; {
			own, err = w.next(room)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		w.latencies = append(w.latencies, time.Since(sent))
	}
}

// next receives a message, and says whether it is the client's own. In a room there are others'.
func (w *worker) next(room bool) (own bool, err error) {
	got, err := w.receive()
	if err != nil {
		return false, err
	}
	own = bytes.Equal(got, w.own)
	if !own && (!room || len(got) != len(w.own)) {
		return false, fmt.Errorf("%d bytes came that are not what was sent", len(got))
	}
	w.received++
	return own, nil
}

func sum(all []*worker, duration time.Duration) *result {
	r := &result{Errors: map[string]int{}}
	var latencies []time.Duration
	for _, w := range all {
		r.Messages += w.received
		latencies = append(latencies, w.latencies...)
		if w.failure != nil {
			r.Errors[w.failure.Error()]++
		}
	}
	for _, w := range all {
		if w.received > 0 && w.received*len(all)*10 >= r.Messages {
			r.Served++
		}
	}
	slices.Sort(latencies)
	r.Rate = float64(r.Messages) / duration.Seconds()
	r.P50, r.P99 = percentile(latencies, 50), percentile(latencies, 99)
	return r
}

// percentile is the least latency, in milliseconds, that so many percent do not exceed.
func percentile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := max(0, (len(sorted)*percent+99)/100-1)
	return float64(sorted[at]) / float64(time.Millisecond)
}
