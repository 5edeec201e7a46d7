//go:build !plantedbug

package http1

// plantedBug is on only in a build that the fuzz targets must find wanting: it shows that
// they would see a parser that passes over a byte between two pieces of a head, and a
// decoder that takes one digit for another. No input that the targets begin with meets
// either.
const plantedBug = false
