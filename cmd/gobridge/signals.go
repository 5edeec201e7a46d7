package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// signals are those that gobridge listens to, from the very beginning, each kind by itself.
type signals struct {
	stop   chan os.Signal   // SIGTERM, SIGINT, SIGQUIT; SIGHUP, when it says that the terminal is gone
	reload chan struct{}    // SIGHUP; several that come while one is looked at are one
	usage  <-chan os.Signal // SIGUSR1
	counts <-chan os.Signal // SIGTTIN, SIGTTOU
}

func catchSignals() *signals {
	s := &signals{stop: make(chan os.Signal, 4), reload: make(chan struct{}, 1), usage: usageSignals()}
	signal.Notify(s.stop, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	// A reader of our output that goes away is an error of that write, not our end.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, unix.SIGHUP)
	terminal := ownTerminal()
	s.counts = countSignals(terminal)
	go func() {
		for sig := range hangups {
			if terminal != nil && !isTerminal(terminal) { // who watched it is gone
				s.stop <- sig
				continue
			}
			select {
			case s.reload <- struct{}{}:
			default:
			}
		}
	}()
	return s
}

// countSignals are SIGTTIN and SIGTTOU, at which gunicorn has one worker more or less. Their
// default would stop the server, also when a terminal sends them to the jobs in its
// background. There SIGTTOU is ignored, and with it by all that this process starts: one that
// has a handler would come again and again for what the log writes to a terminal that is set
// to tostop (termios(3)).
func countSignals(terminal *os.File) <-chan os.Signal {
	counts := make(chan os.Signal, 1)
	signal.Notify(counts, unix.SIGTTIN)
	if terminal == nil {
		signal.Notify(counts, unix.SIGTTOU)
	} else {
		signal.Ignore(unix.SIGTTOU)
	}
	return counts
}

// tellCount says at such a signal that it does nothing, until the process ends.
func (v *service) tellCount() {
	for sig := range v.signals.counts {
		v.log.Warn().Msgf("%s: the number of workers stays as it is; --workers sets it, at a start", signalName(sig))
	}
}

// ownTerminal is the terminal that gobridge was started in, nil if there is none.
func ownTerminal() *os.File {
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if isTerminal(f) {
			return f
		}
	}
	return nil
}

// twice is how close together two signals count as one: timeout(1), for one, signals its
// child and then the group that the child is in.
const twice = 50 * time.Millisecond

// wait returns the signal to stop at. Of several at the same time SIGQUIT counts.
func (s *signals) wait() os.Signal {
	sig := <-s.stop
	for end := time.After(twice); ; {
		select {
		case other := <-s.stop:
			if other == unix.SIGQUIT {
				sig = other
			}
		case <-end:
			return sig
		}
	}
}

// signalName is SIGTERM rather than "terminated".
func signalName(sig os.Signal) string {
	if s, ok := sig.(syscall.Signal); ok {
		return unix.SignalName(s)
	}
	return sig.String()
}
