package peers

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// TestPeers sends every case to every application under both servers.
func TestPeers(t *testing.T) {
	pairs := []pair{
		{"on_django", uwsgi(t, "on_django"), serve(t, "on_django")},
		{"on_flask", uwsgi(t, "on_flask"), serve(t, "on_flask")},
		{"on_fastapi", uvicorn(t, "on_fastapi"), serve(t, "on_fastapi")},
	}
	dir := before(t, pairs)
	seen := sightings{}
	for _, p := range pairs {
		theirs, ours := p.theirs.outcomes(dir, p.app), p.ours.outcomes(dir, p.app)
		for name, a := range theirs {
			b := ours[name]
			for _, what := range unequal(a, b) {
				s := sighting{what, p.app, name}
				if d := find(&s, a.of(what), b.of(what)); d == nil {
					t.Errorf("%s, %s: %s is %q under its usual server and %q here, which is not listed", p.app, name, what, a.of(what), b.of(what))
				}
				seen[s] = true
			}
			seen[sighting{"", p.app, name}] = a["called"] == "true" && b["called"] == "true"
		}
	}
	for _, d := range differences {
		d.mustBeSeen(t, seen)
		d.mustBeTold(t)
	}
}

// outcomes sends all cases of the application, each once, and waits for what their clients' leaving leads to.
func (s *site) outcomes(dir, app string) map[string]outcome {
	all, waits := map[string]outcome{}, map[string]string{}
	for _, c := range cases() {
		if !c.of(app) {
			continue
		}
		if all[c.name] != nil {
			s.t.Fatalf("there are two cases %s", c.name)
		}
		all[c.name] = s.ask(dir, &c)
		if c.awaits != "" && !(s.whole && c.part > 0) {
			waits[c.name] = c.awaits
		}
	}
	err := server.Await(func() bool {
		text, err := os.ReadFile(s.notes)
		must(s.t, err)
		for name, note := range waits {
			if !strings.Contains(string(text), fmt.Sprintf(`{"case": %q, %q: `, name, note)) {
				return false
			}
		}
		return true
	})
	if err != nil {
		s.t.Errorf("%s never learned that a client has gone", s.name)
	}
	s.noted(all)
	return all
}
