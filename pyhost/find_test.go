package pyhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// MachinePythons are the interpreters to test with: those whose environments the list in
// GOBRIDGE_TEST_PYTHONS names, else this machine's, pyenv's and those of /usr/local and of
// the distribution. There is always one, for the rest of the project's tests need it too.
func MachinePythons(t *testing.T) (found []string) {
	t.Helper()
	if list := os.Getenv("GOBRIDGE_TEST_PYTHONS"); list != "" {
		return basesOf(t, list)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{home + "/.pyenv/versions/3.*/bin/python3", "/usr/local/bin/python3.[0-9]*", "/usr/bin/python3"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if exec.Command(path, "-c", "import sys; sys.exit(sys.version_info < (3, 9))").Run() == nil {
				found = append(found, path)
			}
		}
	}
	if len(found) == 0 {
		t.Fatal("no Python of 3.9 or later on this machine: scripts/setup installs one")
	}
	return found
}

// basesOf are the interpreters that the environments in a list were made from.
func basesOf(t *testing.T, list string) (found []string) {
	t.Helper()
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(text)) {
		base, err := filepath.EvalSymlinks(path)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, base)
	}
	if len(found) == 0 {
		t.Fatalf("%s lists no interpreter", list)
	}
	return found
}

// aPython is one interpreter to play with.
func aPython(t *testing.T) string {
	t.Helper()
	return MachinePythons(t)[0]
}

// cleanEnvironment hides this machine's own Python settings from Find.
func cleanEnvironment(t *testing.T, path string) {
	t.Helper()
	t.Setenv("VIRTUAL_ENV", "")
	t.Setenv("PATH", path)
}

// script writes an executable file.
func script(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// venv makes a folder that Python takes for a virtual environment: what `python -m
// venv` makes, without pip.
func venv(t *testing.T, dir, python string) string {
	t.Helper()
	if out, err := exec.Command(python, "-m", "venv", "--without-pip", dir).CombinedOutput(); err != nil {
		t.Fatalf("python -m venv: %v: %s", err, out)
	}
	return dir
}

func TestFindEveryInterpreterOfThisMachine(t *testing.T) {
	for _, python := range MachinePythons(t) {
		t.Run(python, func(t *testing.T) {
			i, err := Find(t.Context(), FindOptions{Python: python})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v", *i)
			if i.Path != python || i.Prefix != i.BasePrefix || i.Minor < OldestMinor || !strings.HasPrefix(i.Version, "3.") {
				t.Errorf("found %+v", i)
			}
			if i.Linked && !isLibrary(i.Library) {
				t.Errorf("it runs on %q, which is no library", i.Library)
			}
			needs := neededPython(t, i.Path)
			if i.Linked != (needs != "") {
				t.Errorf("linked is %v, its executable needs %q", i.Linked, needs)
			}
			if needs != "" && filepath.Base(i.Library) != needs {
				t.Errorf("its executable needs %q, found %q", needs, i.Library)
			}
		})
	}
}

// neededPython is the libpython that the dynamic linker finds for an executable, by another way than the probe's.
func neededPython(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("ldd", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ldd %s: %v: %s", path, err, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(name, "libpython3.") {
			return name
		}
	}
	return ""
}

func TestFindOrder(t *testing.T) {
	python := aPython(t)
	app := t.TempDir()
	named, active, onPath := venv(t, t.TempDir(), python), venv(t, t.TempDir(), python), t.TempDir()
	if err := os.Symlink(python, filepath.Join(onPath, "python3")); err != nil {
		t.Fatal(err)
	}
	cleanEnvironment(t, onPath)
	expect := func(o FindOptions, why, prefix string) {
		t.Helper()
		o.Dir = app
		i, err := Find(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if i.Why != why || prefix != "" && i.Prefix != prefix {
			t.Errorf("found %s through %q in %s, want %q in %s", i.Path, i.Why, i.Prefix, why, prefix)
		}
	}
	expect(FindOptions{}, "python3 on PATH", "")
	beside := venv(t, filepath.Join(app, ".venv"), python)
	expect(FindOptions{}, ".venv beside the application", beside)
	t.Setenv("VIRTUAL_ENV", active)
	expect(FindOptions{}, "VIRTUAL_ENV", active)
	expect(FindOptions{Venv: named}, "--venv", named)
	expect(FindOptions{Python: python}, "--python", "")
	expect(FindOptions{Python: filepath.Join(named, "bin", "python")}, "--python", named)
	expect(FindOptions{Python: "python3"}, "--python", "")
}

func TestFindFollowsWhatAWrapperReports(t *testing.T) {
	python := aPython(t)
	shim := script(t, filepath.Join(t.TempDir(), "python3"), "#!/bin/sh\necho a wrapper speaks\nexec "+python+` "$@"`+"\n")
	i, err := Find(t.Context(), FindOptions{Python: shim})
	if err != nil {
		t.Fatal(err)
	}
	if i.Path != python {
		t.Errorf("found %s, want %s", i.Path, python)
	}
}

func TestFindIsNotMisledByTheApplicationsModules(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"json", "sysconfig", "os", "importlib"} {
		script(t, filepath.Join(dir, name+".py"), "raise SystemExit('the application was imported')\n")
	}
	t.Chdir(dir)
	if _, err := Find(t.Context(), FindOptions{Python: aPython(t)}); err != nil {
		t.Fatal(err)
	}
}

func TestFindErrors(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	plainFile := filepath.Join(dir, "plain")
	if err := os.WriteFile(plainFile, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken", ".venv")
	if err := os.MkdirAll(broken, 0o755); err != nil {
		t.Fatal(err)
	}
	says := func(name, line string) string {
		return script(t, filepath.Join(dir, name), "#!/bin/sh\n"+line+"\n")
	}
	cleanEnvironment(t, bin)
	for _, c := range []struct {
		name   string
		o      FindOptions
		active string
		want   []string
	}{
		{"both", FindOptions{Python: "a", Venv: "b"}, "", []string{"--python and --venv", "one of them"}},
		{"nothing there", FindOptions{Dir: dir}, "", []string{"--venv", "VIRTUAL_ENV", dir + "/.venv", "PATH (" + bin + ")", "install python3"}},
		{"name not on PATH", FindOptions{Python: "python3.99"}, "", []string{"--python python3.99", "PATH"}},
		{"no such file", FindOptions{Python: "/no/python"}, "", []string{"--python /no/python", "no such file"}},
		{"a folder", FindOptions{Python: dir}, "", []string{"is a folder", "--venv"}},
		{"not executable", FindOptions{Python: plainFile}, "", []string{"cannot be executed"}},
		{"no venv", FindOptions{Venv: dir}, "", []string{"--venv", "bin/python", "python3 -m venv " + dir}},
		{"stale VIRTUAL_ENV", FindOptions{}, "/gone", []string{"VIRTUAL_ENV", "/gone", "unset"}},
		{"empty .venv", FindOptions{Dir: filepath.Dir(broken)}, "", []string{".venv beside", "--clear " + broken}},
		{"fails", FindOptions{Python: says("fails", "echo 'pyenv: version 3.99 is not installed' >&2; exit 1")}, "",
			[]string{"does not run as a Python 3", "exit status 1", "version 3.99 is not installed"}},
		{"quotes the error", FindOptions{Python: says("quotes", "echo 'a line\nModuleNotFoundError: No module named encodings\n\nCurrent thread\n  <no Python frame>' >&2; exit 1")}, "",
			[]string{"exit status 1", `: "ModuleNotFoundError: No module named encodings"`}},
		{"talks nonsense", FindOptions{Python: says("nonsense", "echo hello")}, "", []string{"does not describe itself", `"hello"`}},
		{"PyPy", FindOptions{Python: says("pypy", `echo '{"implementation":"pypy","version":"3.10.14","major":3,"minor":10}'`)}, "",
			[]string{"is pypy", "CPython"}},
		{"too old", FindOptions{Python: says("old", `echo '{"implementation":"cpython","version":"3.8.20","major":3,"minor":8}'`)}, "",
			[]string{"is Python 3.8.20", "3.9 and later"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("VIRTUAL_ENV", c.active)
			i, err := Find(t.Context(), c.o)
			if err == nil {
				t.Fatalf("found %+v", i)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not contain %q", err, want)
				}
			}
		})
	}
}

// TestFindErrorsOfAHome: PYTHONHOME leads every interpreter astray, and none says so.
func TestFindErrorsOfAHome(t *testing.T) {
	python := aPython(t) // which would not run
	t.Setenv("PYTHONHOME", "/no/such/home")
	_, err := Find(t.Context(), FindOptions{Python: python})
	if err == nil || !strings.Contains(err.Error(), "encodings") || !strings.Contains(err.Error(), "PYTHONHOME is set to /no/such/home") || strings.Contains(err.Error(), "no Python frame") {
		t.Errorf("the error is %v", err)
	}
}

// TestFindWaits: who does not answer is named after a while, and not waited for longer than
// the caller wants.
func TestFindWaits(t *testing.T) {
	t.Parallel()
	python := script(t, filepath.Join(t.TempDir(), "python3"), "#!/bin/sh\nexec sleep 600\n")
	ctx, cancel := context.WithCancel(t.Context())
	var told string
	_, err := Find(ctx, FindOptions{Python: python, Slow: func(path, why string, limit time.Duration) {
		told = fmt.Sprint(path, why, limit)
		cancel()
	}})
	if err == nil || told != python+"--python1m0s" {
		t.Errorf("%v, told %q", err, told)
	}
}

func TestLibraryIsLookedForWhereTheBuildMayHaveIt(t *testing.T) {
	real := ""
	for _, python := range MachinePythons(t) {
		if i, err := Find(t.Context(), FindOptions{Python: python}); err == nil && i.Library != "" {
			real = i.Library
		}
	}
	if real == "" {
		t.Fatal("no libpython on this machine: scripts/setup installs one")
	}
	base := t.TempDir()
	for _, c := range []struct {
		name   string
		config map[string]string
		at     string // where the library lies; empty: nowhere
		file   string
	}{
		{"where LIBDIR says", map[string]string{"LIBDIR": base + "/a", "INSTSONAME": "libpython3.11.so.1.0"}, base + "/a", "libpython3.11.so.1.0"},
		{"LIBDIR is the build machine's", map[string]string{"LIBDIR": "/install/lib", "INSTSONAME": "libpython3.12.so.1.0"}, base + "/lib", "libpython3.12.so.1.0"},
		{"multiarch", map[string]string{"LIBDIR": "/x", "MULTIARCH": "m-linux-gnu", "LDLIBRARY": "libpython3.11.so"}, base + "/lib/m-linux-gnu", "libpython3.11.so"},
		{"an archive in the configuration", map[string]string{"LDLIBRARY": "libpython3.11.a"}, base + "/lib", "libpython3.11.so.1.0"},
		{"free-threaded", map[string]string{"Py_GIL_DISABLED": "1"}, base + "/lib64", "libpython3.11t.so.1.0"},
		{"nowhere", map[string]string{"INSTSONAME": "libpython3.11.so.1.0"}, "", "libpython3.11.so.1.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := ""
			if c.at != "" {
				if err := os.MkdirAll(c.at, 0o755); err != nil {
					t.Fatal(err)
				}
				want = filepath.Join(c.at, c.file)
				if err := os.Symlink(real, want); err != nil {
					t.Fatal(err)
				}
				defer os.Remove(want)
			}
			a := answer{Implementation: "cpython", Version: "3.11.2", Major: 3, Minor: 11, BasePrefix: base, Config: c.config}
			i, err := a.interpreter()
			if err != nil {
				t.Fatal(err)
			}
			if i.Library != want || i.LibraryName != c.file || i.Linked {
				t.Errorf("found %q named %q, want %q named %q", i.Library, i.LibraryName, want, c.file)
			}
		})
	}
}

func TestAFileThatIsNoLibraryIsPassedOver(t *testing.T) {
	text := filepath.Join(t.TempDir(), "libpython3.11.so.1.0")
	if err := os.WriteFile(text, []byte("INPUT(libpython3.11.so.1.0)"), 0o644); err != nil {
		t.Fatal(err)
	}
	if isLibrary(text) {
		t.Error("a linker script was taken for a library")
	}
}

func TestChoose(t *testing.T) {
	runnable := haveHostLibrary() == nil
	linked := Interpreter{Path: "/p", Version: "3.11.2", Minor: 11, Library: "/l", Linked: true, Ctypes: true}
	static := Interpreter{Path: "/p", Version: "3.11.2", Minor: 11, Library: "/l", Ctypes: true}
	bare := Interpreter{Path: "/p", Version: "3.11.2", Minor: 11, BasePrefix: "/opt/python", LibraryName: "libpython3.11.so.1.0", looked: []string{"/opt/python/lib"}, Ctypes: true}
	debian := bare
	debian.BasePrefix = "/usr"
	noCtypes := static
	noCtypes.Ctypes = false
	neither := bare
	neither.Ctypes = false
	ifRunnable := func(h Host, otherwise Host) Host {
		if runnable {
			return h
		}
		return otherwise
	}
	for _, c := range []struct {
		name string
		i    Interpreter
		want Host
		got  Host // empty: an error
		says []string
	}{
		{"linked", linked, HostAuto, HostEmbedded, nil},
		{"empty is auto", linked, "", HostEmbedded, nil},
		{"static", static, HostAuto, ifRunnable(HostInterpreter, HostEmbedded), nil},
		{"static without ctypes", noCtypes, HostAuto, HostEmbedded, nil},
		{"no libpython", bare, HostAuto, ifRunnable(HostInterpreter, ""), []string{"neither way"}},
		{"neither", neither, HostAuto, "", []string{"neither way", "libpython3.11.so.1.0", "_ctypes"}},
		{"embedded wanted", static, HostEmbedded, HostEmbedded, nil},
		{"embedded wanted, none there", bare, HostEmbedded, "", []string{"/opt/python/lib", "--host interpreter"}},
		{"embedded wanted, system Python", debian, HostEmbedded, "", []string{"libpython3.11"}},
		{"interpreter wanted", linked, HostInterpreter, ifRunnable(HostInterpreter, ""), []string{hostLibraryName}},
		{"interpreter wanted, no ctypes", noCtypes, HostInterpreter, "", []string{"_ctypes"}},
		{"unknown", linked, "embeded", "", []string{"--host embeded", "auto, embedded, interpreter"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.i.Choose(c.want)
			if (err == nil) != (c.got != "") || err == nil && got != c.got {
				t.Fatalf("chose %q, %v; want %q", got, err, c.got)
			}
			for _, want := range c.says {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not contain %q", err, want)
				}
			}
		})
	}
}

func TestHostsAreThoseThatChooseTakes(t *testing.T) {
	i := Interpreter{}
	for _, h := range Hosts() {
		if _, err := i.Choose(Host(h)); err != nil && strings.Contains(err.Error(), "must be one of") {
			t.Errorf("%s: %v", h, err)
		}
	}
	if !slices.Contains(Hosts(), string(HostAuto)) {
		t.Error("auto is missing")
	}
	if _, err := i.Choose("x"); err == nil || errors.Is(err, errNoHostLibrary) {
		t.Errorf("an unknown host: %v", err)
	}
}
