package model

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// models are the Promela files, each with the variants that are searched before the
// plain one; they are smaller, or as large. Mutants in plainOnly are not looked for in the
// variants, where their guard is not needed.
var models = []struct {
	name      string
	variants  []string
	plainOnly []string
}{
	{"claim", []string{"FILES", "SPOOLS"}, nil},
	{"news", []string{"SAME_WORD"}, nil},
	{"pipes", []string{"LOOP"}, []string{"BELL_AFTER_LOOK", "COUNTER_BEFORE_FLAGS", "EXPECT_TOLD_ONCE", "WAKE_WITHOUT_BELL"}},
	{"death", []string{"MOVES"}, nil},
	{"seats", []string{"STOPS"}, []string{"HEAR_AFTER_LOOK", "KEEP_THE_WATCH", "SHARE_WITHOUT_LOOK"}},
}

// effort is how a verifier is compiled, and how deep it may search.
type effort struct{ optimized, depth string }

// A whole search goes deeper than any path of a model. The error of a mutant is found in less,
// and most of that search's time would go into memory for its stack, and into compiling it well.
var (
	whole = effort{"-O2", "-m2500000"}
	short = effort{"-O0", "-m100000"}
)

// search has spin make a verifier of a model and runs it. It returns what the verifier says.
func search(t *testing.T, e effort, model string, defines ...string) string {
	t.Helper()
	source, err := filepath.Abs(model + ".pml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"-a"}
	for _, d := range defines {
		args = append(args, "-D"+d)
	}
	run(t, dir, "spin", append(args, source)...)
	// Safety properties and invalid end states; every state is kept whole, none is hashed away. The
	// largest model takes 1.3 GB; to compress states (-DCOLLAPSE) saves a fifth of that, and costs a third more time.
	run(t, dir, "cc", e.optimized, "-w", "-DSAFETY", "-DNOFAIR", "-DMEMLIM=6000", "-o", "pan", "pan.c")
	return run(t, dir, "./pan", e.depth)
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

var (
	errorCount = regexp.MustCompile(`errors: (\d+)`)
	stateCount = regexp.MustCompile(`(?m)^\s*(\S+) states, stored`)
)

func TestModels(t *testing.T) {
	for _, m := range models {
		for _, variant := range append(slices.Clone(m.variants), "") {
			t.Run(strings.TrimSuffix(m.name+"-"+variant, "-"), func(t *testing.T) {
				var defines []string
				if variant != "" {
					defines = append(defines, variant)
				}
				out := search(t, whole, m.name, defines...)
				if e := errorCount.FindStringSubmatch(out); e == nil || e[1] != "0" {
					t.Fatalf("spin found an error:\n%s", out)
				}
				for _, sign := range []string{"Search not completed", "max search depth too small", "out of memory", "MEMLIM", "truncated"} {
					if strings.Contains(out, sign) {
						t.Fatalf("the search did not come to its end:\n%s", out)
					}
				}
				t.Logf("%s states", stateCount.FindStringSubmatch(out)[1])
			})
		}
	}
}

var mutantName = regexp.MustCompile(`\bMUTANT_\w+`)

// TestMutants leaves out one guard after the other: spin must find what each is for.
func TestMutants(t *testing.T) {
	count := 0
	for _, m := range models {
		text, err := os.ReadFile(m.name + ".pml")
		if err != nil {
			t.Fatal(err)
		}
		mutants := mutantName.FindAllString(string(text), -1)
		slices.Sort(mutants)
		for _, mutant := range slices.Compact(mutants) {
			count++
			t.Run(m.name+"/"+strings.TrimPrefix(mutant, "MUTANT_"), func(t *testing.T) {
				t.Parallel()
				variants := append(slices.Clone(m.variants), "")
				// A variant's own guards (SPOOLS, SPOOL_KEPT) first: the others have no error to find.
				slices.SortStableFunc(variants, func(a, b string) int { return guards(b, mutant) - guards(a, mutant) })
				if slices.Contains(m.plainOnly, strings.TrimPrefix(mutant, "MUTANT_")) {
					variants = []string{""}
				}
				for _, variant := range variants {
					defines := []string{mutant}
					if variant != "" {
						defines = append(defines, variant)
					}
					out := search(t, short, m.name, defines...)
					if e := errorCount.FindStringSubmatch(out); e != nil && e[1] != "0" {
						return
					}
				}
				t.Error("spin finds nothing wrong without this guard")
			})
		}
	}
	if count < 10 {
		t.Errorf("there are only %d mutants", count)
	}
}

// guards is 1 if a mutant leaves out a guard that is a variant's own.
func guards(variant, mutant string) int {
	if variant != "" && strings.HasPrefix(mutant, "MUTANT_"+strings.TrimSuffix(variant, "S")+"_") {
		return 1
	}
	return 0
}

// matches returns the first groups of a pattern's matches in all files of a glob, each once.
func matches(t *testing.T, glob, pattern string) (found []string) {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files (%v)", glob, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			found = append(found, m[1])
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// TestLabels compares the steps of the models with those of the sources: what the worker
// does with the list in steps.h, which is also the list of the kill points, and with the
// places in the C code; what the front does with the places in the Go code.
func TestLabels(t *testing.T) {
	listed := matches(t, "../../pyhost/steps.h", `(?m)^\s+X\((\w+)\)`)
	compare(t, "pyhost/steps.h", listed, "GB_STEP in pyhost/*.c", matches(t, "../../pyhost/*.c", `GB_STEP\((\w+)\)`))
	var worker, front []string
	for _, label := range matches(t, "*.pml", `(?m)^\s*([a-z_]+):(?:\s|$)`) {
		switch {
		case strings.HasPrefix(label, "at_"), strings.HasPrefix(label, "end_"): // the model's own
		case slices.Contains(listed, label):
			worker = append(worker, label)
		default:
			front = append(front, label)
		}
	}
	compare(t, "pyhost/steps.h", listed, "the models", worker)
	compare(t, "//gb:step in bridge/*.go", matches(t, "../../bridge/*.go", `//gb:step (\w+)`), "the models", front)
}

func compare(t *testing.T, nameA string, a []string, nameB string, b []string) {
	t.Helper()
	missing := func(from, in []string) string {
		return fmt.Sprint(slices.DeleteFunc(slices.Clone(from), func(s string) bool { return slices.Contains(in, s) }))
	}
	if !slices.Equal(a, b) {
		t.Errorf("only %s has %s, only %s has %s", nameA, missing(a, b), nameB, missing(b, a))
	}
}
