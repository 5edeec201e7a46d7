package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"gobridge/bridge"
)

// reloadCommand is gobridge reload: it has the server reload, and waits.
func reloadCommand(c *cli.Context) error {
	w, s, err := wantedBy(c, reloadTable)
	if err != nil {
		return err
	}
	found, err := w.find()
	if err != nil {
		return err
	}
	a, err := ask(found.path, "reload", s.wait, func(progress string) { fmt.Fprintln(c.App.Writer, progress) })
	if e, ok := errors.AsType[*exitError](err); ok && e.code == exitNotYet {
		return &exitError{exitNotYet, fmt.Errorf("the reload is not over after --timeout %v: it goes on, and gobridge status tells", s.wait)}
	}
	switch {
	case err != nil:
		return err
	case a.Code != exitOK:
		return &exitError{a.Code, errors.New(a.Text)}
	}
	fmt.Fprintln(c.App.Writer, a.Text)
	return nil
}

const stoppingText = "the server is stopping: nothing was reloaded"

// reloadAsked reloads for the command, telling it how far that is.
func (v *service) reloadAsked(say func(progress string)) controlAnswer {
	switch phase, _ := v.now(); phase {
	case starting:
		return controlAnswer{Code: exitUnwell, Text: "the server has not started yet: nothing was reloaded"}
	case draining:
		return controlAnswer{Code: exitUnwell, Text: stoppingText}
	}
	type outcome struct {
		reload      bridge.Reload
		certificate string
		err         error
	}
	over := make(chan outcome, 1)
	go func() {
		r, certificate, err := v.reload("gobridge reload")
		over <- outcome{r, certificate, err}
	}()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for said := ""; ; {
		select {
		case o := <-over:
			a := v.reloadAnswer(o.reload, o.err)
			a.Text += o.certificate
			return a
		case <-look.C:
			if now := progressOf(v.bridge.Status()); now != "" && now != said {
				said = now
				say(now)
			}
		}
	}
}

// reloadAnswer says what came of a reload.
func (v *service) reloadAnswer(r bridge.Reload, err error) controlAnswer {
	if err == nil {
		return controlAnswer{Text: reloadText(r)}
	}
	if errors.Is(err, errStopping) {
		return controlAnswer{Code: exitUnwell, Text: stoppingText}
	}
	return controlAnswer{Code: codeOf(err), Text: v.failureText(err)}
}

// progressOf tells of the generation that is starting.
func progressOf(s bridge.Status) string {
	for _, g := range s.Generations {
		if g.State != string(starting) {
			continue
		}
		ready := 0
		for _, w := range g.Workers {
			if w.State == "ready" {
				ready++
			}
		}
		return fmt.Sprintf("generation %d is starting: %d of %s ready", g.Number, ready, plural(len(g.Workers), "worker"))
	}
	return ""
}

// reload starts a new generation and says what came of it, and of the certificate. If it does
// not come up, the old one goes on.
func (v *service) reload(why string) (r bridge.Reload, certificate string, err error) {
	v.log.Info().Msgf("%s: starting a new generation", why)
	v.notify.reloading()
	certificate = v.rereadCertificate()
	r, err = v.bridge.Reload(v.reloads)
	if v.reloads.Err() != nil { // whatever came of it
		v.log.Info().Msg("the server is stopping: the reload counts no more")
		return r, certificate, errStopping
	}
	if err != nil {
		text := v.failureText(err)
		v.log.Error().Msg(text)
		v.notify.reloaded(text)
		return r, certificate, err
	}
	v.log.Info().Msg(reloadText(r))
	v.notify.reloaded(reloadText(r))
	return r, certificate, nil
}

func reloadText(r bridge.Reload) string {
	return fmt.Sprintf("generation %d serves: %s, after %v", r.Generation, plural(r.Workers, "worker"), r.Took.Round(10*time.Millisecond))
}

// failureText says that a reload failed, what serves now, and why.
func (v *service) failureText(err error) string {
	text := strings.TrimRight(err.Error(), "\n")
	for _, g := range v.bridge.Status().Generations {
		if g.State == string(serving) {
			return fmt.Sprintf("the reload failed, generation %d goes on serving: %s", g.Number, text)
		}
	}
	return "the reload failed: " + text
}

// reloadOnSignals reloads at each SIGHUP until the server stops. Those that come meanwhile
// are one more.
func (v *service) reloadOnSignals(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.signals.reload:
			v.tryReload("SIGHUP")
		}
	}
}

// tryReload reloads; what came of it is in the log.
func (v *service) tryReload(why string) { _, _, _ = v.reload(why) }
