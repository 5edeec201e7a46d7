package main

import "golang.org/x/sys/unix"

// Descriptors that are kept for what is no client's connection: without them no worker
// could be replaced and no reload done while clients hold all there are.
const (
	spareDescriptors   = 48 // the process's own, and what comes and goes: control clients, files, a zygote
	workerDescriptors  = 8  // socket, pidfd, doorbell and evidence, in two generations
	reactorDescriptors = 3
)

// connectionDescriptors are a connection's: its socket, and a file that it is sent.
const connectionDescriptors = 2

// boundConnections is how many connections there may be when limit descriptors may be
// open: those of the settings, or fewer.
func (s *settings) boundConnections(limit uint64) int {
	spare := spareDescriptors + workerDescriptors*s.workers + reactorDescriptors*s.reactors + len(s.bind)
	if limit >= uint64(connectionDescriptors*s.connections)+uint64(spare) {
		return s.connections
	}
	return max((int(limit)-spare)/connectionDescriptors, int(limit)/4, 1)
}

// openFiles is how many descriptors this process may have open. The Go runtime has raised
// that as far as the system allows.
func openFiles() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return unix.RLIM_INFINITY // what is missing will be told when it is
	}
	return limit.Cur
}

// limitConnections keeps the number of connections within what the process may open.
func (v *service) limitConnections() int {
	files := openFiles()
	n := v.settings.boundConnections(files)
	if n < v.settings.connections {
		v.log.Info().Int("limit-connections", v.settings.connections).Uint64("files", files).
			Msgf("%d connections at most, for the process may open no more than %d files: raise that for more (ulimit -n, LimitNOFILE=)", n, files)
	}
	return n
}
