package pyhost

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// FindOptions says which interpreter the user means. All may be empty.
type FindOptions struct {
	Python string // a path, or a name on PATH
	Venv   string // the folder of a virtual environment
	Dir    string // the application's folder; empty: the current one

	// Slow is told when the interpreter takes long to answer, and how long it may; nil: nobody is.
	Slow func(path, why string, limit time.Duration)
}

// candidate is a file that may be the interpreter, and why it is looked at.
type candidate struct {
	path, why string
}

// Find takes the interpreter that is meant (doc.go has the order), runs it once
// and returns what it says of itself. A candidate that was named (by option or
// VIRTUAL_ENV) and does not work is an error, never passed over: the application
// would run, but with other packages than its user thinks.
func Find(ctx context.Context, o FindOptions) (*Interpreter, error) {
	c, err := locate(o)
	if err != nil {
		return nil, err
	}
	if o.Slow != nil {
		defer time.AfterFunc(slowAnswer, func() { o.Slow(c.path, c.why, askLimit) }).Stop()
	}
	i, err := ask(ctx, c.path)
	if err != nil {
		return nil, fmt.Errorf("%s (%s) %w", c.path, c.why, err)
	}
	i.Why = c.why
	return i, nil
}

func locate(o FindOptions) (candidate, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return candidate{}, fmt.Errorf("find the application's folder: %w", err)
	}
	switch {
	case o.Python != "" && o.Venv != "":
		return candidate{}, errors.New("--python and --venv both name an interpreter: give one of them")
	case o.Python != "":
		return named(o.Python)
	case o.Venv != "":
		return inVenv(o.Venv, "--venv", "create it: python3 -m venv "+o.Venv)
	}
	if active := os.Getenv("VIRTUAL_ENV"); active != "" {
		return inVenv(active, "VIRTUAL_ENV", "activate an environment that exists, or unset VIRTUAL_ENV")
	}
	beside := filepath.Join(dir, ".venv")
	if _, err := os.Stat(beside); err == nil || errors.Is(err, fs.ErrPermission) {
		return inVenv(beside, ".venv beside the application", "create it anew: python3 -m venv --clear "+beside)
	}
	path, err := lookPath("python3")
	if err != nil {
		return candidate{}, fmt.Errorf("no Python found: neither --python, --venv nor VIRTUAL_ENV is given, there is no %s, "+
			"and no python3 on PATH (%s): install python3, or name an interpreter with --python", beside, os.Getenv("PATH"))
	}
	return candidate{path, "python3 on PATH"}, nil
}

// named is the interpreter that --python names.
func named(python string) (candidate, error) {
	const why = "--python"
	if !strings.Contains(python, "/") {
		path, err := lookPath(python)
		if err != nil {
			return candidate{}, fmt.Errorf("--python %s: no such program on PATH: give a path, or one of the names that are there", python)
		}
		return candidate{path, why}, nil
	}
	path, err := filepath.Abs(python)
	if err != nil {
		return candidate{}, fmt.Errorf("--python %s: %w", python, err)
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return candidate{}, fmt.Errorf("--python %s: %w", python, plain(err))
	case info.IsDir():
		return candidate{}, fmt.Errorf("--python %s is a folder: name the interpreter in it, or use --venv for a virtual environment", python)
	case info.Mode()&0o111 == 0:
		return candidate{}, fmt.Errorf("--python %s cannot be executed: its mode is %v", python, info.Mode())
	}
	return candidate{path, why}, nil
}

// inVenv is the interpreter of a virtual environment. The link is not followed:
// its place is what tells Python which environment it runs in.
func inVenv(venv, why, fix string) (candidate, error) {
	dir, err := filepath.Abs(venv)
	if err != nil {
		return candidate{}, fmt.Errorf("%s %s: %w", why, venv, err)
	}
	if err := mayUse(dir); err != nil {
		return candidate{}, fmt.Errorf("%s: %w", why, err)
	}
	for _, name := range []string{"python", "python3"} {
		path := filepath.Join(dir, "bin", name)
		if _, err := os.Stat(path); err == nil {
			return candidate{path, why}, nil
		}
	}
	return candidate{}, fmt.Errorf("%s: %s is no virtual environment, for it has no working bin/python: %s", why, venv, fix)
}

// mayUse returns an error when there is a part of the virtual environment that the user may
// not read. An interpreter says nothing of it: it starts without the environment's packages.
func mayUse(venv string) error {
	const search = unix.R_OK | unix.X_OK
	parts := []struct {
		path string
		mode uint32
	}{{"", search}, {"pyvenv.cfg", unix.R_OK}, {"bin/python", unix.X_OK}, {"lib", search}, {"lib/python3*/site-packages", search}}
	for _, part := range parts {
		path := filepath.Join(venv, part.path)
		if found, _ := filepath.Glob(path); len(found) > 0 { // the pattern is good
			path = found[0]
		}
		if err := unix.Access(path, part.mode); errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("user %d may not use %s%s: give that user the right to (chmod, chown), or name another environment with --venv", os.Getuid(), path, leadsTo(path))
		}
	}
	return nil
}

// leadsTo says where a link leads.
func leadsTo(path string) string {
	if to, err := os.Readlink(path); err == nil {
		return ", which leads to " + to
	}
	return ""
}

func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// plain drops the operation and the path from a file error: the message around it has said them.
func plain(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}
