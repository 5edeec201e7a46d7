package serve

// pause has the processor wait for n > 0 times its spin-loop hint: for tens of nanoseconds in
// which its other thread goes ahead.
//
//go:noescape
func pause(n uint32)
