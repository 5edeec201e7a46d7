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
	last                bool // the first host of the last one: for what interpreters make no difference to
}

// String is how a report names it.
func (i interpreter) String() string {
	where := i.version + " " + i.host
	if i.noGIL {
		where += " without a GIL"
	}
	return where
}

// everywhere runs a test on every interpreter in each of its hosts.
func everywhere(t *testing.T, f func(t *testing.T, i interpreter)) {
	all, err := pythons.List()
	if err != nil {
		t.Fatal(err)
	}
	for n, p := range all {
		for _, host := range p.Hosts() {
			i := interpreter{p.Path, string(host), p.About.Version, p.About.NoGIL, n == len(all)-1 && host == p.Hosts()[0]}
			t.Run(strings.ReplaceAll(i.String(), " ", "-"), func(t *testing.T) {
				t.Parallel()
				f(t, i)
			})
		}
	}
}
