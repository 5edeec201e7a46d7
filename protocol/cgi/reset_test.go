package cgi

import (
	"testing"

	"gobridge/bridge"
)

// What one unusual request needed does not stay with its connection's parser.
func TestResetKeepsLittle(t *testing.T) {
	h := &Head{Protocol: &Protocol{}, Local: &bridge.Peer{}}
	for range 6500 {
		h.Add([]byte("HTTP_A"), nil)
		h.Add([]byte("OWN"), nil)
	}
	h.made = append(h.made, make([]byte, 64<<10)...)
	h.Reset()
	if f, v, m := cap(h.Request.Fields), cap(h.gateway.Variables), cap(h.made); f > keepFields || v > keepFields || m > keepMade {
		t.Errorf("room for %d fields, %d variables and %d bytes is kept", f, v, m)
	}
}
