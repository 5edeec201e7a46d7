package peers

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// difference is one that is on purpose: a row of the table in docs/nginx.md, and where it is seen.
type difference struct {
	what, theirs, ours, why string // the row's columns
	seen                    []sight
}

// sight is where a difference shows: in something of an outcome, with each of these applications,
// in each of these cases.
type sight struct {
	what         string
	apps         []string
	cases        []string // none: in all in which the application is called
	theirs, ours string   // patterns of the whole value
}

// sighting is one that was made. Without a what it says whether the application was called.
type sighting struct{ what, app, name string }

type sightings map[sighting]bool

var (
	wsgi    = []string{"on_django", "on_flask"}
	fastapi = []string{"on_fastapi"}
)

var differences = []*difference{}

// find is the difference that has such a sight; nil: none does.
func find(s *sighting, theirs, ours string) *difference {
	for _, d := range differences {
		for i := range d.seen {
			if d.seen[i].fits(s, theirs, ours) {
				return d
			}
		}
	}
	return nil
}

func (each *sight) fits(s *sighting, theirs, ours string) bool {
	return each.what == s.what && slices.Contains(each.apps, s.app) && (len(each.cases) == 0 || slices.Contains(each.cases, s.name)) &&
		whole(each.theirs, theirs) && whole(each.ours, ours)
}

func whole(pattern, value string) bool {
	return regexp.MustCompile(`(?s)^(?:` + pattern + `)$`).MatchString(value)
}

// mustBeSeen wants the difference to have been seen wherever it is listed.
func (d *difference) mustBeSeen(t *testing.T, seen sightings) {
	t.Helper()
	for i := range d.seen {
		each := &d.seen[i]
		for _, app := range each.apps {
			for _, name := range each.in(seen, app) {
				if !seen[sighting{each.what, app, name}] {
					t.Errorf("%s, %s: %s differs no more, as the table says (%s)", app, name, each.what, d.what)
				}
			}
		}
	}
}

// in are the names of the cases in which it shows.
func (each *sight) in(seen sightings, app string) (names []string) {
	if len(each.cases) > 0 {
		return each.cases
	}
	for s, called := range seen {
		if s.what == "" && s.app == app && called {
			names = append(names, s.name)
		}
	}
	return names
}

// mustBeTold wants the difference to stand in docs/nginx.md.
func (d *difference) mustBeTold(t *testing.T) {
	t.Helper()
	page, err := os.ReadFile(root(t, "docs", "nginx.md"))
	must(t, err)
	if row := "| " + strings.Join([]string{d.what, d.theirs, d.ours, d.why}, " | ") + " |\n"; !strings.Contains(string(page), row) {
		t.Errorf("docs/nginx.md lacks the row %s", row)
	}
}
