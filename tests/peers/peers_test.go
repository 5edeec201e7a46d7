package peers

import (
	"os/exec"
	"testing"
)

// TestPeers sends every case to every application under both servers.
func TestPeers(t *testing.T) {
	pairs := []pair{
		{"on_django", uwsgi(t, "on_django"), serve(t, "on_django", true)},
		{"on_flask", uwsgi(t, "on_flask"), serve(t, "on_flask", true)},
		{"on_fastapi", uvicorn(t, "on_fastapi"), serve(t, "on_fastapi", false)},
	}
	dir := before(t, pairs)
	met := meetings{}
	for _, p := range pairs {
		theirs, ours := p.theirs.outcomes(dir, p.app), p.ours.outcomes(dir, p.app)
		for name, a := range theirs {
			b := ours[name]
			for _, what := range unequal(a, b) {
				each := find(p.app, name, what, a.of(what), b.of(what))
				if each == nil {
					t.Errorf("%s, %s: %s is %q under its usual server and %q here, which is not listed", p.app, name, what, a.of(what), b.of(what))
					continue
				}
				met.note(each, p.app, name)
			}
			if a["called"] == "true" && b["called"] == "true" {
				met.note(nil, p.app, name)
			}
		}
		t.Logf("%s: %d requests", p.app, len(theirs))
		for _, s := range []*site{p.theirs, p.ours} {
			s.mustAnswerCommand(p.app)
		}
	}
	for _, d := range differences {
		d.mustBeMet(t, met)
		d.mustBeTold(t)
	}
}

// mustAnswerCommand asks the server without nginx, with gobridge request.
func (s *site) mustAnswerCommand(app string) {
	at := "unix:" + s.socket
	if s.asks == byUwsgi {
		at = "uwsgi:" + at
	}
	out, err := exec.Command(root(s.t, "bin", "gobridge"), "request", at, "/plain", "-d", "abc", "-H", "X-Case: command", "-H", "Content-Type: text/plain", "-m", "60").CombinedOutput()
	if want := "POST 3 ba7816bf8f01cfea\n"; err != nil || string(out) != want {
		s.t.Errorf("%s: gobridge request %s: %v, %q, want %q", app, at, err, out, want)
	}
}

// outcomes sends all cases of the application, and waits for what their clients' leaving leads to.
func (s *site) outcomes(dir, app string) map[string]outcome {
	all := map[string]outcome{}
	for _, c := range cases() {
		if !c.of(app) {
			continue
		}
		if all[c.name] != nil {
			s.t.Fatalf("there are two cases %s", c.name)
		}
		all[c.name] = s.ask(dir, &c)
		if c.awaits != "" && !(s.whole && c.part > 0) {
			s.await(c.name, c.awaits)
		}
	}
	s.noted(all)
	return all
}
