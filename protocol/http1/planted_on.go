//go:build plantedbug

package http1

const plantedBug = true
