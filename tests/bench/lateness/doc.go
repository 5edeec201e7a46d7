// Program lateness does nothing but keep a timer, and says how late it was: what the machine
// does to a timer in a process that is idle. The same timer.go is built into a gobridge for the
// benchmarks (tests/bench/timer.py), where it says what the front does to a timer beside it.
package main
