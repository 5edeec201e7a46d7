package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// usageSignals are those that ask for what is in use. They are caught from the very
// beginning: one that comes while the application is imported is answered later.
func usageSignals() <-chan os.Signal {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGUSR1)
	return asked
}

// tellUsage opens the access log anew and logs what is in use each time SIGUSR1 comes, until
// the process ends.
func (v *service) tellUsage() {
	go func() {
		for range v.signals.usage {
			v.reopenAccessLog()
			s := v.bridge.Stats()
			v.log.Info().Int("streams", s.Streams).Int("line", s.Line).Int("running", s.Running).Int("workers", s.Workers).
				Int("connections", v.server.Connections()).Msg("in use")
		}
	}()
}
