package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// commandLine is what ps shows.
func commandLine(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	must(t, err)
	return strings.TrimRight(string(text), "\x00")
}

// TestNamesAndIDs: processes say what they are, and what is logged of a request has its id.
func TestNamesAndIDs(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		path := filepath.Join(t.TempDir(), "access")
		s := start(t, server.Config{Application: "identified:application", Env: []string{"FIRST_OF_ALL=1"},
			Args: []string{"--python", p.path, "--host", host, "--workers", "2", "--access-log", path, "--request-id-header", "X-Request-ID"}})
		awaitWorkers(t, s, 2)
		t.Run("names", func(t *testing.T) {
			var names []string
			must(t, server.Await(func() bool { // a worker has its name a moment after it is forked
				names = nil
				for _, pid := range append(append(s.Zygotes(), s.Templates()...), s.Workers()...) {
					names = append(names, commandLine(t, pid))
				}
				all := strings.Join(names, "\n")
				return strings.Contains(all, "gobridge: worker 1 identified:application") && strings.Contains(all, "gobridge: worker 2 identified:application") &&
					len(names) == 4
			}))
			all := strings.Join(names, "\n")
			for _, want := range []string{"gobridge: zygote identified:application", "gobridge: template identified:application"} {
				if !strings.Contains(all, want) {
					t.Errorf("there is no %q among\n%s", want, all)
				}
			}
			for _, pid := range s.Workers() {
				if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err != nil || !strings.Contains(string(text), "FIRST_OF_ALL=1\x00") {
					t.Errorf("the environment of a worker is %q", text)
				}
			}
		})
		c := connect(t, s)
		ask := func(path, field string) answer {
			t.Helper()
			c.send(t, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, field)
			return c.receive("GET")
		}
		logged := func(id string) {
			t.Helper()
			lines := ""
			for _, line := range []string{"one", "two", "three and a half", "four", "five", "six", "seven"} {
				lines += `\[` + id + `\] ` + line + `\n(.*\n)*?`
			}
			if _, err := s.AwaitLog(`(?m)^` + lines); err != nil {
				t.Error(err)
			}
			if err := server.Await(func() bool {
				text, _ := os.ReadFile(path)
				return regexp.MustCompile(`"GET / HTTP/1\.1" 200 .* \d\.\d{6} ` + id + `\n`).Match(text)
			}); err != nil {
				t.Errorf("the access log has no line of %s", id)
			}
		}
		for given, kept := range map[string]bool{"": false, "X-Request-ID: a-proxy/has=chosen.it\r\n": true, "x-request-id: forged] line\r\n": false} {
			a := ask("/", given)
			m := regexp.MustCompile(`^(\S+) (\S+)$`).FindStringSubmatch(a.body)
			if m == nil || m[1] != m[2] || kept != (m[1] == "a-proxy/has=chosen.it") || !kept && len(m[1]) != 32 {
				t.Errorf("with %q the application sees %q", given, a.body)
				continue
			}
			logged(regexp.QuoteMeta(m[1]))
		}
		if a := ask("/fail", "X-Request-ID: of-the-failure\r\n"); a.status != http.StatusInternalServerError {
			t.Errorf("%+v", a)
		}
		if _, err := s.AwaitLog(`gobridge\[\d+\]: \[of-the-failure\] GET /fail: .*\n(.*\n)*?ValueError: failed on purpose`); err != nil {
			t.Error(err)
		}
	})
}
