package bridge

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"gobridge/pyhost"
)

// TestLoopsAreTold: who asks for several loops and gets one in each worker is told once why, and
// what helps.
func TestLoopsAreTold(t *testing.T) {
	for _, c := range []struct {
		kind           uint32
		threads, loops int
		warned         bool
	}{
		{pyhost.InterfaceASGI, 2, 1, true},
		{pyhost.InterfaceASGI, 2, 2, false},
		{pyhost.InterfaceASGI, 1, 1, false},
		{pyhost.InterfaceWSGI, 2, 0, false},
	} {
		var log bytes.Buffer
		b := &Bridge{config: Config{Threads: c.threads}, log: zerolog.New(&log)}
		for range 2 {
			if err := b.agree(c.kind, "asyncio", c.loops); err != nil {
				t.Fatal(err)
			}
		}
		if warned := strings.Count(log.String(), "--threads 2"); warned > 1 || (warned == 1) != c.warned || c.warned && !strings.Contains(log.String(), "--workers") {
			t.Errorf("%+v: %s", c, &log)
		}
		if _, loops := b.Loops(); loops != c.loops {
			t.Errorf("%+v: %d loops", c, loops)
		}
	}
}
