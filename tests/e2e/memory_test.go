package e2e

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"gobridge/tests/server"
)

// largeSize is a body that no process may hold as a whole.
const largeSize = 1 << 30

// slack is by how much a process may grow while such a body passes, in KiB.
const slack = 20 << 10

// TestLargeBodies sends a gigabyte up through the Django example and gets it down again:
// every byte comes back, and neither front nor worker holds more than pieces of it.
func TestLargeBodies(t *testing.T) {
	python := anyPython(t)
	s := startDjango(t, python, djangoData(t, python), "--workers", "1")
	b := newBrowser(t, s.Client(), s.URL(""))
	visitDjango(t, b, "warming up")
	highest := watchMemory(s)
	uploadAndDownload(b, "large", largeSize)
	for pid, m := range highest() {
		t.Logf("process %d: %d KiB before, %d KiB at most", pid, m.before, m.most)
		if m.most > m.before+slack {
			t.Errorf("process %d grew from %d KiB to %d KiB", pid, m.before, m.most)
		}
	}
}

// memory is a process's resident memory in KiB.
type memory struct{ before, most int }

// watchMemory looks at the front and its workers until the function that it returns is called.
func watchMemory(s *server.Server) func() map[int]memory {
	seen := map[int]memory{}
	for _, pid := range append(s.Workers(), s.Pid()) {
		now, _ := server.Status(pid, "VmRSS")
		seen[pid] = memory{now, now}
	}
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			for pid, m := range seen {
				now, _ := server.Status(pid, "VmRSS")
				seen[pid] = memory{m.before, max(m.most, now)}
			}
		}
	})
	return func() map[int]memory {
		close(stop)
		watching.Wait()
		return seen
	}
}

// TestNothingIsLeftBehind: after thousands of requests of every kind the processes have the
// descriptors, threads and memory that they had.
func TestNothingIsLeftBehind(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		s, _ := startBehaviour(t, "--python", p.path, "--host", host, "--workers", "1", "--threads", "2")
		manyRequests(t, s, 1000)
		before := belongings(t, s)
		manyRequests(t, s, 10000)
		// What is open for a moment is not what is left: that is there a minute later, too.
		if server.Await(func() bool { return len(more(before, belongings(t, s))) == 0 }) != nil {
			t.Error(more(before, belongings(t, s)))
		}
	})
}

// A belonging is what one process has: how many threads, how much memory (KiB), and what its
// descriptors are.
type belonging struct {
	threads, memory int
	descriptors     []string
}

// more says what the processes have that they did not have before.
func more(before, after map[string]belonging) (found []string) {
	for name, b := range before {
		if a := after[name]; len(a.descriptors) > len(b.descriptors) || a.threads != b.threads || a.memory > b.memory+4<<10 {
			found = append(found, fmt.Sprintf("%s: before %+v, after %+v", name, b, a))
		}
	}
	return found
}

func belongings(t *testing.T, s *server.Server) map[string]belonging {
	t.Helper()
	must(t, s.AtRest())
	all := map[string]belonging{}
	look := func(name string, pid int) {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		must(t, err)
		var open []string
		for _, e := range entries {
			what, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name())) // or it is closed by now
			open = append(open, what)
		}
		threads, err := server.Status(pid, "Threads")
		must(t, err)
		memory, err := server.Status(pid, "RssAnon")
		must(t, err)
		all[name] = belonging{threads, memory, open}
	}
	for _, pid := range s.Workers() {
		look("worker", pid)
	}
	look("front", s.Pid())
	front := all["front"]
	front.threads = 0 // Go starts one for each blocking call at a time, and never ends one
	all["front"] = front
	return all
}

// manyRequests sends n requests on a few connections that are kept: with and
// without bodies.
func manyRequests(t *testing.T, s *server.Server, n int) {
	t.Helper()
	const connections = 4
	var all sync.WaitGroup
	for range connections {
		c := connect(t, s)
		all.Go(func() {
			for i := range n / connections {
				if err := c.oneOfMany(i); err != nil {
					t.Error(err)
					return
				}
			}
			c.Close()
		})
	}
	all.Wait()
}

func (c *connection) oneOfMany(i int) error {
	method, text := "GET", "GET /pid HTTP/1.1\r\nHost: x\r\n\r\n"
	switch i % 4 {
	case 1:
		method, text = "POST", "POST /pid HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world"
	case 2:
		method, text = "HEAD", "HEAD /pid HTTP/1.1\r\nHost: x\r\n\r\n"
	case 3:
		method, text = "POST", "POST /pid HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	}
	if _, err := c.Write([]byte(text)); err != nil {
		return err
	}
	return c.receive(method).err
}
