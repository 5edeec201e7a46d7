package main

import (
	"strings"
	"testing"
)

// TestVerdict plants each kind of mistake that a server could make: the account must not
// be even then.
func TestVerdict(t *testing.T) {
	const worker, other = 7, 8
	killed := map[int]bool{worker: true}
	for _, c := range []struct {
		name         string
		kind         string
		outcome      outcome
		begun, ended []int
		lost         int
		want         string // a part of the complaint; "": all is well
	}{
		{"answered", "echo", whole, []int{other}, []int{other}, 0, ""},
		{"not begun by anybody", "echo", whole, nil, nil, 0, "nobody has run it"},
		{"begun twice", "echo", whole, []int{worker, other}, []int{other}, 0, "more than once"},
		{"ended twice", "echo", whole, []int{other}, []int{other, other}, 0, "more than once"},
		{"not ended", "echo", whole, []int{other}, nil, 0, "has not ended"},
		{"not ended by its own", "socket", whole, []int{other}, nil, 0, "has not ended"},
		{"killed behind the goodbye", "socket", whole, []int{worker}, nil, 0, ""},
		{"lost behind its last byte", "download", whole, []int{worker}, nil, worker, ""},
		{"lost before its last chunk", "stream", whole, []int{worker}, nil, worker, "did not say so"},
		{"lost while it ran", "echo", badGate, []int{worker}, nil, worker, ""},
		{"lost as soon as claimed", "echo", badGate, nil, nil, worker, ""},
		{"lost at its end", "echo", badGate, []int{worker}, []int{worker}, worker, ""},
		{"cut", "stream", cut, []int{worker}, nil, worker, ""},
		{"502 for no reason", "echo", badGate, nil, nil, 0, "no killed worker"},
		{"502 though answered", "echo", badGate, []int{other}, []int{other}, 0, "no killed worker"},
		{"cut for no reason", "stream", cut, []int{other}, nil, 0, "no killed worker"},
		{"lost in a living worker", "echo", badGate, []int{other}, nil, other, "not killed"},
		{"lost elsewhere than begun", "echo", badGate, []int{other}, nil, worker, "another worker"},
		{"behind a cut answer", "echo", unsent, nil, nil, 0, ""},
		{"run behind a cut answer", "echo", unsent, []int{other}, nil, 0, "no answer"},
		{"wrong", "echo", wrong, []int{other}, []int{other}, 0, "not answered"},
	} {
		got := verdict(&request{kind: c.kind, outcome: c.outcome}, c.begun, c.ended, c.lost, killed)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDeaths(t *testing.T) {
	for _, c := range []struct {
		name               string
		lost               map[string]int
		logged, died, kill []int
		unborn             int
		want               string
	}{
		{"one kill", map[string]int{"a": 7, "b": 7}, []int{7}, []int{7}, []int{7}, 0, ""},
		{"more than it has threads", map[string]int{"a": 7, "b": 7, "c": 7}, []int{7}, []int{7}, []int{7}, 0, "3 requests"},
		{"a kill that is not told", nil, nil, nil, []int{7}, 0, "does not tell"},
		{"a kill before the worker had a name", nil, nil, nil, []int{7}, 1, ""},
		{"a death that nobody wanted", nil, nil, []int{7}, nil, 0, "nobody has killed it"},
	} {
		a := &accounts{lost: c.lost, killed: set(c.logged), died: set(c.died), unborn: c.unborn}
		got := strings.Join(a.deaths(set(c.kill), 2), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestStrangers: what nobody sent may neither be run nor lost.
func TestStrangers(t *testing.T) {
	b := newBooks()
	b.enter([]*request{{kind: "echo", nonce: "a", outcome: whole}})
	even := accounts{begun: map[string][]int{"a": {7}}, ended: map[string][]int{"a": {7}}}
	if got := b.settle(&even, nil, 1); len(got) != 0 {
		t.Errorf("an even account is refused: %q", got)
	}
	even.begun["x"] = []int{7}
	even.lost = map[string]int{"y": 7}
	if got := b.settle(&even, nil, 1); len(got) != 2 {
		t.Errorf("a request run and one lost that nobody sent: %q", got)
	}
}

func set(pids []int) map[int]bool {
	all := map[int]bool{}
	for _, pid := range pids {
		all[pid] = true
	}
	return all
}
