package main

import (
	"strings"
	"testing"

	"gobridge/protocol/serve"
)

func TestSameAddressTwice(t *testing.T) {
	_, err := listen([]string{"127.0.0.1:0", "unix:/nowhere/at/all", "127.0.0.1:0"}, 16, serve.DefaultListening())
	if err == nil || codeOf(err) != exitUsage || !strings.Contains(err.Error(), "--bind 127.0.0.1:0 is given twice") {
		t.Errorf("%v", err)
	}
}
