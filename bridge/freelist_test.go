package bridge

import (
	"slices"
	"testing"
)

func TestFreeListGivesPagesBackFromTheBottom(t *testing.T) {
	var f freeList
	runs := make([]*run, 6)
	for i := range runs {
		runs[i] = &run{stream: uint32(i), used: int64(10 * i), dirty: i != 5}
	}
	for _, i := range []int{5, 0, 1, 2, 3, 4} {
		f.push(runs[i])
	}
	if old := f.stale(20, 1); !slices.Equal(old, runs[:1]) {
		t.Errorf("one that was given back before 20 is %v", old)
	} else {
		f.unstale(old) // its pages could not be given back
	}
	old := f.stale(20, 9)
	if !slices.Equal(old, runs[:2]) || f.len() != 4 {
		t.Fatalf("all that were given back before 20 are %v, and %d are left", old, f.len())
	}
	runs[1].dirty = false
	f.unstale(old)
	want := []*run{runs[4], runs[3], runs[2], runs[0], runs[1], runs[5], nil}
	for i, r := range want {
		if have := f.pop(); have != r {
			t.Errorf("stream %d from the top is %v", i, have)
		}
	}
}
