package main

import (
	"fmt"
	"os"
	"path/filepath"

	"gobridge/tests/pythons"
)

func main() {
	for _, list := range os.Args[1:] {
		all, err := pythons.Read(list)
		if err != nil {
			fmt.Fprintln(os.Stderr, "show:", err)
			os.Exit(1)
		}
		for _, p := range all {
			path, err := filepath.EvalSymlinks(p.Path)
			if err != nil {
				path = p.Path
			}
			fmt.Printf("  %-8s %-20s %-24s %s\n", p.About.Version, p.Kind(), fmt.Sprint(p.Hosts()), path)
		}
	}
}
