package pyhost

// The C host is compiled into every binary that imports this package. Its
// constructor (start.c) runs before the Go runtime; in a process that Launch
// started it never returns.

// #cgo CFLAGS: -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -fvisibility=hidden
// #cgo killpoints CFLAGS: -DGB_KILLPOINTS
// #cgo LDFLAGS: -ldl -lpthread
import "C"
