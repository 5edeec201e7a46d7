package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gobridge/tests/pythons"
)

func main() {
	arguments := flag.Bool("arguments", false, "print what pyhost/ctest/drive.sh takes instead")
	flag.Parse()
	for _, list := range flag.Args() {
		all, err := pythons.Read(list)
		if err != nil {
			fmt.Fprintln(os.Stderr, "show:", err)
			os.Exit(1)
		}
		if *arguments {
			drive(all)
		} else {
			describe(all)
		}
	}
}

func describe(all []pythons.Python) {
	for _, p := range all {
		path, err := filepath.EvalSymlinks(p.Path)
		if err != nil {
			path = p.Path
		}
		fmt.Printf("  %-8s %-20s %-24s %s\n", p.About.Version, p.Kind(), fmt.Sprint(p.Hosts()), path)
	}
}

// drive prints the main ones, and behind --smoke the others.
func drive(all []pythons.Python) {
	var long, short []string
	main := pythons.Main(all)
	for _, p := range all {
		if slices.ContainsFunc(main, func(m pythons.Python) bool { return m.Path == p.Path }) {
			long = append(long, p.Path)
		} else {
			short = append(short, p.Path)
		}
	}
	fmt.Println(strings.Join(long, " "), "--smoke", strings.Join(short, " "))
}
