package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gobridge/bridge"
)

func exampleStatus(now time.Time) *serverStatus {
	s := &serverStatus{Version: "1", Pid: 1, Application: "a:b", Dir: "/srv", Listen: []string{"http://x", "unix:y"}, State: serving, Uptime: 11520}
	s.take(bridge.Status{
		Generations: []bridge.GenerationStatus{
			{Number: 1, State: "draining", Since: now.Add(-2 * time.Second), Preload: bridge.PreloadStatus{State: "on", Pid: 9}, Workers: []bridge.WorkerStatus{
				{Slot: 1, Pid: 10, State: "draining", Since: now.Add(-time.Hour), Running: 3, Queued: 2, Finished: 12345, Memory: 50 << 20, Renewals: 4, Renewing: "it is old", Pace: 1500 * time.Microsecond}}},
			{Number: 2, State: "serving", Since: now.Add(-2 * time.Second), Preload: bridge.PreloadStatus{State: "off", Reason: "1 thread"}, Workers: []bridge.WorkerStatus{
				{Slot: 1, State: "waiting", Since: now.Add(-1500 * time.Millisecond), Deaths: 3}}},
		},
		Stats: bridge.Stats{Streams: 3, Line: 2, Running: 1},
	})
	return s
}

func TestStatusForPeople(t *testing.T) {
	now := time.Now()
	s := exampleStatus(now)
	var out bytes.Buffer
	if err := s.print(&out, now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"a:b in /srv: serving on http://x, unix:y, up for 3h12m0s\n", "0 connections, 1 request running, 2 waiting\n",
		"\ngeneration 1, draining for 2s; workers are forked from the template, pid 9\n",
		"\ngeneration 2, serving for 2s; each worker imports the application itself: 1 thread\n", "1       10   draining  1h0m0s  3        12345     50M     4         0\nworker 1 is being renewed: it is old\n",
		"1       -    waiting  2s   0        0         -       0         3\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, &out)
		}
	}
	if err := s.unwell(); err != nil {
		t.Errorf("a server that serves: %v", err)
	}
	s.Failure = &reloadFailure{At: now.Add(-time.Minute), Text: "Traceback\n"}
	out.Reset()
	if err := s.print(&out, now); err != nil || !strings.HasSuffix(out.String(), "\nthe last reload failed, 1m0s ago:\nTraceback\n") {
		t.Errorf("%v\n%s", err, &out)
	}
	if err := s.unwell(); codeOf(err) != exitUnwell {
		t.Errorf("with a failed reload: %v", err)
	}
	s.Failure, s.State = nil, draining
	if err := s.unwell(); codeOf(err) != exitUnwell || !strings.Contains(err.Error(), "draining") {
		t.Errorf("while it stops: %v", err)
	}
}

// What programs read keeps its names.
func TestStatusForPrograms(t *testing.T) {
	text, err := json.Marshal(exampleStatus(time.Unix(100, 0).UTC()))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"application":"a:b"`, `"state":"serving"`, `"uptime":11520`, `"listen":["http://x","unix:y"]`,
		`"generations":[{"number":1,"state":"draining","since":"1970-01-01T00:01:38Z","preload":{"state":"on","template":9,"reason":""},`,
		`"workers":[{"slot":1,"pid":10,"state":"draining"`, `"running":3,"queued":2,"finished":12345,"deaths":0,"renewals":4,"renewing":"it is old","memory":52428800,"pace":0.0015}`, `"waiting":2`, `"failure":null`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("it lacks %s:\n%s", want, text)
		}
	}
}

func TestProgress(t *testing.T) {
	s := bridge.Status{Generations: []bridge.GenerationStatus{{Number: 1, State: "serving"},
		{Number: 2, State: "starting", Workers: []bridge.WorkerStatus{{State: "ready"}, {State: "starting"}}}}}
	if got := progressOf(s); got != "generation 2 is starting: 1 of 2 workers ready" {
		t.Error(got)
	}
	if got := progressOf(bridge.Status{Generations: s.Generations[:1]}); got != "" {
		t.Error(got)
	}
}
