package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestTouches(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string, when int) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(at(name), time.Unix(int64(when), 0), time.Unix(int64(when), 0)); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write("there", "1", 100)
	files := watchTouches([]string{at("later"), at("there")})
	for _, step := range []struct {
		what, want string
		do         func()
	}{
		{"nothing", "", func() {}},
		{"a newer time", "there", func() { write("there", "1", 101) }},
		{"an older time", "there", func() { write("there", "1", 50) }},
		{"another size", "there", func() { write("there", "12", 50) }},
		{"the first appearance", "later", func() { write("later", "", 100) }},
		{"nothing again", "", func() {}},
		{"another file in its place", "later", func() { write("new", "", 100); must(os.Rename(at("new"), at("later"))) }},
		{"its absence", "", func() { must(os.Rename(at("later"), at("away"))) }},
		{"its return", "", func() { must(os.Rename(at("away"), at("later"))) }},
		{"its loss", "", func() { must(os.Remove(at("later"))) }},
		{"one like it", "later", func() { write("later", "", 102) }},
		{"a link to another file", "there", func() {
			write("target", "12", 50)
			must(os.Remove(at("there")))
			must(os.Symlink("target", at("there")))
		}},
		{"both", "later", func() { write("target", "3", 200); write("later", "3", 200) }},
		{"no more", "", func() {}},
	} {
		step.do()
		want := step.want
		if want != "" {
			want = at(want)
		}
		if got := files.changed(); got != want {
			t.Errorf("%s: %q has changed, want %q", step.what, got, want)
		}
	}
}

// A file that is touched while the server reloads has it reload once more.
func TestTouchMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	touch := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Error(err)
		}
	}
	files := watchTouches([]string{path})
	ctx, cancel := context.WithCancel(t.Context())
	reloads := 0
	touch("1")
	files.run(ctx, zerolog.Nop(), func(why string) {
		if reloads++; reloads == 1 {
			touch("12")
			touch("123")
		} else {
			cancel()
		}
	})
	if reloads != 2 {
		t.Errorf("%d reloads", reloads)
	}
}
