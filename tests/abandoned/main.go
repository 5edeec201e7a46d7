package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gobridge/tests/server"
)

// options are the flags.
type options struct {
	streams, atOnce, measured int
	grown                     int // MiB
	loop, python              string
}

func main() {
	var o options
	flag.IntVar(&o.streams, "streams", 100000, "streams that are left")
	flag.IntVar(&o.atOnce, "at-once", 200, "clients at a time")
	flag.IntVar(&o.measured, "measured", 1000, "of how many it is measured when their leaving is known")
	flag.IntVar(&o.grown, "grown", 16, "by how many MiB front and worker may grow behind the first tenth of the streams")
	flag.StringVar(&o.loop, "loop", "auto", "--loop")
	flag.StringVar(&o.python, "python", "", "interpreter; default: gobridge's own choice")
	flag.Parse()
	wrong, err := measure(&o, os.Stdout)
	server.Verdict("abandoned", wrong, err)
}

// measure leaves the streams and returns what was wrong afterwards.
func measure(o *options, out *os.File) (wrong []string, err error) {
	root, err := server.Root()
	if err != nil {
		return nil, err
	}
	args := []string{"--workers", "1", "--control", "off", "--loop", o.loop}
	if o.python != "" {
		args = append(args, "--python", o.python)
	}
	s, err := server.Start(server.Config{Application: "app:application", Dir: filepath.Join(root, "tests", "abandoned"), Args: args})
	if err != nil {
		return nil, err
	}
	defer s.Kill()
	fmt.Fprintln(out, s.Ready)
	a := &abandoner{Server: s}
	if err := a.leave(o.streams/10, o.atOnce); err != nil { // pools and caches are filled then
		return nil, err
	}
	before, err := a.rest("")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "behind %6d streams: %v\n", o.streams/10, before)
	since := time.Now()
	if err := a.leave(o.streams-o.streams/10, o.atOnce); err != nil {
		return nil, err
	}
	took := time.Since(since)
	after, err := a.rest(before.left)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "behind %6d streams: %v; %.0f streams/s\n", o.streams, after, float64(o.streams-o.streams/10)/took.Seconds())
	if after.left != before.left {
		wrong = append(wrong, fmt.Sprintf("tasks and descriptors of the worker are %s, they were %s", after.left, before.left))
	}
	if after.descriptors > before.descriptors {
		wrong = append(wrong, fmt.Sprintf("the front has %d descriptors, it had %d", after.descriptors, before.descriptors))
	}
	if grown := max(after.front-before.front, after.worker-before.worker) >> 10; grown > o.grown {
		wrong = append(wrong, fmt.Sprintf("front or worker has grown by %d MiB", grown))
	}
	known, err := a.known(o.measured)
	if err != nil {
		return nil, err
	}
	slices.Sort(known)
	fmt.Fprintf(out, "a leaving is known after %.2f ms (median), %.2f ms (99 %%), %.2f ms (at most)\n",
		known[len(known)/2], known[len(known)*99/100], known[len(known)-1])
	if late := known[len(known)*9/10]; late > 100 {
		wrong = append(wrong, fmt.Sprintf("a tenth of the leavings are known only after %.1f ms or more", late))
	}
	return wrong, s.Stop()
}

// abandoner is a server with clients who leave it.
type abandoner struct{ *server.Server }

// state is what there is of a server at rest.
type state struct {
	left          string // the worker's tasks and descriptors
	descriptors   int    // the front's
	front, worker int    // KiB in memory
}

func (s state) String() string {
	tasks, descriptors, _ := strings.Cut(s.left, " ")
	return fmt.Sprintf("%s tasks; %s descriptors in the worker, %d in the front; %d KiB in the worker, %d KiB in the front",
		tasks, descriptors, s.descriptors, s.worker, s.front)
}

// leave has so many clients take an event each and go.
func (a *abandoner) leave(streams, atOnce int) error {
	todo, failed := make(chan int), make(chan error, atOnce)
	for range atOnce {
		go func() {
			var err error
			for i := range todo {
				if err == nil {
					err = a.abandon([]string{"/watching", "/sending"}[i%2])
				}
			}
			failed <- err
		}()
	}
	for i := range streams {
		todo <- i
	}
	close(todo)
	var first error
	for range atOnce {
		if err := <-failed; err != nil {
			first = err
		}
	}
	return first
}

// abandon takes an event of a stream and resets the connection.
func (a *abandoner) abandon(path string) error {
	c, err := a.open(path)
	if err != nil {
		return err
	}
	if err := c.SetLinger(0); err != nil {
		return err
	}
	return c.Close()
}

// rest waits until nothing runs, and until the worker has what it had, if that is said.
func (a *abandoner) rest(left string) (s state, err error) {
	err = server.Await(func() bool {
		s.left, err = a.ask("/")
		return err != nil || strings.HasPrefix(s.left, "0 ") && (left == "" || s.left == left)
	})
	if err != nil { // what is left is for who compares
		s.left, err = a.ask("/")
	}
	if err == nil {
		err = a.AtRest()
	}
	if err != nil {
		return s, err
	}
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", a.Pid()))
	if err != nil {
		return s, err
	}
	s.descriptors = len(entries)
	if s.front, err = server.Status(a.Pid(), "RssAnon"); err != nil {
		return s, err
	}
	s.worker, err = server.Status(a.Workers()[0], "RssAnon")
	return s, err
}

// known measures after how many milliseconds applications know that their client has left.
func (a *abandoner) known(count int) (all []float64, err error) {
	for i := range count {
		query := strconv.Itoa(i)
		c, err := a.open("/watching?" + query)
		if err != nil {
			return nil, err
		}
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			return nil, err
		}
		c.Close()
		var text string
		if err := server.Await(func() bool { text, err = a.ask("/left?" + query); return err != nil || text != "" }); err != nil {
			return nil, err
		}
		left, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		all = append(all, 1000*left-float64(now.Nano())/1e6)
	}
	return all, nil
}
