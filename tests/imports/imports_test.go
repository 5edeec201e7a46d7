package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// may says for each folder which of our packages it may import, as folders. The
// first row that fits a package counts.
var may = []struct {
	folder  string
	imports []string
}{
	{"cmd/gobridge", []string{"protocol", "bridge", "pyhost", "python"}},
	{"protocol/http1", []string{"bridge"}},
	{"protocol", []string{"protocol", "bridge"}},
	{"bridge", []string{"pyhost"}},
	{"pyhost", nil},
	{"python", nil},
	{"tests", []string{"protocol", "bridge", "pyhost", "python", "tests"}},
}

// testsMay lists what tests of a package may import beyond its row: the real helper,
// for tests that start real workers, and certificates.
var testsMay = []string{"python", "tests/certs"}

type goPackage struct {
	ImportPath, Dir, Name              string
	Imports, TestImports, XTestImports []string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Error                              *struct{ Err string }
}

// packages are all of the module, as the go command sees them.
func packages(t *testing.T) (all []goPackage) {
	t.Helper()
	command := exec.Command("go", "list", "-e", "-json", "gobridge/...")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, &stderr)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// below says whether the package path lies in one of the folders.
func below(path string, folders []string) bool {
	for _, folder := range folders {
		if path == "gobridge/"+folder || strings.HasPrefix(path, "gobridge/"+folder+"/") {
			return true
		}
	}
	return false
}

func TestPackagesImportOneWay(t *testing.T) {
	checked := 0
	for _, p := range packages(t) {
		var allowed []string
		known := false
		for _, row := range may {
			if below(p.ImportPath, []string{row.folder}) {
				allowed, known = append(row.imports, p.ImportPath[len("gobridge/"):]), true
				break
			}
		}
		if !known {
			t.Errorf("%s is in no folder that the rule knows: give it a row", p.ImportPath)
		}
		check := func(imports, allowed []string) {
			for _, i := range imports {
				if !strings.HasPrefix(i, "gobridge/") {
					continue
				}
				if checked++; !below(i, allowed) {
					t.Errorf("%s imports %s; it may import %v", p.ImportPath, i, allowed)
				}
			}
		}
		check(p.Imports, allowed)
		check(append(p.TestImports, p.XTestImports...), append(allowed, testsMay...))
	}
	if checked == 0 {
		t.Error("no import was checked")
	}
}

// TestEachPackageTellsItsStory wants one package comment for each package, in doc.go:
// godoc shows them all, and two would run into each other.
func TestEachPackageTellsItsStory(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		var with []string
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if file.Doc != nil {
				with = append(with, name)
			}
		}
		if len(with) != 1 || with[0] != "doc.go" {
			t.Errorf("%s has its package comment in %v, want it in doc.go", p.ImportPath, with)
		}
	}
}
