package pyhost

import (
	"bytes"
	"context"
	"debug/elf"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Interpreter is a CPython as it described itself.
type Interpreter struct {
	Path        string   // its sys.executable: inside the virtual environment, if it is in one
	Why         string   // what led to it: "--venv", "python3 on PATH", ...
	Version     string   // "3.11.2"
	Minor       int      // 11
	Prefix      string   // sys.prefix
	BasePrefix  string   // sys.base_prefix: where its standard library is installed
	Library     string   // path of its libpython; empty when there is none
	LibraryName string   // the file name its libpython has or would have
	Linked      bool     // its own executable runs on Library
	Ctypes      bool     // it has the _ctypes module, which the interpreter host needs
	NoGIL       bool     // a free-threaded build
	looked      []string // where the library was looked for
}

// OldestMinor is the oldest Python 3 that can be hosted.
const OldestMinor = 9

// askLimit is how long an interpreter may take to describe itself: far more than
// a cold start from a slow disk, and still an end for one that hangs. slowAnswer is
// longer than it nearly always takes.
const (
	askLimit   = time.Minute
	slowAnswer = 3 * time.Second
)

//go:embed probe.py
var probe string

// answer is what probe.py prints.
type answer struct {
	Implementation string            `json:"implementation"`
	Version        string            `json:"version"`
	Major          int               `json:"major"`
	Minor          int               `json:"minor"`
	Executable     string            `json:"executable"`
	Prefix         string            `json:"prefix"`
	BasePrefix     string            `json:"base_prefix"`
	Mapped         string            `json:"mapped"`
	Ctypes         bool              `json:"ctypes"`
	Config         map[string]string `json:"config"`
}

// ask runs the interpreter once. Its errors continue a sentence whose subject is the path.
func ask(ctx context.Context, path string) (*Interpreter, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, path, "-c", probe)
	command.Stdout, command.Stderr = &stdout, &stderr
	command.WaitDelay = time.Second // a child of a wrapper script may hold the pipes
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("did not answer within %v: is it a Python interpreter?", askLimit)
		}
		return nil, fmt.Errorf("does not run as a Python 3 interpreter: %v%s%s", plain(err), quoteError(stderr.String()), blameHome())
	}
	a, err := parseAnswer(stdout.Bytes())
	if err != nil {
		return nil, err
	}
	return a.interpreter()
}

// parseAnswer reads the last line: a sitecustomize or a wrapper may print before it.
func parseAnswer(out []byte) (*answer, error) {
	out = bytes.TrimRight(out, "\n")
	last := out[bytes.LastIndexByte(out, '\n')+1:]
	a := new(answer)
	if err := json.Unmarshal(last, a); err != nil {
		return nil, fmt.Errorf("does not describe itself as a Python interpreter does: it printed %q", last)
	}
	return a, nil
}

func (a *answer) interpreter() (*Interpreter, error) {
	switch {
	case a.Implementation != "cpython":
		return nil, fmt.Errorf("is %s: gobridge hosts CPython", a.Implementation)
	case a.Major != 3 || a.Minor < OldestMinor:
		return nil, fmt.Errorf("is Python %s: gobridge hosts 3.%d and later", a.Version, OldestMinor)
	}
	i := &Interpreter{
		Path: a.Executable, Version: a.Version, Minor: a.Minor, Prefix: a.Prefix, BasePrefix: a.BasePrefix,
		Linked: a.Mapped != "", Ctypes: a.Ctypes, NoGIL: a.Config["Py_GIL_DISABLED"] == "1",
	}
	i.LibraryName = libraryName(a)
	if i.Linked {
		i.Library = a.Mapped
		return i, nil
	}
	for _, dir := range libraryDirs(a) {
		path := filepath.Join(dir, i.LibraryName)
		i.looked = append(i.looked, dir)
		if isLibrary(path) {
			i.Library = path
			break
		}
	}
	return i, nil
}

// libraryName is the file name of the interpreter's libpython. A build without a
// shared library names its archive (libpython3.11.a) in its configuration, though
// a shared one may be installed beside it: conda does so.
func libraryName(a *answer) string {
	for _, key := range []string{"INSTSONAME", "LDLIBRARY"} {
		if name := a.Config[key]; strings.Contains(name, ".so") {
			return name
		}
	}
	threads := ""
	if a.Config["Py_GIL_DISABLED"] == "1" {
		threads = "t"
	}
	return fmt.Sprintf("libpython3.%d%s.so.1.0", a.Minor, threads)
}

// libraryDirs are the folders in which an interpreter's own libpython may be. What
// the configuration says comes first and may be the build machine's. A system
// folder is looked at for a system interpreter only: a libpython of the same minor
// version, but of another build, would be loaded with this one's standard library.
func libraryDirs(a *answer) (dirs []string) {
	seen := map[string]bool{}
	add := func(dir string) {
		if filepath.IsAbs(dir) && !seen[dir] {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	multiarch := a.Config["MULTIARCH"]
	add(a.Config["LIBDIR"])
	if multiarch != "" && a.Config["LIBDIR"] != "" {
		add(filepath.Join(a.Config["LIBDIR"], multiarch))
	}
	if a.BasePrefix != "" {
		add(filepath.Join(a.BasePrefix, "lib"))
		if multiarch != "" {
			add(filepath.Join(a.BasePrefix, "lib", multiarch))
		}
		add(filepath.Join(a.BasePrefix, "lib64"))
	}
	add(a.Config["LIBPL"])
	return dirs
}

// isLibrary says whether the file is a shared library for this machine.
func isLibrary(path string) bool {
	library, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer library.Close()
	self, err := elf.Open("/proc/self/exe")
	if err != nil {
		return false
	}
	defer self.Close()
	return library.Type == elf.ET_DYN && library.Machine == self.Machine && library.Class == self.Class
}

// noLibrary explains that there is no libpython, and what brings it.
func (i *Interpreter) noLibrary() error {
	what := fmt.Sprintf("%s (Python %s) has no %s; looked in %s", i.Path, i.Version, i.LibraryName, strings.Join(i.looked, ", "))
	if i.BasePrefix == "/usr" {
		if _, err := os.Stat("/etc/debian_version"); err == nil {
			return fmt.Errorf("%s: install it (apt-get install libpython3.%d), or use --host interpreter", what, i.Minor)
		}
		return fmt.Errorf("%s: install your distribution's package of it (python3-libs, libpython3.%d, ...), or use --host interpreter", what, i.Minor)
	}
	return errors.New(what + ": this build comes without it, so use --host interpreter")
}

// quoteError is the last line of what a failed program wrote that names an error, as
// Python's do, or else the very last one; to be put behind its error.
func quoteError(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := lines[len(lines)-1]
	for _, line := range slices.Backward(lines) {
		if strings.Contains(line, "rror: ") {
			last = line
			break
		}
	}
	if last = strings.TrimSpace(last); last == "" {
		return ""
	}
	return fmt.Sprintf(": %q", last)
}

// blameHome names the variable with which an interpreter finds no library of its own, unless
// it is meant for this very one.
func blameHome() string {
	if home := os.Getenv("PYTHONHOME"); home != "" {
		return fmt.Sprintf(". PYTHONHOME is set to %s, where it looks for its library: unset that", home)
	}
	return ""
}
