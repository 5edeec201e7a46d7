package conformance

import (
	"strings"
	"testing"

	"gobridge/tests/pythons"
)

// interpreter is a CPython in one of its hosts.
type interpreter struct {
	path, host, version string
	noGIL               bool
	last                bool // the last one's first place: for what interpreters make no difference to
}

// String is how a report names it.
func (i interpreter) String() string {
	where := i.version + " " + i.host
	if i.noGIL {
		where += " without a GIL"
	}
	return where
}

// everywhere runs a test on every interpreter, on the main ones in each of their hosts.
func everywhere(t *testing.T, f func(t *testing.T, i interpreter)) {
	all, err := pythons.List()
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for _, place := range pythons.Everywhere(all) {
		p, host := place.Python, place.Host
		first := p.Path != last && p.Path == all[len(all)-1].Path
		last = p.Path
		i := interpreter{p.Path, string(host), p.About.Version, p.About.NoGIL, first}
		t.Run(strings.ReplaceAll(i.String(), " ", "-"), func(t *testing.T) {
			t.Parallel()
			f(t, i)
		})
	}
}

// lastInterpreter is the last one, in its first place.
func lastInterpreter(t *testing.T) interpreter {
	t.Helper()
	all, err := pythons.List()
	if err != nil {
		t.Fatal(err)
	}
	p := all[len(all)-1]
	return interpreter{path: p.Path, host: string(pythons.Everywhere(all[len(all)-1:])[0].Host), version: p.About.Version, noGIL: p.About.NoGIL}
}
