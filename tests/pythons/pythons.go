package pythons

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gobridge/pyhost"
	"gobridge/tests/server"
)

// Variable names the list to use: a file with the path of a bin/python in each line.
// Without it the list is .tools/pythons, which has one for each interpreter of the machine.
const Variable = "GOBRIDGE_TEST_PYTHONS"

// Python is an interpreter in its environment.
type Python struct {
	Path  string // its bin/python
	About *pyhost.Interpreter
}

// List reads the list that is meant.
func List() ([]Python, error) {
	if path := os.Getenv(Variable); path != "" {
		return Read(path)
	}
	root, err := server.Root()
	if err != nil {
		return nil, err
	}
	return Read(filepath.Join(root, ".tools", "pythons"))
}

// Read reads a list and asks each interpreter in it what it is.
func Read(path string) (all []Python, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("no interpreters to test with (make setup brings this machine's, make test-all some more): %w", err)
	}
	for python := range strings.FieldsSeq(string(text)) {
		about, err := pyhost.Find(context.Background(), pyhost.FindOptions{Python: python})
		if err != nil {
			return nil, err
		}
		all = append(all, Python{python, about})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s lists no interpreter: make setup writes it", path)
	}
	return all, nil
}

// AreThisMachines says whether the list is of all interpreters of this machine, and not of
// one that was chosen.
func AreThisMachines() bool {
	path := os.Getenv(Variable)
	return path == "" || filepath.Base(path) == "pythons"
}

// Hosts are those that can hold the interpreter.
func (p *Python) Hosts() (all []pyhost.Host) {
	if p.About.Ctypes {
		all = append(all, pyhost.HostInterpreter)
	}
	if p.About.Library != "" {
		all = append(all, pyhost.HostEmbedded)
	}
	return all
}

// Kind says how it was built. An interpreter can have a shared library beside it and be
// linked statically all the same.
func (p *Python) Kind() string {
	kind := "static"
	if p.About.Linked {
		kind = "shared"
	}
	if p.About.NoGIL {
		kind += "-freethreaded"
	}
	return kind
}

// Main are those for which no test is too long: the oldest, the newest, the
// distribution's own, and all free-threaded ones.
func Main(all []Python) (chosen []Python) {
	byAge := func(a, b Python) int { return slices.Compare(age(a), age(b)) }
	if len(all) == 0 {
		return nil
	}
	oldest, newest := slices.MinFunc(all, byAge), slices.MaxFunc(all, byAge)
	for _, p := range all {
		if p.Path == oldest.Path || p.Path == newest.Path || p.About.NoGIL || p.About.BasePrefix == "/usr" {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// Place is an interpreter in one of the hosts that can hold it.
type Place struct {
	Python Python
	Host   pyhost.Host
}

// Everywhere has every interpreter: the main ones in each of their hosts, the others in one, in
// turn, since what hosts differ in does not change from one version to the next.
func Everywhere(all []Python) (places []Place) {
	main := Main(all)
	for n, p := range all {
		hosts := p.Hosts()
		if len(hosts) > 1 && !slices.ContainsFunc(main, func(m Python) bool { return m.Path == p.Path }) {
			hosts = hosts[n%len(hosts):][:1]
		}
		for _, host := range hosts {
			places = append(places, Place{p, host})
		}
	}
	return places
}

// age is the version as numbers.
func age(p Python) (numbers []int) {
	for part := range strings.SplitSeq(p.About.Version, ".") {
		n, _ := strconv.Atoi(strings.TrimRightFunc(part, func(r rune) bool { return r < '0' || r > '9' }))
		numbers = append(numbers, n)
	}
	return numbers
}
