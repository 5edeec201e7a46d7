package server

import (
	"strings"
	"sync"
)

// Record keeps what a process writes, and may be read meanwhile.
type Record struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (r *Record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *Record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}
