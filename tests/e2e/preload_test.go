package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gobridge/tests/server"
)

func startPreloaded(t *testing.T, leaves string, args ...string) *server.Server {
	t.Helper()
	return start(t, server.Config{Application: "preloaded:application", Args: append(args, "--workers", "2"), Env: []string{"LEAVES=" + leaves}})
}

// imports asks until both workers have answered, and returns who imported the application
// of each. Their random numbers must differ.
func imports(t *testing.T, s *server.Server) (who []string) {
	t.Helper()
	first := map[string]bool{} // the first number of each worker
	of := map[string]string{}
	err := server.Await(func() bool {
		answers := make(chan answer, 4)
		for range cap(answers) {
			go func() { answers <- get(s, "/") }()
		}
		for range cap(answers) {
			a := <-answers
			part := strings.Split(a.body, ", ")
			if a.err != nil || len(part) != 3 {
				t.Fatalf("%+v", a)
			}
			if of[part[1]] == "" {
				if of[part[1]] = part[0]; first[part[2]] {
					t.Errorf("two workers have the same random number: %s", part[2])
				}
				first[part[2]] = true
			}
		}
		return len(of) == 2
	})
	if err != nil {
		t.Fatalf("both workers never answered: %v", of)
	}
	for _, importer := range of {
		who = append(who, importer)
	}
	return who
}

func importer(t *testing.T, imported string) int {
	t.Helper()
	pid, err := strconv.Atoi(strings.Fields(imported)[0])
	must(t, err)
	return pid
}

// replace kills a worker and waits for the next one.
func replace(t *testing.T, s *server.Server, pid int) {
	t.Helper()
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	awaitWorkers(t, s, 2, pid)
}

// TestPreload: who imports the application, with each setting, whether or not the import
// leaves behind what a fork would break; also for a worker that is replaced.
func TestPreload(t *testing.T) {
	const line = `preload: off, each worker imports the application itself: 1 thread was started at import \(poller of time\)`
	const warning = `preload: on, because it is so set, .*: 1 thread was started at import \(poller of time\)`
	onMain(t, func(t *testing.T, p *python, host string) {
		for _, c := range []struct {
			preload, leaves string
			once            bool
			says            string
		}{
			{"auto", "", true, ""},
			{"auto", "thread", false, line},
			{"on", "thread", true, warning},
			{"auto", "green threads", true, ""},
			{"off", "", false, ""},
		} {
			t.Run(c.preload+" "+c.leaves, func(t *testing.T) {
				s := startPreloaded(t, c.leaves, "--python", p.path, "--host", host, "--preload", c.preload)
				awaitWorkers(t, s, 2)
				for range 2 {
					who, workers, templates := imports(t, s), s.Workers(), s.Templates()
					if once := who[0] == who[1]; once != c.once {
						t.Errorf("the workers' applications were imported by %v", who)
					}
					if c.once && (len(templates) != 1 || importer(t, who[0]) != templates[0]) {
						t.Errorf("it was imported by %v, the template is %v", who, templates)
					}
					if !c.once && (len(templates) != 0 || !slices.Contains(workers, importer(t, who[0])) || !slices.Contains(workers, importer(t, who[1]))) {
						t.Errorf("it was imported by %v, the workers are %v, the templates %v", who, workers, templates)
					}
					replace(t, s, workers[0])
				}
				if said := regexp.MustCompile(`preload: .*`).FindAllString(s.Log(), -1); c.says == "" && len(said) != 0 ||
					c.says != "" && (len(said) != 1 || !regexp.MustCompile(c.says).MatchString(said[0])) {
					t.Errorf("the log says %q, want %q", said, c.says)
				}
			})
		}
	})
}

// TestTemplateIsKilled kills zygote and template, one, the other and both: the workers go
// on, and those that die are replaced.
func TestTemplateIsKilled(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		s := startPreloaded(t, "", "--python", p.path, "--host", host)
		awaitWorkers(t, s, 2) // which have the template's name until they take their own
		for _, victims := range []struct {
			name   string
			pids   []int
			anew   bool // the application must be imported again
			zygote bool // a new zygote is needed
		}{
			{"zygote", s.Zygotes(), false, false},
			{"template", s.Templates(), true, true}, // the zygote was killed before
			{"template alone", nil, true, false},
			{"both", nil, true, true},
		} {
			switch victims.name {
			case "template alone":
				victims.pids = s.Templates()
			case "both":
				victims.pids = slices.Concat(s.Templates(), s.Zygotes())
			}
			if len(victims.pids) == 0 {
				t.Fatalf("%s: there is none", victims.name)
			}
			before, zygotes, workers := imports(t, s), s.Zygotes(), s.Workers()
			for _, pid := range victims.pids {
				must(t, syscall.Kill(pid, syscall.SIGKILL))
				must(t, server.Await(func() bool { return !server.Running(pid) }))
			}
			if now := imports(t, s); fmt.Sprint(s.Workers()) != fmt.Sprint(workers) || len(now) != 2 {
				t.Errorf("%s: the workers were %v and are %v", victims.name, workers, s.Workers())
			}
			replace(t, s, workers[0])
			replace(t, s, workers[1])
			for _, who := range imports(t, s) {
				if anew := !slices.Contains(before, who); anew != victims.anew {
					t.Errorf("%s: imported by %s, before by %v", victims.name, who, before)
				}
			}
			if now := s.Zygotes(); victims.zygote && (len(now) != 1 || slices.Equal(now, zygotes)) {
				t.Errorf("%s: the zygotes were %v and are %v", victims.name, zygotes, now)
			}
		}
		for _, text := range []string{"the zygote has died", "the template was killed by SIGKILL"} {
			if _, err := s.AwaitLog(text); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestMemoryIsShared: what the import has made is there once.
func TestMemoryIsShared(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		s := startPreloaded(t, "memory", "--python", p.path, "--host", host)
		awaitWorkers(t, s, 2)
		for range 100 {
			mustGet(t, s, "/")
		}
		for _, pid := range s.Workers() {
			// With one to share with, a worker's part is a third: there is the template, too. Its whole
			// may be twice the 64 MiB: a build without a GIL keeps what the making of them took.
			if whole, part := rollup(t, pid, "Rss"), rollup(t, pid, "Pss"); whole < 64<<10 || part > whole/2 {
				t.Errorf("worker %d has %d KiB, its part of that is %d KiB", pid, whole, part)
			}
		}
	})
}

// rollup is a sum over a process's memory, in KiB.
func rollup(t *testing.T, pid int, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	must(t, err)
	m := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("there is no %s in\n%s", name, text)
	}
	n, err := strconv.Atoi(string(m[1]))
	must(t, err)
	return n
}
