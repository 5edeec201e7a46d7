package main

import (
	"fmt"
	"os"
	"time"
)

// latenessEvery is what the timer is set to.
const latenessEvery = 10 * time.Millisecond

// A file in which the timer says how late it was, a line of nanoseconds each time, comes in a
// variable: gobridge itself has no option for it.
func init() {
	if path := os.Getenv("BENCH_LATENESS"); path != "" {
		go keepLateness(path)
	}
}

func keepLateness(path string) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lateness:", err)
		os.Exit(1)
	}
	for {
		begin := time.Now()
		time.Sleep(latenessEvery)
		if _, err := fmt.Fprintln(file, (time.Since(begin) - latenessEvery).Nanoseconds()); err != nil {
			fmt.Fprintln(os.Stderr, "lateness:", err)
			os.Exit(1)
		}
	}
}
