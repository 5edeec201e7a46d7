package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// libraries are what applications do at their import, each a function of apps/libraries.py:
// in words, as docs/preload.md has it; what speaks against a fork ("" for nothing); and
// what a worker answers that has used it.
var libraries = []struct{ use, words, reason, answer string }{
	{"numpy_computed", "numpy, with a product of matrices", "", `64000000`},
	{"uvloop_policy", "uvloop, as asyncio's policy", "", `uvloop b''`},
	{"uvloop_loop", "uvloop, with a loop", `1 event loop was made at import; .*pipes are open`, `uvloop b''`},
	{"gevent_imported", "gevent, without patches", "", `\[0, 1, 2\]`},
	{"gevent_patched", "gevent, with `monkey.patch_all()`", `gevent is in use \(it has patched os, .*threading.*\)`, `Thread gevent.hub`},
	{"psycopg_imported", "psycopg", "", `\(1,\)`},
	{"psycopg_connected", "psycopg, with a connection", `1 socket is open \(127\.0\.0\.1:\d+\)`, `\(1,\)`},
	{"grpc_imported", "grpcio", "", `hello`},
	{"grpc_channel", "grpcio, with a channel", `event loops? (was|were) made at import`, `helloTrue`},
	{"grpc_called", "grpcio, with a server and a call", `threads were started at import \(.*of grpc\._server.*event loops were made at import; 3 sockets are open`, `helloTrue`},
	{"apscheduler_later", "APScheduler", "", `False`},
	{"apscheduler_started", "APScheduler, started", `threads were started at import \(APScheduler of apscheduler\.schedulers`, `True`},
}

// TestLibraries imports real libraries, which start threads, patch Python or hold
// connections: whether workers may be forked must be decided rightly, and each worker, also
// one that takes another's place, must be able to use them. It prints the table.
func TestLibraries(t *testing.T) {
	page, err := os.ReadFile(root(t, "docs", "preload.md"))
	must(t, err)
	variable := "POSTGRES=" + startPostgres(t)
	rows := []string{"| at import | forked | because of |", "|---|---|---|"}
	for _, l := range libraries {
		t.Run(l.use, func(t *testing.T) {
			s := start(t, server.Config{Application: "libraries:application", Env: []string{"USES=" + l.use, variable},
				Args: []string{"--workers", "2", "--python", filepath.Join(root(t), ".tools", "preload", "bin", "python")}})
			awaitWorkers(t, s, 2)
			answers := func() {
				for range 8 {
					if a := mustGet(t, s, "/"); !regexp.MustCompile(`^` + l.answer + `$`).MatchString(a.body) {
						t.Fatalf("a worker says %q, want %s", a.body, l.answer)
					}
				}
			}
			answers()
			replace(t, s, s.Workers()[0])
			answers()
			said := regexp.MustCompile(`preload: off, each worker imports the application itself: (.*?)( generation=1)?\n`).FindStringSubmatch(s.Log())
			forked, reason := "yes", ""
			if said != nil {
				forked, reason = "no", said[1]
			}
			if (said == nil) != (l.reason == "") || !regexp.MustCompile(l.reason).MatchString(reason) {
				t.Errorf("what speaks against a fork is %q, want %q", reason, l.reason)
			}
			if row := fmt.Sprintf("| %s | %s |", l.words, forked); !strings.Contains(string(page), row) {
				t.Errorf("docs/preload.md lacks a row that begins with %s", row)
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %s |", l.words, forked, reason))
		})
	}
	t.Logf("\n%s", strings.Join(rows, "\n"))
}
