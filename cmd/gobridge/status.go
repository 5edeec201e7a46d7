package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"gobridge/bridge"
)

// phase is what a server does. The names are those of the bridge's generations, too.
type phase string

const (
	starting phase = "starting" // the application is imported
	serving  phase = "serving"
	draining phase = "draining" // it has been told to stop
)

// serverStatus is all that gobridge status tells; as JSON it is for programs.
type serverStatus struct {
	Version     string  `json:"version"`
	Pid         int     `json:"pid"`
	Application string  `json:"application"`
	Dir         string  `json:"dir"`
	Control     string  `json:"control"`
	Python      string  `json:"python"`      // its version
	Interpreter string  `json:"interpreter"` // its path
	Host        string  `json:"host"`
	State       phase   `json:"state"`
	Uptime      float64 `json:"uptime"` // seconds

	Listen      []string           `json:"listen"`
	Connections int                `json:"connections"`
	Running     int                `json:"running"` // requests that workers have
	Streams     int                `json:"streams"` // and those whose answers are on their way
	Waiting     int                `json:"waiting"` // requests for which no worker had room yet
	Generations []generationStatus `json:"generations"`
	Failure     *reloadFailure     `json:"failure"` // of the last reload; null when it went well
}

type generationStatus struct {
	Number  int            `json:"number"`
	State   string         `json:"state"`
	Since   time.Time      `json:"since"`
	Preload preloadStatus  `json:"preload"`
	Workers []workerStatus `json:"workers"`
}

type preloadStatus struct {
	State    string `json:"state"`    // off, importing, on, gone
	Template int    `json:"template"` // its process; 0: there is none
	Reason   string `json:"reason"`   // why it is off; "": so it is set
}

type workerStatus struct {
	Slot     int       `json:"slot"`
	Pid      int       `json:"pid"` // 0: none at the moment
	State    string    `json:"state"`
	Since    time.Time `json:"since"`
	Running  int       `json:"running"`
	Queued   int       `json:"queued"` // of those, which it has not begun
	Finished uint64    `json:"finished"`
	Deaths   int       `json:"deaths"`
	Renewals int       `json:"renewals"`
	Renewing string    `json:"renewing"` // why it is being renewed; "": it is not
	Memory   int64     `json:"memory"`   // bytes
	Pace     float64   `json:"pace"`     // seconds that a request keeps a thread, a running median; 0: not known
}

type reloadFailure struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
	Code int       `json:"code"`
}

// statusCommand is gobridge status.
func statusCommand(c *cli.Context) error {
	w, settings, err := wantedBy(c, statusTable)
	if err != nil {
		return err
	}
	found, err := w.find()
	if err != nil {
		return err
	}
	s := found.status
	if s == nil {
		if s, err = found.ask(); err != nil {
			return err
		}
	}
	var stuck error
	if settings.stuckAfter > 0 {
		if s, stuck, err = watch(s, settings.stuckAfter, found.ask); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		out := json.NewEncoder(c.App.Writer)
		out.SetIndent("", "  ")
		err = out.Encode(s)
	} else {
		err = s.print(c.App.Writer, time.Now())
	}
	return errors.Join(err, s.unwell(), stuck)
}

// ask has the server say how it is.
func (s *server) ask() (*serverStatus, error) {
	a, err := ask(s.path, "status", statusTime, nil)
	if e, ok := errors.AsType[*exitError](err); ok && e.code == exitNotYet {
		err = &exitError{exitNoServer, e.err}
	}
	if err == nil && a.Status == nil {
		err = &exitError{a.Code, errors.New(a.Text)}
	}
	return a.Status, err
}

// unwell says why the server is not as it should be. What it is doing was printed already.
func (s *serverStatus) unwell() error {
	switch {
	case s.State != serving:
		return &exitError{exitUnwell, fmt.Errorf("the server is %s", s.State)}
	case s.Failure != nil:
		return &exitError{exitUnwell, errors.New("the last reload failed")}
	}
	return nil
}

// print writes it for people.
func (s *serverStatus) print(w io.Writer, now time.Time) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "%s in %s: %s on %s, up for %v\n", s.Application, s.Dir, s.State, strings.Join(s.Listen, ", "),
		roughly(time.Duration(s.Uptime*float64(time.Second))))
	fmt.Fprintf(out, "gobridge %s, pid %d, Python %s (%s, %s host)\n", s.Version, s.Pid, s.Python, s.Interpreter, s.Host)
	fmt.Fprintf(out, "%s, %s running, %d waiting\n", plural(s.Connections, "connection"), plural(s.Running, "request"), s.Waiting)
	for _, g := range s.Generations {
		fmt.Fprintf(out, "\ngeneration %d, %s for %v; %s\n", g.Number, g.State, roughly(now.Sub(g.Since)), g.Preload)
		fmt.Fprintln(out, "worker\tpid\tstate\tfor\trunning\tfinished\tmemory\trenewals\tdeaths")
		for _, worker := range g.Workers {
			pid := "-"
			if worker.Pid != 0 {
				pid = fmt.Sprint(worker.Pid)
			}
			fmt.Fprintf(out, "%d\t%s\t%s\t%v\t%d\t%d\t%s\t%d\t%d\n", worker.Slot, pid, worker.State, roughly(now.Sub(worker.Since)),
				worker.Running, worker.Finished, megabytes(worker.Memory), worker.Renewals, worker.Deaths)
		}
		if err := out.Flush(); err != nil { // each table has its own columns
			return err
		}
		for _, worker := range g.Workers {
			if worker.Renewing != "" {
				fmt.Fprintf(out, "worker %d is being renewed: %s\n", worker.Slot, worker.Renewing)
			}
		}
	}
	if f := s.Failure; f != nil {
		fmt.Fprintf(out, "\nthe last reload failed, %v ago:\n%s\n", roughly(now.Sub(f.At)), strings.TrimRight(f.Text, "\n"))
	}
	return out.Flush()
}

// String says it for people.
func (p preloadStatus) String() string {
	switch p.State {
	case "on":
		return fmt.Sprintf("workers are forked from the template, pid %d", p.Template)
	case "importing":
		return fmt.Sprintf("the template imports the application, pid %d", p.Template)
	case "gone":
		return "there is no template at the moment"
	}
	if p.Reason != "" {
		return "each worker imports the application itself: " + p.Reason
	}
	return "each worker imports the application itself"
}

// megabytes is a size as --max-worker-memory takes it.
func megabytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%dM", n>>20)
}

// roughly is a time as people say it.
func roughly(d time.Duration) time.Duration {
	switch {
	case d >= time.Hour:
		return d.Round(time.Minute)
	case d >= time.Second:
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}

// status is how the server is at this moment.
func (v *service) status() *serverStatus {
	phase, bridge := v.now()
	s := &serverStatus{
		Version: version, Pid: os.Getpid(), Application: v.settings.application, Dir: v.settings.chdir,
		Control: v.control.at(), Python: v.interpreter.Version, Interpreter: v.interpreter.Path, Host: string(v.host),
		State: phase, Uptime: time.Since(v.began).Seconds(), Listen: v.urls,
		Generations: []generationStatus{},
	}
	if bridge == nil {
		return s
	}
	s.take(bridge.Status())
	s.Connections = v.server.Connections()
	return s
}

// take notes what the bridge says.
func (s *serverStatus) take(b bridge.Status) {
	s.Running, s.Streams, s.Waiting = b.Stats.Running, b.Stats.Streams, b.Stats.Line
	for _, g := range b.Generations {
		one := generationStatus{Number: g.Number, State: g.State, Since: g.Since, Preload: preloadStatus{g.Preload.State, g.Preload.Pid, g.Preload.Reason}}
		for _, w := range g.Workers {
			one.Workers = append(one.Workers, workerStatus{w.Slot, w.Pid, w.State, w.Since, w.Running, w.Queued, w.Finished, w.Deaths, w.Renewals, w.Renewing, w.Memory, w.Pace.Seconds()})
		}
		s.Generations = append(s.Generations, one)
	}
	if f := b.Failure; f != nil {
		s.Failure = &reloadFailure{f.At, f.Text, f.Code}
	}
}
