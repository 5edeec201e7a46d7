package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func TestUnknownVariablesAreSaid(t *testing.T) {
	for entry, want := range map[string]string{
		"GOBRIDGE_WORKERS=2":                    "",
		"GOBRIDGE_TIMEOUT=1m":                   "", // of reload
		"GOBRIDGE_TEST_PYTHONS=x":               "",
		"GOBRIDGE_KILLPOINT=x":                  "",
		"HOME=/":                                "",
		"GOBRIDGE_WORKER=2":                     "GOBRIDGE_WORKER is no setting and does nothing: did you mean GOBRIDGE_WORKERS?",
		"GOBRIDGE_FORWARDED_ALLOW_IP=::1":       "did you mean GOBRIDGE_FORWARDED_ALLOW_IPS?",
		"GOBRIDGE_LIMIT_REQUEST_FIELD_SIZES=1K": "did you mean GOBRIDGE_LIMIT_REQUEST_FIELD_SIZE?",
		"GOBRIDGE_XYLOPHONE=1":                  "`gobridge run --help` lists them",
	} {
		var out bytes.Buffer
		warnOfVariables([]string{entry}, zerolog.New(&out))
		if got := out.String(); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", entry, got, want)
		}
	}
}
