package server

import (
	"fmt"
	"os"
)

// Test is what of a *testing.T a server is tied to.
type Test interface {
	Helper()
	Fatal(args ...any)
	Error(args ...any)
	Logf(format string, args ...any)
	Failed() bool
	Cleanup(f func())
}

// UntilEnd runs a server until the end of the test, which it must reach and end well, if the
// test does not end it by itself. The log of one whose test has failed is shown.
func UntilEnd(t Test, c Config) *Server {
	t.Helper()
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer s.Kill()
		if !c.MayEnd || s.Alive() {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("%s\nthe end of the server's log:\n%s", s.Ready, tail(s.Log(), 16000))
		}
	})
	return s
}

// Verdict ends a program that has watched a server with what it found: what is wrong, if
// anything, or why it could not watch.
func Verdict(name string, wrong []string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	for _, w := range wrong {
		fmt.Printf("%s: FAILED: %s\n", name, w)
	}
	if len(wrong) > 0 {
		os.Exit(1)
	}
	fmt.Println(name + ": passed")
}
