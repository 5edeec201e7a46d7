package main

import (
	"errors"
	"os"
	"runtime/debug"

	"gobridge/bridge"
	"gobridge/protocol/serve"
	"gobridge/pyhost"
)

// defaultSpoolDirs are where bodies go that are too long for memory. /var/tmp comes before
// /tmp, which is in memory on many systems.
func defaultSpoolDirs() (dirs []string) {
	if dir := os.Getenv("TMPDIR"); dir != "" {
		dirs = append(dirs, dir)
	}
	return append(dirs, "/var/tmp", "/tmp")
}

// openSpool finds the folder for bodies, and says what its user should know of it. Without a
// usable one there is none, unless it was asked for by name.
func (v *service) openSpool() (*serve.Spool, error) {
	s := v.settings
	if s.buffer == 0 {
		return nil, nil
	}
	dirs, asked := defaultSpoolDirs(), s.spoolDir != ""
	if asked {
		dirs = []string{s.spoolDir}
	}
	var spool *serve.Spool
	var failed error
	for _, dir := range dirs {
		var err error
		if spool, err = serve.OpenSpool(dir); err == nil {
			break
		}
		failed = errors.Join(failed, err)
	}
	switch {
	case spool == nil && asked:
		return nil, usage("--spool-dir %w", failed)
	case spool == nil:
		v.log.Warn().Err(failed).Int64("bytes", s.buffer).Msg("there is no folder for long request bodies: what is longer than --buffer-request reaches the application as it comes (--spool-dir names a folder)")
		return nil, nil
	}
	free, err := spool.Free()
	if err != nil {
		return nil, err
	}
	event := v.log.Debug()
	switch {
	case spool.InMemory():
		event = v.log.Info()
		event.Msgf("%s, where long request bodies are stored, is a tmpfs: they take memory there, and count in --memory-budget; --spool-dir names another folder", spool.Dir())
		return spool, nil
	case free < lowSpace:
		event = v.log.Warn()
	}
	event.Str("spool-dir", spool.Dir()).Uint64("free", free).Msgf("long request bodies are stored in %s, where %d MiB may be used", spool.Dir(), free>>20)
	return spool, nil
}

// limitGarbage has the memory budget hold for what the garbage collector has not freed yet,
// too: by default it lets the heap grow to twice what is in use. The budget allows the
// connections one half, so it need seldom work harder. Who has set GOMEMLIMIT knows better.
func limitGarbage(budget int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(max(budget, leastHeap))
	}
}

const (
	mostBudget  = 512 << 20 // of --memory-budget auto
	leastBudget = 16 << 20
)

// autoBudget is the memory budget where a cgroup allows so much memory in all, 0 for no limit.
// Most of it the workers need, who have the application.
func autoBudget(limit int64) int64 {
	if limit == 0 {
		return mostBudget
	}
	return min(max(limit/4, leastBudget), mostBudget)
}

// leastHeap is so much that a small budget does not have the collector run all the time for what
// is not in it: some KiB for each connection.
const leastHeap = 64 << 20

// lowSpace is so little that it is worth a warning.
const lowSpace = 256 << 20

// webSockets is how many WebSockets there may be, beside so many requests: as many as connections.
// They take memory as they use it, and only as many of them as there may be requests use much of it
// at once for what clients send.
func (s *settings) webSockets(streams int) int {
	return min(s.connections, pyhost.MaxStreams-streams-128)
}

// shareMemory divides the memory budget: a half is the connections', for what clients have
// sent and nobody has taken, and the other is for the pipes of so many streams.
func (s *settings) shareMemory() (connections int64, streams int) {
	half := s.memory / 2
	return half, int(min(half/(2*bridge.DefaultPipeSize), bridge.DefaultStreams))
}
