package peers

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// difference is one that is on purpose: a row of the table in docs/nginx.md, and where it shows.
type difference struct {
	under, what, theirs, ours, why string // the row's columns
	shows                          []sight
}

// sight is where a difference shows: in something of the outcomes, with each of these
// applications, in each of these cases.
type sight struct {
	what         string // a pattern
	apps         []string
	cases        []string // none: all in which the application is called under both
	theirs, ours string   // patterns; "": anything
}

// meetings are the cases in which a sight was met, by application and name; with nil those in
// which the application was called under both.
type meetings map[*sight]map[[2]string]bool

func (m meetings) note(s *sight, app, name string) {
	if m[s] == nil {
		m[s] = map[[2]string]bool{}
	}
	m[s][[2]string{app, name}] = true
}

var (
	wsgi    = []string{"on_django", "on_flask"}
	fastapi = []string{"on_fastapi"}
)

// find is the sight that what differs in a case is; nil: it is not listed.
func find(app, name, what, theirs, ours string) *sight {
	for _, d := range differences {
		for i := range d.shows {
			s := &d.shows[i]
			if whole(s.what, what) && slices.Contains(s.apps, app) && (len(s.cases) == 0 || slices.Contains(s.cases, name)) &&
				whole(s.theirs, theirs) && whole(s.ours, ours) {
				return s
			}
		}
	}
	return nil
}

func whole(pattern, value string) bool {
	return pattern == "" || regexp.MustCompile(`(?s)^(?:`+pattern+`)$`).MatchString(value)
}

// mustBeMet wants the difference to have been met wherever it is listed.
func (d *difference) mustBeMet(t *testing.T, met meetings) {
	t.Helper()
	for i := range d.shows {
		s := &d.shows[i]
		wanted := map[[2]string]bool{}
		for _, app := range s.apps {
			for _, name := range s.cases {
				wanted[[2]string{app, name}] = true
			}
			for each := range met[nil] {
				if len(s.cases) == 0 && each[0] == app {
					wanted[each] = true
				}
			}
		}
		for each := range wanted {
			if !met[s][each] {
				t.Errorf("%s, %s: %s differs no more, which is listed (%s)", each[0], each[1], s.what, d.what)
			}
		}
		if len(wanted) == 0 {
			t.Errorf("%s shows nowhere (%s)", s.what, d.what)
		}
	}
}

// mustBeTold wants the difference to stand in docs/nginx.md.
func (d *difference) mustBeTold(t *testing.T) {
	t.Helper()
	page, err := os.ReadFile(root(t, "docs", "nginx.md"))
	must(t, err)
	if row := d.row(); !strings.Contains(string(page), row) {
		t.Errorf("docs/nginx.md lacks the row %s", row)
	}
}

func (d *difference) row() string {
	return "| " + strings.Join([]string{d.under, d.what, d.theirs, d.ours, d.why}, " | ") + " |\n"
}
