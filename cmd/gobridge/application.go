package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// applicationForm is MODULE:ATTRIBUTE, both possibly dotted, the attribute possibly called
// with literal arguments. Python's names may hold any letter of any script; those of modules
// that are imported by their name, as here, may also hold hyphens and begin with a digit.
// Whether the module is there, and what the arguments are, Python says.
var applicationForm = regexp.MustCompile(`^[\pL\pN_][\pL\pN_-]*(\.[\pL\pN_][\pL\pN_-]*)*:[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*(\(.*\))?$`)

// checkApplication finds fault with the argument of run, as early and as helpfully as
// is possible without importing anything.
func checkApplication(args []string, dir string) (string, error) {
	switch {
	case len(args) == 0:
		return "", usage("which application? Name its module and the attribute in it: gobridge run %s", guessApplication(dir))
	case len(args) > 1:
		return "", usage("one application only, but there are %d arguments: %s", len(args), strings.Join(args, " "))
	}
	name := args[0]
	if applicationForm.MatchString(name) {
		return name, nil
	}
	guess := guessApplication(dir)
	module, attribute, _ := strings.Cut(name, ":")
	module = strings.ReplaceAll(strings.TrimPrefix(strings.TrimSuffix(module, ".py"), "./"), "/", ".")
	if attribute == "" {
		_, attribute, _ = strings.Cut(guess, ":")
	}
	if meant := module + ":" + attribute; applicationForm.MatchString(meant) {
		guess = meant
	}
	return "", usage("%s is not an application's name: it must be MODULE:ATTRIBUTE, like %s", quoteEmpty(name), guess)
}

// usualFiles are where applications usually are, and what they are usually called there.
var usualFiles = []struct{ pattern, attribute string }{
	{"*/wsgi.py", "application"}, // what Django's startproject makes
	{"wsgi.py", "application"},
	{"app.py", "app"},
	{"main.py", "app"},
}

// usualName is an assignment or definition of one of the usual names.
var usualName = regexp.MustCompile(`(?m)^(?:def )?(application|app)\b *[=(:]`)

// guessApplication is what the argument would be for the project in the folder, as far
// as its files tell; else an example.
func guessApplication(dir string) string {
	for _, usual := range usualFiles {
		found, err := filepath.Glob(filepath.Join(dir, usual.pattern))
		if err != nil || len(found) == 0 {
			continue
		}
		file, err := filepath.Rel(dir, found[0])
		if err != nil {
			continue
		}
		attribute := usual.attribute
		if text, err := os.ReadFile(found[0]); err == nil {
			if name := usualName.FindSubmatch(text); name != nil {
				attribute = string(name[1])
			}
		}
		return strings.ReplaceAll(strings.TrimSuffix(file, ".py"), "/", ".") + ":" + attribute
	}
	return "myproject.wsgi:application"
}
