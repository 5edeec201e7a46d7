package main

import "testing"

func TestBoundConnections(t *testing.T) {
	s := &settings{connections: 10000, workers: 4, reactors: 1, bind: []string{":8000"}}
	spare := uint64(48 + 4*8 + 3 + 1)
	for _, c := range []struct {
		files uint64
		want  int
	}{
		{1 << 62, 10000}, {20000 + spare, 10000}, {20000 + spare - 2, 9999}, {1024, (1024 - int(spare)) / 2}, {64, 16}, {2, 1},
	} {
		if got := s.boundConnections(c.files); got != c.want {
			t.Errorf("with %d files: %d connections, want %d", c.files, got, c.want)
		}
	}
}
