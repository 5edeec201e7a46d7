package nginx

import (
	"os"
	"strings"
	"testing"
)

// Example is a configuration from examples/nginx, but for where things are: each of the texts in
// places must be there once, and gives way to another one.
func Example(t testing.TB, path string, places map[string]string) string {
	t.Helper()
	all, err := os.ReadFile(path)
	must(t, err)
	var text strings.Builder
	for line := range strings.Lines(string(all)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			text.WriteString(line)
		}
	}
	config := text.String()
	for old, place := range places {
		if n := strings.Count(config, old); n != 1 {
			t.Fatalf("%s has %q %d times", path, old, n)
		}
		config = strings.Replace(config, old, place, 1)
	}
	return config
}
