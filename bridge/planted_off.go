//go:build !plantedbug

package bridge

// plantedBug is on only in a build that the fuzz target must find wanting: it shows that
// the target would see a decoder that believes a worker's counters.
const plantedBug = false
