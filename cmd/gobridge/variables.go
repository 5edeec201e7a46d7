package main

import (
	"slices"
	"strings"

	"github.com/rs/zerolog"
)

const variablePrefix = "GOBRIDGE_"

// otherVariables begin like settings and are none: they are gobridge's own, between its
// processes and in its tests.
var otherVariables = []string{"GOBRIDGE_HOST_FD", "GOBRIDGE_KILLPOINT", "GOBRIDGE_CACHE", "GOBRIDGE_TEST_"}

// warnOfVariables says which variables look like settings and are none: a wrong name would
// otherwise be a setting that quietly does nothing. It is no error, because an environment
// may be shared with others.
func warnOfVariables(environment []string, log zerolog.Logger) {
	known := variableNames()
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) || slices.Contains(known, name) || isOther(name) {
			continue
		}
		if near := nearest(name[len(variablePrefix):], withoutPrefix(known)); near != "" {
			log.Warn().Msgf("%s is no setting and does nothing: did you mean %s%s?", name, variablePrefix, near)
		} else {
			log.Warn().Msgf("%s is no setting and does nothing: `gobridge run --help` lists them", name)
		}
	}
}

// variableNames are those of all settings, of run and of the commands that ask a server.
func variableNames() (names []string) {
	for _, rows := range [][]setting{table, reloadTable, statusTable} {
		for i := range rows {
			names = append(names, rows[i].variable())
		}
	}
	return names
}

func withoutPrefix(names []string) (short []string) {
	for _, name := range names {
		short = append(short, strings.TrimPrefix(name, variablePrefix))
	}
	return short
}

func isOther(name string) bool {
	return slices.ContainsFunc(otherVariables, func(other string) bool {
		return name == other || strings.HasSuffix(other, "_") && strings.HasPrefix(name, other)
	})
}
