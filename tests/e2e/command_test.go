package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// mistake runs gobridge with something that cannot work: it must end with the code, having
// written each of the texts, and no line to standard output.
func mistake(t *testing.T, c server.Config, code int, texts ...string) {
	t.Helper()
	if c.Dir == "" {
		c.Dir = root(t, "tests", "e2e", "apps")
	}
	s, err := server.Run(c)
	must(t, err)
	defer s.Kill()
	if got := s.Wait(); got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
	for _, text := range texts {
		if !strings.Contains(s.Log(), text) {
			t.Errorf("the message lacks %q", text)
		}
	}
	if s.Output() != "" {
		t.Errorf("standard output has %q", s.Output())
	}
	if t.Failed() {
		t.Logf("the server wrote:\n%s", s.Log())
	}
}

func TestApplicationsThatCannotBeImported(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		for _, c := range []struct {
			application string
			texts       []string
			env         []string
		}{
			{"nowhere:application", []string{"nowhere"}, nil},
			{"behaviour.nowhere:application", []string{"behaviour"}, nil},
			{"behaviour:nothing", []string{"behaviour", "nothing"}, nil},
			{"broken_syntax:application", []string{"broken_syntax.py", "line 1", "SyntaxError"}, nil},
			{"broken_import:application", []string{"Traceback", "broken_import.py", "line 5", "JSONDecodeError"}, nil},
			{"behaviour:TEXT", []string{"TEXT"}, nil}, // is a list
			{"leaves:application", []string{"exited with code 9"}, nil},
			{"crashes:application", []string{"was killed by SIGSEGV", "set PYTHONFAULTHANDLER=1"}, nil},
			{"crashes:application", []string{"Segmentation fault", "crashes.py"}, []string{"PYTHONFAULTHANDLER=1"}},
		} {
			t.Run(c.application, func(t *testing.T) {
				mistake(t, server.Config{Application: c.application, Env: c.env, Args: []string{"--python", p.path, "--host", host, "--workers", "2"}}, 3, c.texts...)
			})
		}
	})
}

func TestMistakesInTheCommand(t *testing.T) {
	python := anyPython(t)
	for _, c := range []struct {
		name, application string
		args              []string
		code              int
		text              string
	}{
		{"unknown flag", "behaviour:application", []string{"--wrokers", "2"}, 2, "--workers"},
		{"wrong number", "behaviour:application", []string{"--workers", "many"}, 2, "--workers"},
		{"no application", "--workers=1", nil, 2, "myproject.wsgi:application"},
		{"no attribute named", "behaviour", nil, 2, "MODULE:ATTRIBUTE"},
		{"wrong folder", "behaviour:application", []string{"--chdir", "/no/such/folder"}, 2, "/no/such/folder"},
		{"wrong address", "behaviour:application", []string{"--bind", "nonsense"}, 2, "nonsense"},
		{"wrong interpreter", "behaviour:application", []string{"--python", "/bin/true"}, 5, "/bin/true"},
		{"missing environment", "behaviour:application", []string{"--venv", "/no/such/venv"}, 5, "/no/such/venv"},
		{"foreign address", "behaviour:application", []string{"--bind", "192.0.2.1:80"}, 4, "192.0.2.1"},
		{"unreachable socket", "behaviour:application", []string{"--bind", "unix:/no/such/folder/socket"}, 4, "/no/such/folder/socket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := c.args
			if !strings.Contains(strings.Join(args, " "), "/bin/true") && !strings.Contains(strings.Join(args, " "), "--venv") {
				args = append(args, "--python", python)
			}
			mistake(t, server.Config{Application: c.application, Args: args}, c.code, c.text)
		})
	}
}

// TestForeignEnvironment: a virtual environment that the server's user may not read is not
// taken for a broken one.
func TestForeignEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	copyFile(t, root(t, "examples", "hello", "app.py"), filepath.Join(dir, "app.py"))
	must(t, os.Mkdir(filepath.Join(dir, ".venv"), 0o700))
	c := server.Config{Application: "app:application", Dir: dir, Binary: filepath.Join(dir, "gobridge")}
	binary, err := os.ReadFile(root(t, "bin", "gobridge"))
	must(t, err)
	must(t, os.WriteFile(c.Binary, binary, 0o755))
	if os.Getuid() == 0 {
		c.User = 65534
	} else {
		must(t, os.Chmod(filepath.Join(dir, ".venv"), 0))
	}
	mistake(t, c, 5, ".venv beside the application", "may not use "+filepath.Join(dir, ".venv"), "--venv")
}

// TestHangingInterpreter: it is said what the start waits for, and SIGTERM ends the wait.
func TestHangingInterpreter(t *testing.T) {
	t.Parallel()
	python := filepath.Join(t.TempDir(), "python3")
	must(t, os.WriteFile(python, []byte("#!/bin/sh\nexec sleep 600\n"), 0o755))
	s, err := server.Run(server.Config{Application: "app:application", Dir: root(t, "examples", "hello"), Args: []string{"--python", python}})
	must(t, err)
	defer s.Kill()
	if _, err := s.AwaitLog("waiting for " + python + ` \(--python\) to say which Python it is; after 1m0s it is given up`); err != nil {
		t.Error(err)
	}
	must(t, s.Stop())
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	hello := server.Config{Application: "app:application", Dir: root(t, "examples", "hello"), Args: []string{"--python", anyPython(t)}}
	hello.Bind = l.Addr().String()
	mistake(t, hello, 4, "port "+port+" is in use", "choose another port")

	hello.Bind = "unix:" + filepath.Join(t.TempDir(), "socket")
	s := startHello(t, hello)
	mistake(t, hello, 4, "another program listens on this socket")
	if a := mustGet(t, s, "/"); a.body != greeting {
		t.Errorf("the first server answers %q", a.body)
	}
	// What a killed server leaves there is in nobody's way.
	s.Kill()
	s.Wait()
	if a := mustGet(t, startHello(t, hello), "/"); a.body != greeting {
		t.Errorf("the third server answers %q", a.body)
	}
}

// TestProjectFolder serves a project as its developer does: in its folder, with nothing
// but the application's name, its virtual environment beside it.
func TestProjectFolder(t *testing.T) {
	for _, p := range pythons(t) {
		t.Run(p.about.Version+"-"+p.kind(), func(t *testing.T) {
			dir := t.TempDir()
			copyFile(t, root(t, "examples", "hello", "app.py"), filepath.Join(dir, "app.py"))
			linkVenv(t, p.path, filepath.Join(dir, ".venv"))
			s, err := server.Start(server.Config{Application: "app:application", Dir: dir})
			must(t, err)
			defer s.Kill()
			if a := mustGet(t, s, "/"); a.body != greeting {
				t.Errorf("it answers %q", a.body)
			}
			if !strings.Contains(s.Ready, filepath.Join(dir, ".venv", "bin", "python")) {
				t.Errorf("it does not use the environment in .venv: %s", s.Ready)
			}
			must(t, s.Stop())
		})
	}
}
