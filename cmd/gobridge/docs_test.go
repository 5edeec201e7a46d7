package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// option is one as a text names it. The hyphen of what stands before keeps ASCII art and
// table rules out.
var option = regexp.MustCompile("(?:^|[\\s`(|])--([a-z][a-z0-9_-]*)")

// othersCommands are what shows another program's command: code blocks, lines of those, and
// code in a text.
var othersCommands = regexp.MustCompile("(?ms)^```sh\n(?:gunicorn|granian|uvicorn) .*?^```$|^ *(?:systemctl|docker|COPY) [^\n]*|`uwsgi --[a-z]+`|`(?:docker|podman) [^`]*`")

// ofOthers are the pages that have other programs' options, with which something was measured.
var ofOthers = []string{"benchmarks.md", "benchmarks-nginx.md", "benchmarks-asgi.md", "benchmarks-asgi-3.13.md", "scaling.md"}

// TestDocumentedOptionsExist wants every option that a page names to be there.
func TestDocumentedOptionsExist(t *testing.T) {
	known := []string{"help", "version", "json"} // of commands, beside their tables
	for _, rows := range tables {
		for _, row := range rows {
			known = append(known, row.name)
		}
	}
	for page, text := range pages(t, "README.md", "docs/*.md", "docs/decisions/*.md") {
		if slices.Contains(ofOthers, filepath.Base(page)) {
			continue
		}
		for _, m := range option.FindAllStringSubmatch(othersCommands.ReplaceAllString(text, ""), -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s names --%s, which is no option", page, m[1])
			}
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^##+ (.*)$`)
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	unnamed = regexp.MustCompile(`[^\pL\pN _-]`)
)

// anchors are what the headings of a page are called in links, as GitHub makes it.
func anchors(text string) (names []string) {
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		names = append(names, strings.ReplaceAll(unnamed.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return names
}

// TestLinksLead follows each link of a page to a file of ours, and to its heading.
func TestLinksLead(t *testing.T) {
	count := 0
	for page, text := range pages(t, "README.md", "docs/*.md", "docs/decisions/*.md", "examples/*/README.md", "tests/model/README.md") {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(file, ":") {
				continue
			}
			count++
			to := text
			if file != "" {
				path := filepath.Join(filepath.Dir(page), file)
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s: the link %s leads nowhere: %v", page, m[1], err)
					continue
				}
				to = ""
				if read, err := os.ReadFile(path); err == nil { // which a folder is not
					to = string(read)
				}
			}
			if anchor != "" && !slices.Contains(anchors(to), anchor) {
				t.Errorf("%s: the link %s leads to no heading", page, m[1])
			}
		}
	}
	if count < 100 {
		t.Errorf("only %d links were found", count)
	}
}

// TestContentsOfRunning wants the list at the beginning of the longest page to be whole.
func TestContentsOfRunning(t *testing.T) {
	const page = "../../docs/running.md"
	text := pages(t, "docs/running.md")[page]
	contents, _, _ := strings.Cut(text, "\n```sh\n")
	for _, m := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(text, -1) {
		if name := anchors(m[0])[0]; !strings.Contains(contents, "](#"+name+")") {
			t.Errorf("%s does not list %s at its beginning", page, m[1])
		}
	}
}

// TestDecisionsAreListed wants each of them in the index, under its title.
func TestDecisionsAreListed(t *testing.T) {
	index := pages(t, "docs/decisions/README.md")["../../docs/decisions/README.md"]
	for page, text := range pages(t, "docs/decisions/0*.md") {
		title, _, _ := strings.Cut(text, "\n")
		number, title, _ := strings.Cut(strings.TrimPrefix(title, "# "), ". ")
		if row := fmt.Sprintf("| %s | [%s](%s) |\n", number, title, filepath.Base(page)); !strings.Contains(index, row) {
			t.Errorf("docs/decisions/README.md lacks the row %s", row)
		}
	}
}

// pages are the texts of all files that the patterns match, each of which must match one.
func pages(t *testing.T, patterns ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d pages, %v", pattern, len(found), err)
		}
		for _, page := range found {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			all[page] = string(text)
		}
	}
	return all
}

var (
	// ourCommand is one of ours in a code block, in code amid a text, in a unit file, or in the
	// first line of an example.
	ourCommand = regexp.MustCompile("(?m)(?:^|`|^Exec[A-Z][a-z]+=|^\"\"\".*: )(?:[a-z./]*/)?gobridge ((?:run|reload|status|request|version)\\b[^`\n]*)")
	continued  = regexp.MustCompile(`\\\n\s*`)
	words      = regexp.MustCompile(`(?:[^\s'"]|'[^']*'|"[^"]*")+`)
)

// TestDocumentedCommandsAreTaken reads each command of ours that a page or an example shows,
// with all its values, and does all but run it.
func TestDocumentedCommandsAreTaken(t *testing.T) {
	count := 0
	for page, text := range pages(t, "README.md", "docs/*.md", "examples/*/README.md", "examples/*/*.py", "examples/*/*/wsgi.py") {
		for _, m := range ourCommand.FindAllStringSubmatch(continued.ReplaceAllString(text, " "), -1) {
			count++
			if err := take(shellWords(m[1])); err != nil {
				t.Errorf("%s: gobridge %s: %v", page, m[1], err)
			}
		}
	}
	if count < 20 {
		t.Errorf("only %d commands were found", count)
	}
}

// shellWords are the arguments that a shell would make of a line; each variable is a number.
func shellWords(line string) (args []string) {
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, " [options]")
	for _, word := range words.FindAllString(strings.TrimRight(line, `"`), -1) {
		if !strings.Contains(word, "'") {
			word = os.Expand(word, func(string) string { return "8" })
		}
		args = append(args, strings.NewReplacer("'", "", `"`, "").Replace(word))
	}
	return args
}

// take has the command read its arguments, and nothing more.
func take(args []string) error {
	app := newApp()
	for _, c := range app.Commands {
		c.Action = func(c *cli.Context) error {
			if _, err := readTable(tables[c.Command.Name], fromContext(c)); err != nil {
				return err
			}
			if c.Command.Name == "request" && c.Args().Present() {
				_, err := endpointOf(c.Args().Slice())
				return err
			}
			if c.Command.Name == "run" && !c.Args().Present() {
				return errors.New("it names no application")
			}
			if c.NArg() > 1 {
				return fmt.Errorf("there is more than an application: %q", c.Args().Slice())
			}
			return nil
		}
	}
	app.Writer, app.ErrWriter = io.Discard, io.Discard
	return app.Run(flagsFirst(append([]string{"gobridge"}, args...)))
}

// TestContainersPage: it shows the Dockerfile of an application as the example has it.
func TestContainersPage(t *testing.T) {
	page := pages(t, "docs/containers.md")["../../docs/containers.md"]
	for name, text := range pages(t, "examples/docker/Dockerfile") {
		if lines := strings.Count(text, "\n"); lines != 3 || !strings.Contains(page, "```dockerfile\n"+text+"```\n") {
			t.Errorf("docs/containers.md shows something else than %s, of %d lines", name, lines)
		}
	}
}

// TestDocumentedNamesExist wants the variables and make targets that pages name to be there.
func TestDocumentedNamesExist(t *testing.T) {
	variables := []string{"GOBRIDGE_"}
	for _, row := range table {
		variables = append(variables, row.variable())
	}
	makefile, scripts := pages(t, "Makefile")["../../Makefile"], ""
	for _, text := range pages(t, "scripts/setup*", "scripts/pythons*") {
		scripts += text
	}
	for page, text := range pages(t, "README.md", "docs/*.md", "docs/decisions/*.md") {
		for _, name := range regexp.MustCompile(`\bGOBRIDGE_[A-Z_]*`).FindAllString(text, -1) {
			if !slices.Contains(variables, name) && !strings.Contains(scripts, name) {
				t.Errorf("%s names the variable %s, which is none", page, name)
			}
		}
		for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z0-9-]*?)(?:-3\\.[0-9]+t?)?(?:[^a-z0-9.-]|$)").FindAllStringSubmatch(text, -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `( [a-z -]*)?:`).MatchString(makefile) {
				t.Errorf("%s names the target %s, which the Makefile lacks", page, m[1])
			}
		}
	}
}
