package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

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
	signals     *signals
	notify      *notifier
	control     *control // nil: none
	interpreter *pyhost.Interpreter
	host        pyhost.Host
	server      *serve.Server
	urls        []string    // of the listeners
	access      *accessFile // nil: none, or standard output
	tls         *serve.TLS  // nil: nothing is encrypted
	began       time.Time
	reloads     context.Context // ends when no more reloads are waited for
	noReloads   context.CancelCauseFunc

	mu     sync.Mutex
	phase  phase
	bridge *bridge.Bridge // nil while starting
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
	log, closeLog, err := newLogger(os.Stderr, s.logLevel)
	if err != nil {
		return err
	}
	defer closeLog()
	warnOfVariables(os.Environ(), log)
	v := &service{settings: s, log: log, out: c.App.Writer, signals: catchSignals(), notify: newNotifier(log), phase: starting, began: time.Now()}
	v.reloads, v.noReloads = context.WithCancelCause(context.Background())
	go v.tellCount()
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
	access, file, err := openAccessLog(v.settings.access)
	if err != nil {
		return err
	}
	v.access = file // the process's end closes it
	if found, err := v.findPython(); err != nil || !found {
		return err
	}
	// Before the application is imported: that may take long, and the mistake is at hand.
	spool, err := v.openSpool()
	if err != nil {
		return err
	}
	what, err := v.settings.listening()
	if err != nil {
		return err
	}
	v.tls = what.TLS
	v.warnOfCertificate()
	listeners, err := listen(v.settings.bind, v.settings.backlog, what)
	if err != nil {
		return err
	}
	v.boundBacklog()
	for _, l := range listeners {
		v.urls = append(v.urls, l.URL())
	}
	touches := watchTouches(v.settings.touches) // what changes from here on may come too late for the import
	if err = v.startControl(); v.control != nil {
		go v.control.run()
		defer v.control.close()
	}
	started := false
	if err == nil {
		started, err = v.startBridge()
	}
	if err != nil || !started {
		for _, l := range listeners {
			err = errors.Join(err, l.Close())
		}
		return err
	}
	settings, err := v.settings.forServer()
	if err != nil {
		return err
	}
	settings.AccessLog, settings.Log, settings.Spool = access, v.log, spool
	settings.Connections = v.limitConnections()
	limitGarbage(v.settings.memory)
	v.server, err = serve.New(listeners, serve.BridgePorts(v.bridge.Ports()), settings)
	if err != nil {
		return err // the workers end with us: nothing turns that could drain them
	}
	v.server.Serve()
	v.enter(serving)
	v.tellUsage()
	go fmt.Fprintln(v.out, v.readyLine()) // a full pipe there holds up nothing else
	v.notify.ready("generation 1 serves")
	go v.reloadOnSignals(v.reloads)
	go touches.run(v.reloads, v.log, v.tryReload)
	return v.stop(v.signals.wait())
}

// enter begins a phase.
func (v *service) enter(p phase) {
	v.mu.Lock()
	v.phase = p
	v.mu.Unlock()
	if p == draining {
		v.noReloads(errStopping)
	}
}

var errStopping = errors.New("the server is stopping")

// now is the phase, and the bridge if it has started.
func (v *service) now() (phase, *bridge.Bridge) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.phase == starting {
		return v.phase, nil
	}
	return v.phase, v.bridge
}

// findPython finds the interpreter and decides on its host. A signal meanwhile ends the wait.
func (v *service) findPython() (found bool, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- v.askPython(ctx) }()
	select {
	case err = <-done:
	case sig := <-v.signals.stop:
		v.log.Info().Msgf("%s before an interpreter was found: stopping", signalName(sig))
		cancel()
		<-done
		return false, nil
	}
	if err != nil {
		return false, &exitError{exitPython, err}
	}
	i := v.interpreter
	v.log.Debug().Str("python", i.Path).Str("version", i.Version).Str("found", i.Why).Str("prefix", i.Prefix).
		Str("libpython", i.Library).Bool("linked", i.Linked).Bool("free-threaded", i.NoGIL).Str("host", string(v.host)).Msg("python found")
	return true, nil
}

func (v *service) askPython(ctx context.Context) (err error) {
	s := v.settings
	slow := func(path, why string, limit time.Duration) {
		v.log.Warn().Msgf("waiting for %s (%s) to say which Python it is; after %v it is given up", path, why, limit)
	}
	v.interpreter, err = pyhost.Find(ctx, pyhost.FindOptions{Python: s.python, Venv: s.venv, Dir: s.chdir, Slow: slow})
	if err == nil {
		v.host, err = v.interpreter.Choose(pyhost.Host(s.host))
	}
	return err
}

// slowStart is after how long it is said what the start waits for.
const slowStart = 10 * time.Second

// startBridge has the workers import the application. A signal meanwhile ends the
// wait: nothing is being served that would have to be finished.
func (v *service) startBridge() (started bool, err error) {
	s := v.settings
	s.resolve(allowedCPUs(), cgroupMemory("/"))
	v.log.Debug().Int("workers", s.workers).Int("reactors", s.reactors).Int64("memory-budget", s.memory).Msg("what is auto is settled")
	// Reactors rarely block; the rest of the runtime needs CPUs beside them.
	runtime.GOMAXPROCS(s.reactors + max(2, runtime.NumCPU()))
	_, streams := s.shareMemory()
	type start struct {
		bridge *bridge.Bridge
		err    error
	}
	done := make(chan start, 1)
	slow := time.AfterFunc(slowStart, func() {
		v.log.Info().Msgf("no worker is ready after %v: Python is being started, or imports %s; a worker is given up after --start-timeout", slowStart, s.application)
	})
	defer slow.Stop()
	go func() {
		b, err := bridge.Start(bridge.Config{
			Interpreter: v.interpreter, Host: v.host, Helper: python.Helper,
			Application: s.application, Dir: s.chdir, Interface: s.iface, Loop: s.loop, Lifespan: s.lifespan, NoPathsend: s.pathsend == "off",
			Workers: s.workers, Threads: s.threads, Preload: bridge.Preload(s.preload), Reactors: s.reactors, Streams: streams, Spin: s.spins(),
			WebSockets: s.webSockets(streams), MessageQueue: s.wsQueue,
			QueueTimeout: s.queueTimeout, StartTimeout: s.startTimeout, RequestTimeout: s.requestTimeout, SlowRequest: s.slowRequest,
			GracefulTime: s.gracefulTimeout, Renewal: s.renewal(), Concurrency: s.concurrency, Log: v.log,
		})
		done <- start{b, err}
	}()
	select {
	case s := <-done:
		v.bridge = s.bridge
		return s.err == nil, s.err
	case sig := <-v.signals.stop:
		v.log.Info().Msgf("%s before the application was ready: stopping", signalName(sig))
		return false, nil
	}
}

// renewal says when workers are renewed.
func (s *settings) renewal() bridge.Renewal {
	return bridge.Renewal{
		Requests: s.maxRequests, RequestsJitter: s.maxRequestsJitter,
		Lifetime: s.maxWorkerLifetime, LifetimeJitter: s.maxWorkerLifeJitter,
		Memory: s.maxWorkerMemory, MemoryJitter: s.maxWorkerMemoryJitter,
	}
}

// resolve puts numbers in the place of "auto", for so many CPUs and so much memory (0: there is
// no limit).
func (s *settings) resolve(cpus int, memory int64) {
	if s.memory == 0 {
		s.memory = autoBudget(memory)
	}
	if s.workers == 0 {
		s.workers = min(cpus, bridge.MaxWorkers)
	}
	if s.reactors == 0 {
		s.reactors = min(max(cpus/8, 1), pyhost.MaxReactors)
	}
}

// forServer are the server's limits and deadlines.
func (s *settings) forServer() (serve.Settings, error) {
	out := serve.DefaultSettings()
	out.Head.RequestLine, out.Head.Head = s.requestLine, s.head
	out.Head.Fields, out.Head.FieldSize = s.fields, s.fieldSize
	out.BodySize, out.PerAddress, out.CPUs = s.body, s.perAddress, allowedCPUs()
	out.Buffer, out.BodyRate, out.WriteRate = s.buffer, s.bodyRate, s.sendRate
	out.Memory, _ = s.shareMemory()
	out.HeadTime, out.BodyTime = s.headTimeout, s.bodyTimeout
	out.WriteTime, out.IdleTime = s.sendTimeout, s.idleTimeout
	out.WebSocketSize, out.WebSocketDeflate = s.wsSize, s.wsDeflate == "on"
	out.PingTime, out.PongTime = s.wsPing, s.wsPong
	return out, s.forEdge(&out)
}

func (v *service) readyLine() string {
	s, i := v.settings, v.interpreter
	each := plural(s.threads, "thread")
	if loop, loops := v.bridge.Loops(); loop != "" {
		each = plural(loops, loop+" loop")
	}
	return fmt.Sprintf("gobridge %s serves %s on %s with Python %s (%s, %s host), %s of %s", version, s.application,
		strings.Join(v.urls, ", "), i.Version, i.Path, v.host, plural(s.workers, "worker"), each)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
