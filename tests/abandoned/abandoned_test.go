package main

import (
	"os"
	"testing"

	"gobridge/tests/pythons"
)

// TestAbandoned leaves two thousand streams on one interpreter.
func TestAbandoned(t *testing.T) {
	all, err := pythons.List()
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := measure(&options{streams: 2000, atOnce: 50, measured: 50, grown: 16, loop: "auto", python: all[0].Path}, os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wrong {
		t.Error(w)
	}
}
