//go:build plantedbug

package bridge

const plantedBug = true
