package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"gobridge/bridge"
	"gobridge/protocol/serve"
	"gobridge/pyhost"
	"gobridge/python"
)

// service is one run of gobridge: what was asked for, and what serves it.
type service struct {
	settings    *settings
	log         zerolog.Logger
	out         io.Writer // where the line that says "ready" goes
	signals     <-chan os.Signal
	asked       <-chan os.Signal // for what is in use
	interpreter *pyhost.Interpreter
	host        pyhost.Host
	bridge      *bridge.Bridge
	server      *serve.Server
}

func runCommand(c *cli.Context) error {
	s, err := readSettings(fromContext(c))
	if err != nil {
		return err
	}
	if s.chdir, err = applicationDir(s.chdir); err != nil {
		return err
	}
	if s.application, err = checkApplication(c.Args().Slice(), s.chdir); err != nil {
		return err
	}
	log, err := newLogger(os.Stderr, s.logLevel)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	// A reader of our output that goes away is an error of that write, not our end.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	v := &service{settings: s, log: log, out: c.App.Writer, signals: signals, asked: usageSignals()}
	return v.run()
}

// applicationDir is the folder of --chdir as a full path.
func applicationDir(chdir string) (string, error) {
	dir, err := filepath.Abs(chdir)
	if err != nil {
		return "", usage("--chdir %s: %w", chdir, err)
	}
	info, err := os.Stat(dir)
	if e, ok := errors.AsType[*os.PathError](err); ok {
		err = e.Err
	}
	if err == nil && !info.IsDir() {
		err = errors.New("is not a folder")
	}
	if err != nil {
		return "", usage("--chdir %s: %w", chdir, err)
	}
	return dir, nil
}

// run serves until a signal, and returns nil when everything was answered.
func (v *service) run() error {
	access, closeAccess, err := openAccessLog(v.settings.access)
	if err != nil {
		return err
	}
	defer closeAccess()
	if err := v.findPython(); err != nil {
		return err
	}
	// Before the application is imported: that may take long, and the mistake is at hand.
	listeners, err := listen(v.settings.bind)
	if err != nil {
		return err
	}
	started, err := v.startBridge()
	if err != nil || !started {
		for _, l := range listeners {
			err = errors.Join(err, l.Close())
		}
		return err
	}
	settings := v.settings.forServer()
	settings.AccessLog, settings.Log = access, v.log
	v.server, err = serve.New(listeners, serve.BridgePorts(v.bridge.Ports()), settings)
	if err != nil {
		return err // the workers end with us: nothing turns that could drain them
	}
	v.server.Serve()
	v.tellUsage()
	fmt.Fprintln(v.out, v.readyLine(listeners))
	sig := <-v.signals
	v.oneSignal()
	return v.stop(sig)
}

// twice is how close together two signals count as one: timeout(1), for one, signals its
// child and then the group that the child is in.
const twice = 10 * time.Millisecond

func (v *service) oneSignal() {
	for end := time.After(twice); ; {
		select {
		case <-v.signals:
		case <-end:
			return
		}
	}
}

// findPython finds the interpreter and decides on its host.
func (v *service) findPython() error {
	s := v.settings
	var err error
	v.interpreter, err = pyhost.Find(pyhost.FindOptions{Python: s.python, Venv: s.venv, Dir: s.chdir})
	if err == nil {
		v.host, err = v.interpreter.Choose(pyhost.Host(s.host))
	}
	if err != nil {
		return &exitError{exitPython, err}
	}
	i := v.interpreter
	v.log.Debug().Str("python", i.Path).Str("version", i.Version).Str("found", i.Why).Str("prefix", i.Prefix).
		Str("libpython", i.Library).Bool("linked", i.Linked).Bool("free-threaded", i.NoGIL).Str("host", string(v.host)).Msg("python found")
	return nil
}

// startBridge has the workers import the application. A signal meanwhile ends the
// wait: nothing is being served that would have to be finished.
func (v *service) startBridge() (started bool, err error) {
	s := v.settings
	s.resolve(allowedCPUs())
	// Reactors rarely block; the rest of the runtime needs CPUs beside them.
	runtime.GOMAXPROCS(s.reactors + max(2, runtime.NumCPU()))
	done := make(chan error, 1)
	go func() {
		var err error
		v.bridge, err = bridge.Start(bridge.Config{
			Interpreter: v.interpreter, Host: v.host, Helper: python.Helper,
			Application: s.application, Dir: s.chdir,
			Workers: s.workers, Threads: s.threads, Reactors: s.reactors,
			QueueTimeout: s.queueTimeout, StartTimeout: s.startTimeout, GracefulTime: s.gracefulTimeout, Log: v.log,
		})
		done <- err
	}()
	select {
	case err := <-done:
		return err == nil, err
	case sig := <-v.signals:
		v.log.Info().Msgf("%s before the application was ready: stopping", signalName(sig))
		return false, nil
	}
}

// resolve puts numbers in the place of "auto".
func (s *settings) resolve(cpus int) {
	if s.workers == 0 {
		s.workers = min(cpus, pyhost.MaxWorkers)
	}
	if s.reactors == 0 {
		s.reactors = min(max(cpus/8, 1), pyhost.MaxReactors)
	}
}

// forServer are the server's limits and deadlines.
func (s *settings) forServer() serve.Settings {
	out := serve.DefaultSettings()
	out.Head.RequestLine, out.Head.Head = s.requestLine, s.head
	out.Head.Fields, out.Head.FieldSize = s.fields, s.fieldSize
	out.BodySize, out.Connections = s.body, s.connections
	out.HeadTime, out.BodyTime = s.headTimeout, s.bodyTimeout
	out.WriteTime, out.IdleTime = s.sendTimeout, s.idleTimeout
	return out
}

func (v *service) readyLine(listeners []*serve.Listener) string {
	var urls []string
	for _, l := range listeners {
		urls = append(urls, l.URL())
	}
	s, i := v.settings, v.interpreter
	return fmt.Sprintf("gobridge %s serves %s on %s with Python %s (%s, %s host), %s of %s", version, s.application,
		strings.Join(urls, ", "), i.Version, i.Path, v.host, plural(s.workers, "worker"), plural(s.threads, "thread"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// stop answers what was begun and ends. A second signal, or the graceful timeout, cuts
// what is left.
func (v *service) stop(sig os.Signal) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if limit := v.settings.gracefulTimeout; limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, limit, fmt.Errorf("--graceful-timeout %v has passed", limit))
		defer stop()
	}
	go func() {
		select {
		case second := <-v.signals:
			cancel(fmt.Errorf("a second signal (%s) came", signalName(second)))
		case <-ctx.Done():
		}
	}()
	v.log.Info().Int("connections", v.server.Connections()).Msgf("%s: finishing what is running, then stopping", signalName(sig))
	cut := v.server.Drain(ctx)
	drained := v.bridge.Drain(ctx)
	closed := v.server.Close()
	if cut != nil {
		v.log.Debug().Err(cut).Msg("connections were cut")
		return &exitError{exitCut, fmt.Errorf("stopped before every request was answered: %w", context.Cause(ctx))}
	}
	if drained != nil { // every request was answered
		v.log.Warn().Err(drained).AnErr("because", context.Cause(ctx)).Msg("the workers' exit handlers were cut short")
	}
	if closed == nil {
		v.log.Info().Msg("stopped")
	}
	return closed
}

// signalName is SIGTERM rather than "terminated".
func signalName(sig os.Signal) string {
	if s, ok := sig.(syscall.Signal); ok {
		return unix.SignalName(s)
	}
	return sig.String()
}
