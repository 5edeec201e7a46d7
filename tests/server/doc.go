// Package server runs the real gobridge for tests: it starts the binary, waits for the
// line that says it serves, and finds its processes, its log and its counters.
//
// A test has no deadline of its own for what the server does in a moment; Patience only
// keeps one that waits for what never comes from waiting for ever.
package server
