package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// errAtOnce is why SIGQUIT cuts what is running.
var errAtOnce = errors.New("SIGQUIT came")

// stop answers what was begun and ends. SIGQUIT, a second signal, or the graceful timeout,
// cuts what is left.
func (v *service) stop(sig os.Signal) error {
	v.enter(draining)
	v.notify.stopping()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if sig == unix.SIGQUIT {
		v.log.Info().Int("connections", v.server.Connections()).Msg("SIGQUIT: stopping at once")
		cancel(errAtOnce)
	} else {
		go v.awaitSecond(ctx, cancel)
		v.linger(ctx, sig)
	}
	if limit := v.settings.gracefulTimeout; limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, limit, fmt.Errorf("--graceful-timeout %v has passed", limit))
		defer stop()
	}
	v.bridge.Part()
	cut := v.server.Drain(ctx)
	why := context.Cause(ctx)
	if why == nil { // of what was cut it is said before
		why = fmt.Errorf("--graceful-timeout %v was nearly over", v.settings.gracefulTimeout)
	}
	drained := v.bridge.Drain(ctx)
	closed := v.server.Close()
	if cut != nil {
		v.log.Debug().Err(cut).Msg("connections were cut")
		return &exitError{exitCut, fmt.Errorf("stopped before every request was answered: %w", why)}
	}
	if drained != nil && !errors.Is(context.Cause(ctx), errAtOnce) { // every request was answered
		v.log.Warn().AnErr("because", context.Cause(ctx)).Msg("the workers' exit handlers were cut short: the workers were killed")
		v.log.Debug().Err(drained).Msg("workers were killed")
	}
	if closed == nil {
		v.log.Info().Msg("stopped")
	}
	return closed
}

// awaitSecond cancels when another signal comes.
func (v *service) awaitSecond(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case second := <-v.signals.stop:
		cancel(fmt.Errorf("a second signal (%s) came", signalName(second)))
	case <-ctx.Done():
	}
}

// linger serves on for --drain-delay: whoever sends clients here has to notice first that
// they should go elsewhere. Their connections end with the next answer.
func (v *service) linger(ctx context.Context, sig os.Signal) {
	delay := v.settings.drainDelay
	if delay > 0 {
		v.log.Info().Int("connections", v.server.Connections()).
			Msgf("%s: serving on for %v, then finishing what is running", signalName(sig), delay)
		v.server.Part()
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
	}
	v.log.Info().Int("connections", v.server.Connections()).Msgf("%s: finishing what is running, then stopping", signalName(sig))
}
