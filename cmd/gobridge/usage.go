package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// tellUsage logs what is in use each time SIGUSR1 comes, until the process ends.
func (v *service) tellUsage() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGUSR1)
	go func() {
		for range asked {
			s := v.bridge.Stats()
			v.log.Info().Int("streams", s.Streams).Int("line", s.Line).Int("running", s.Running).Int("workers", s.Workers).
				Int("connections", v.server.Connections()).Msg("in use")
		}
	}()
}
