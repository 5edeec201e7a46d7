package conformance

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
)

// check is a line of a table. S is what its table gives each of its checks: the servers.
type check[S any] struct {
	says  string
	holds func(t *testing.T, s S)
}

// runTable runs the checks of a table, numbered from 1. where is what they run on, empty if
// that makes no difference.
func runTable[S any](t *testing.T, table, where string, checks []check[S], s S) {
	for i, c := range checks {
		t.Run(fmt.Sprintf("%s-%d", table, i+1), func(t *testing.T) {
			defer func() { results.add(result{table, i + 1, c.says, where, t.Failed() || t.Skipped()}) }()
			c.holds(t, s)
		})
	}
}

// result is how a check has ended.
type result struct {
	table  string
	number int
	says   string
	where  string
	failed bool
}

type report struct {
	mu  sync.Mutex
	all []result
}

var results report

func (r *report) add(one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

// print prints a line for each check, those of a table together, and says whether none failed.
func (r *report) print() bool {
	slices.SortFunc(r.all, func(a, b result) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.number, b.number), cmp.Compare(a.where, b.where))
	})
	failed := 0
	for _, one := range r.all {
		verdict, where := "PASS", ""
		if one.failed {
			verdict = "FAIL"
			failed++
		}
		if one.where != "" {
			where = " (" + one.where + ")"
		}
		fmt.Printf("%s %s-%d %s%s\n", verdict, one.table, one.number, one.says, where)
	}
	fmt.Printf("%d passed, %d failed\n", len(r.all)-failed, failed)
	return failed == 0
}

func TestMain(m *testing.M) {
	code := m.Run()
	if !results.print() && code == 0 {
		code = 1
	}
	os.Exit(code)
}
