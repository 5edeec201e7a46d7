package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gobridge/pyhost"
	"gobridge/tests/server"
)

// python is a virtual environment with the examples' requirements.
type python struct {
	path  string // its bin/python
	about *pyhost.Interpreter
}

// listed are those in .tools/pythons, which scripts/setup writes: one for each interpreter
// of the machine.
var listed = sync.OnceValues(func() (all []python, err error) {
	root, err := server.Root()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, ".tools", "pythons"))
	if err != nil {
		return nil, err
	}
	for path := range strings.FieldsSeq(string(text)) {
		about, err := pyhost.Find(pyhost.FindOptions{Python: path, Dir: root})
		if err != nil {
			return nil, err
		}
		all = append(all, python{path, about})
	}
	return all, nil
})

func pythons(t *testing.T) []python {
	t.Helper()
	all, err := listed()
	if err != nil || len(all) == 0 {
		t.Fatalf("no interpreters to test with (make setup brings them): %v", err)
	}
	return all
}

// hosts are those that can hold the interpreter.
func (p *python) hosts() (all []string) {
	if p.about.Ctypes {
		all = append(all, string(pyhost.HostInterpreter))
	}
	if p.about.Library != "" {
		all = append(all, string(pyhost.HostEmbedded))
	}
	return all
}

// kind says how it was built: an interpreter can have a shared library beside it and be
// linked statically all the same.
func (p *python) kind() string {
	if p.about.Linked {
		return "shared"
	}
	return "static"
}

// onEach runs f on every interpreter, in each host that can hold it.
func onEach(t *testing.T, f func(t *testing.T, p *python, host string)) {
	for _, p := range pythons(t) {
		for _, host := range p.hosts() {
			t.Run(p.about.Version+"-"+p.kind()+"-"+host, func(t *testing.T) { f(t, &p, host) })
		}
	}
}

// TestInterpretersAreCovered wants what the other tests take for granted: an interpreter
// that is linked statically in the interpreter host, and a shared one in both, if this
// machine's own and pyenv's are there.
func TestInterpretersAreCovered(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range pythons(t) {
		t.Logf("%s %s (%s): %v", p.about.Version, p.kind(), p.path, p.hosts())
		for _, host := range p.hosts() {
			seen[p.kind()+" "+host] = true
		}
		if len(p.hosts()) == 0 {
			t.Errorf("%s can be hosted in no way", p.path)
		}
	}
	debian, _ := filepath.Glob("/etc/debian_version")
	if len(debian) > 0 && !seen["static interpreter"] {
		t.Error("Debian's own interpreter is not among them")
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
