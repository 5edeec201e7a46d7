package serve

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A request that waits keeps its head, as the bridge has it, and nothing of the larger buffer that
// the head came in: that one is given back, and no longer counts in the budget.
func TestWaitingRequestsKeepNoBuffers(t *testing.T) {
	const requests, size = 150, 3 * 13_000 // a buffer of 64 KiB each
	long := strings.Repeat("a", size/3)
	http := way{name: "http", head: func(v ...string) string {
		return fmt.Sprintf("GET /wait HTTP/1.1\r\nHost: x\r\nA: %s\r\nB: %s\r\nC: %s\r\n\r\n", long, long, long)
	}}
	for _, w := range append([]way{http}, ways...) {
		t.Run(w.name, func(t *testing.T) {
			wait := make(chan struct{})
			bind := w.name + ":127.0.0.1:0"
			if w.name == "http" {
				bind = "127.0.0.1:0"
			}
			l, err := Listen(bind)
			if err != nil {
				t.Fatal(err)
			}
			s := startOn(t, l, 1, func(c *call) { <-wait }, allow(t, w.name, "127.0.0.1"))
			defer close(wait)
			head := w.head("REQUEST_METHOD=GET", "REQUEST_URI=/wait", "HTTP_A="+long, "HTTP_B="+long, "HTTP_C="+long)
			if w.body != nil {
				head += w.body("")
			}
			before := heap()
			for range requests {
				s.dial(t).send(head)
			}
			eventually(t, "all requests", func() bool { return s.begun() == requests })
			if each := (heap() - before) / requests; each > size+size/2 {
				t.Errorf("each takes %d bytes, and its head has %d", each, size)
			}
		})
	}
}

// heap is how much memory is in use, without garbage.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
