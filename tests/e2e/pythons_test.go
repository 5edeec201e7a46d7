package e2e

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gobridge/pyhost"
	list "gobridge/tests/pythons"
)

// python is a virtual environment with the examples' requirements.
type python struct {
	path  string // its bin/python
	about *pyhost.Interpreter
	kinds string
	hosts []pyhost.Host // those that can hold it
}

// kind says how it was built: see list.Python.
func (p *python) kind() string { return p.kinds }

var listed = sync.OnceValues(list.List)

// pythons are all that the list names: one for each interpreter of the machine.
func pythons(t *testing.T) (all []python) {
	t.Helper()
	read, err := listed()
	must(t, err)
	for _, p := range read {
		all = append(all, about(p))
	}
	return all
}

func about(p list.Python) python { return python{p.Path, p.About, p.Kind(), p.Hosts()} }

// onEach runs f on every interpreter, as list.Everywhere has them: for what is short, and what
// interpreters have differed in.
func onEach(t *testing.T, f func(t *testing.T, p *python, host string)) {
	on(t, func(all []list.Python) []list.Python { return all }, f)
}

// onMain does so on the oldest, the distribution's own and the newest only, and on those
// without a GIL: for tests that take long.
func onMain(t *testing.T, f func(t *testing.T, p *python, host string)) {
	on(t, list.Main, f)
}

// on runs f for each of them, some at the same time: most of it is waiting.
func on(t *testing.T, choose func([]list.Python) []list.Python, f func(t *testing.T, p *python, host string)) {
	t.Helper()
	all, err := listed()
	must(t, err)
	for _, place := range list.Everywhere(choose(all)) {
		p, host := about(place.Python), string(place.Host)
		t.Run(p.about.Version+"-"+p.kind()+"-"+host, func(t *testing.T) {
			t.Parallel()
			f(t, &p, host)
		})
	}
}

// TestInterpretersAreCovered wants what the other tests take for granted: an interpreter
// that is linked statically in the interpreter host, and a shared one in both, if this
// machine's own and pyenv's are there.
func TestInterpretersAreCovered(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range pythons(t) {
		t.Logf("%s %s (%s): %v", p.about.Version, p.kind(), p.path, p.hosts)
		for _, host := range p.hosts {
			seen[p.kind()+" "+string(host)] = true
		}
		if len(p.hosts) == 0 {
			t.Errorf("%s can be hosted in no way", p.path)
		}
	}
	if !list.AreThisMachines() {
		return
	}
	debian, _ := filepath.Glob("/etc/debian_version")
	if len(debian) > 0 && !seen["static interpreter"] {
		t.Error("Debian's own interpreter is not among them")
	}
	if len(debian) > 0 && !seen["static embedded"] {
		t.Error("Debian's own interpreter is not hosted through its libpython")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	built, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions/3.*/lib/libpython3.*.so.1.0"))
	if len(built) > 0 && !(seen["shared interpreter"] && seen["shared embedded"]) {
		t.Errorf("none of pyenv's shared interpreters (%v) is used in both hosts", built)
	}
}
