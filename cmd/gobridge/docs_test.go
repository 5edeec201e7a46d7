package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// option is one as a text names it. The hyphen of what stands before keeps ASCII art and
// table rules out.
var option = regexp.MustCompile("(?:^|[\\s`(|])--([a-z][a-z0-9_-]*)")

// othersCommands are what shows another program's command: code blocks, lines of those, and
// code in a text.
var othersCommands = regexp.MustCompile("(?ms)^```sh\n(?:gunicorn|granian|uvicorn) .*?^```$|^ *systemctl [^\n]*|`uwsgi --[a-z]+`")

// ofOthers are the pages that have other programs' options, of what was measured and with what.
var ofOthers = []string{"benchmarks.md", "scaling.md"}

// TestDocumentedOptionsExist wants every option that a page names to be there.
func TestDocumentedOptionsExist(t *testing.T) {
	known := []string{"help", "version", "json"} // of commands, beside their tables
	for _, rows := range [][]setting{table, reloadTable} {
		for _, row := range rows {
			known = append(known, row.name)
		}
	}
	pages := []string{"../../README.md"}
	for _, pattern := range []string{"../../docs/*.md", "../../docs/decisions/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d pages, %v", pattern, len(found), err)
		}
		pages = append(pages, found...)
	}
	for _, page := range pages {
		if slices.Contains(ofOthers, filepath.Base(page)) {
			continue
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range option.FindAllSubmatch(othersCommands.ReplaceAll(text, nil), -1) {
			if !slices.Contains(known, string(m[1])) {
				t.Errorf("%s names --%s, which is no option", page, m[1])
			}
		}
	}
}
