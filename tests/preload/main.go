package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gobridge/tests/server"
)

const (
	back  = 20 * time.Millisecond // that a killed worker may be away, beyond an import of its own
	share = 25                    // percent of an unshared worker's memory that one more may take
)

// pages are what workers are asked for before their memory is looked at.
var pages = []string{"/", "/login/", "/admin/login/?next=/admin/", "/static/admin/css/base.css"}

// measure is what all measurements are made with.
type measure struct {
	python, django, here string // an environment with Django, the example's folder, this one
	data                 string // the example's database
	kills, requests      int
	wrong                int // promises that were not kept
}

func main() {
	var m measure
	flag.StringVar(&m.python, "python", ".venv/bin/python", "of an environment that has Django")
	flag.IntVar(&m.kills, "kills", 100, "how often a worker is killed")
	flag.IntVar(&m.requests, "requests", 1000, "that each worker has answered when its memory is looked at")
	flag.Parse()
	if err := m.run(); err != nil {
		fmt.Fprintln(os.Stderr, "preload:", err)
		os.Exit(1)
	}
	if m.wrong > 0 {
		os.Exit(1)
	}
}

func (m *measure) run() error {
	root, err := server.Root()
	if err != nil {
		return err
	}
	m.django, m.here = filepath.Join(root, "examples", "django"), filepath.Join(root, "tests", "preload")
	if m.python, err = filepath.Abs(m.python); err != nil {
		return err
	}
	if m.data, err = os.MkdirTemp("", "preload"); err != nil {
		return err
	}
	defer os.RemoveAll(m.data)
	for _, arguments := range [][]string{{"migrate", "--verbosity", "0"}, {"demo"}} {
		c := exec.Command(m.python, append([]string{"manage.py"}, arguments...)...)
		c.Dir, c.Env = m.django, append(os.Environ(), "DATA_DIR="+m.data, "PYTHONDONTWRITEBYTECODE=1")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("manage.py %v: %w\n%s", arguments, err, out)
		}
	}
	if err := m.replacements(); err != nil {
		return err
	}
	return m.memory()
}

// start serves the application; alive:application is in this folder, mysite is the example's.
func (m *measure) start(preload string, workers int) (*server.Server, error) {
	return server.Start(server.Config{Application: "alive:application", Dir: m.django,
		Args: []string{"--python", m.python, "--preload", preload, "--workers", strconv.Itoa(workers)},
		Env:  []string{"DATA_DIR=" + m.data, "PYTHONPATH=" + m.here}})
}

// promise says whether a value is as promised.
func (m *measure) promise(kept bool, format string, a ...any) {
	verdict := "as promised"
	if !kept {
		verdict = "NOT AS PROMISED"
		m.wrong++
	}
	fmt.Printf("  "+format+": %s\n", append(a, verdict)...)
}

// ---- How soon a worker is back.

func (m *measure) replacements() error {
	fmt.Printf("the one worker of the Django example is killed %d times; a request sent then is answered after\n", m.kills)
	for _, preload := range []string{"auto", "off"} {
		times, imported, err := m.replace(preload)
		if err != nil {
			return err
		}
		limit := back
		if preload == "off" {
			limit += imported
		}
		middle, most := times[len(times)/2], times[len(times)*9/10]
		m.promise(middle <= limit, "preload %-4s %v at the median, %v at nine of ten (an import takes %v, the limit is %v)", preload,
			round(middle), round(most), round(imported), round(limit))
	}
	return nil
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// replace kills the worker again and again. The times are sorted; imported is the median
// time that workers say their import has taken.
func (m *measure) replace(preload string) (times []time.Duration, imported time.Duration, err error) {
	s, err := m.start(preload, 1)
	if err != nil {
		return nil, 0, err
	}
	defer s.Kill()
	client := s.Client()
	var imports []time.Duration
	for range m.kills {
		workers := s.Workers()
		if len(workers) != 1 {
			return nil, 0, fmt.Errorf("there are the workers %v", workers)
		}
		begin := time.Now()
		if err := syscall.Kill(workers[0], syscall.SIGKILL); err != nil {
			return nil, 0, err
		}
		took, err := alive(client, s.URL("/alive"))
		if err != nil {
			return nil, 0, err
		}
		times = append(times, time.Since(begin))
		imports = append(imports, took)
	}
	slices.Sort(times)
	slices.Sort(imports)
	return times, imports[len(imports)/2], s.Stop()
}

// alive asks, and returns how long the import took.
func alive(c *http.Client, url string) (time.Duration, error) {
	text, err := get(c, url)
	if err != nil {
		return 0, err
	}
	return time.ParseDuration(text + "ms")
}

func get(c *http.Client, url string) (string, error) {
	r, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d\n%s", url, r.StatusCode, text)
	}
	return string(text), err
}

// ---- How much memory one more takes.

func (m *measure) memory() error {
	fmt.Printf("memory (PSS) of all processes, and of one worker, when each worker has answered %d requests\n", m.requests)
	tree, worker := map[string]int{}, map[string]int{}
	for _, c := range []struct {
		preload string
		workers int
	}{{"off", 1}, {"off", 2}, {"auto", 1}, {"auto", 2}} {
		key := fmt.Sprint(c.preload, c.workers)
		var err error
		if tree[key], worker[key], err = m.loaded(c.preload, c.workers); err != nil {
			return err
		}
		fmt.Printf("  preload %-4s %d workers: %6d KiB, %6d KiB\n", c.preload, c.workers, tree[key], worker[key])
	}
	more, own := tree["auto2"]-tree["auto1"], worker["off1"]
	m.promise(more*100 <= own*share, "with preload the second worker takes %d KiB, %.1f %% of the %d KiB that one takes without (the limit is %d %%)",
		more, float64(more)/float64(own)*100, own, share)
	return nil
}

// loaded returns the memory of all processes and of a worker, after the requests, in KiB.
func (m *measure) loaded(preload string, workers int) (tree, worker int, err error) {
	s, err := m.start(preload, workers)
	if err != nil {
		return 0, 0, err
	}
	defer s.Kill()
	if err := server.Await(func() bool { return len(s.Workers()) == workers }); err != nil {
		return 0, 0, err
	}
	if err := m.load(s, workers); err != nil {
		return 0, 0, err
	}
	for _, pid := range s.Tree() {
		pss, err := pss(pid)
		if err != nil {
			return 0, 0, err
		}
		tree += pss
	}
	worker, err = pss(s.Workers()[0])
	return tree, worker, err
}

// load asks for all pages, from as many clients as there are workers.
func (m *measure) load(s *server.Server, workers int) error {
	var all sync.WaitGroup
	var next atomic.Int64
	errs := make(chan error, workers)
	for range workers {
		all.Go(func() {
			client := s.Client()
			for n := next.Add(1); n <= int64(m.requests*workers); n = next.Add(1) {
				if _, err := get(client, s.URL(pages[n%int64(len(pages))])); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

var pssLine = regexp.MustCompile(`(?m)^Pss:\s+(\d+) kB`)

func pss(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	line := pssLine.FindSubmatch(text)
	if line == nil {
		return 0, fmt.Errorf("process %d has no PSS", pid)
	}
	return strconv.Atoi(string(line[1]))
}
