package main

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// written is a source of given flags and variables.
func written(flags map[string][]string, environment map[string]string) source {
	return func(s *setting) ([]string, bool) {
		if values, ok := flags[s.name]; ok {
			return values, true
		}
		return s.fromEnvironment(func(name string) (string, bool) {
			value, ok := environment[name]
			return value, ok
		}), false
	}
}

func TestDefaultsOfEverySetting(t *testing.T) {
	s, err := readSettings(written(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s.bind, []string{"127.0.0.1:8000"}) || s.workers != 0 || s.threads != 1 || s.host != "auto" ||
		s.headTimeout != 20*time.Second || s.requestLine != 8192 || s.body != 0 || s.python != "" {
		t.Errorf("defaults: %+v", s)
	}
}

func TestEverySettingHasItsOwnField(t *testing.T) {
	var s settings
	fields := map[any]string{}
	for _, row := range table {
		into := row.into(&s)
		if other, ok := fields[into]; ok {
			t.Errorf("%s and %s share a field", row.name, other)
		}
		fields[into] = row.name
		if row.help == "" || row.kind.placeholder == "" && !row.kind.bare || row.kind.must == "" {
			t.Errorf("%s is not described", row.name)
		}
	}
	if n := reflect.TypeFor[settings]().NumField() - 4; n != len(table) { // all but the application, which is an argument, and what only reload, status and request take
		t.Errorf("%d fields and %d rows", n, len(table))
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		name, value string
		get         func(*settings) any
		want        any
	}{
		{"workers", "auto", func(s *settings) any { return s.workers }, 0},
		{"workers", "256", func(s *settings) any { return s.workers }, 256},
		{"memory-budget", "auto", func(s *settings) any { return s.memory }, int64(0)},
		{"limit-request-body", "off", func(s *settings) any { return s.body }, int64(0)},
		{"limit-request-body", "10G", func(s *settings) any { return s.body }, int64(10) << 30},
		{"limit-request-body", "1", func(s *settings) any { return s.body }, int64(1)},
		{"limit-request-head", "64K", func(s *settings) any { return s.head }, 64 << 10},
		{"head-timeout", "5", func(s *settings) any { return s.headTimeout }, 5 * time.Second},
		{"head-timeout", "0.5", func(s *settings) any { return s.headTimeout }, 500 * time.Millisecond},
		{"head-timeout", "1h30m", func(s *settings) any { return s.headTimeout }, 90 * time.Minute},
		{"body-timeout", "off", func(s *settings) any { return s.bodyTimeout }, time.Duration(0)},
		{"host", "embedded", func(s *settings) any { return s.host }, "embedded"},
		{"bind", "unix:/run/app.sock", func(s *settings) any { return s.bind[0] }, "unix:/run/app.sock"},
		{"bind", "[::1]:80", func(s *settings) any { return s.bind[0] }, "[::1]:80"},
		{"bind", "uwsgi:[::1]:3031", func(s *settings) any { return s.bind[0] }, "uwsgi:[::1]:3031"},
		{"bind", "uwsgi:unix:/run/app.sock", func(s *settings) any { return s.bind[0] }, "uwsgi:unix:/run/app.sock"},
		{"bind", ":80", func(s *settings) any { return s.bind[0] }, ":80"},
		{"no-date-header", "yes", func(s *settings) any { return s.noDate }, true},
		{"no-date-header", "False", func(s *settings) any { return s.noDate }, false},
		{"forwarded-allow-ips", "::1,10.0.0.0/8, unix", func(s *settings) any { return strings.Join(s.forwardedAllow, " ") }, "::1 10.0.0.0/8 unix"},
		{"forwarded-allow-ips", "", func(s *settings) any { return len(s.forwardedAllow) }, 0},
		{"forwarded-headers", "Forwarded", func(s *settings) any { return s.forwardedHeaders[0] }, "Forwarded"},
		{"header", "A: b, c", func(s *settings) any { return s.headers[0] }, "A: b, c"},
		{"root-path", "/shop/%C3%A9", func(s *settings) any { return s.rootPath }, "/shop/%C3%A9"},
	} {
		s, err := readSettings(written(map[string][]string{c.name: {c.value}}, nil))
		if err != nil {
			t.Errorf("--%s %s: %v", c.name, c.value, err)
		} else if got := c.get(s); got != c.want {
			t.Errorf("--%s %s: got %v, want %v", c.name, c.value, got, c.want)
		}
	}
}

func TestWrongValuesSayWhatIsRight(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"workers", "many", "--workers many: must be a number from 1 to 256, or auto"},
		{"workers", "0", "--workers 0: must be"},
		{"workers", "257", "--workers 257: must be"},
		{"workers", "-1", "--workers -1: must be"},
		{"threads", "auto", "--threads auto: must be a number from 1 to 1024"},
		{"host", "embeded", "--host embeded: must be one of auto, embedded, interpreter"},
		{"log-level", "trace", "--log-level trace: must be one of debug, info, warn, error"},
		{"python", "", `--python "": must be given`},
		{"head-timeout", "0", "--head-timeout 0: must be a time, like 500ms, 30s"},
		{"head-timeout", "-3s", "must be a time"},
		{"head-timeout", "off", "must be a time"},
		{"head-timeout", "soon", "must be a time"},
		{"head-timeout", "NaN", "must be a time"},
		{"limit-request-head", "2G", "--limit-request-head 2G: must be a size in bytes from 1K to 256K, like 64K"},
		{"limit-request-head", "12", "must be a size"},
		{"limit-request-body", "9999999999999G", "must be a size"},
		{"limit-request-body", "1.5G", "must be a size"},
		{"limit-request-body", "0", "or off"},
		{"limit-request-body", "K", "must be a size"},
		{"no-date-header", "maybe", "--no-date-header maybe: must be true or false"},
		{"forwarded-allow-ips", "localhost", "--forwarded-allow-ips localhost: must be addresses, networks like"},
		{"forwarded-allow-ips", "none,::1", "--forwarded-allow-ips none,::1: must be"},
		{"forwarded-allow-ips", "10.0.0.1/8", "must be addresses"},
		{"forwarded-headers", "x-real-ip", "must be some of x-forwarded-for, "},
		{"forwarded-headers", "none,forwarded", "must be some of"},
		{"proxy-protocol", "on", "must be one of off, v1, v2, auto"},
		{"proxy-allow-from", "lb", "must be addresses"},
		{"root-path", "/shop/", "must be a path like /shop"},
		{"root-path", "shop", "must be a path"},
		{"root-path", "//shop", "must be a path"},
		{"header", "A", "must be NAME:VALUE"},
		{"header", "Content-Length: 1", "must be NAME:VALUE"},
		{"header-map", "dangerous", "must be one of drop, refuse"},
		{"bind", "8000", "--bind 8000: must be HOST:PORT, :PORT for every interface, [IPV6]:PORT or unix:PATH"},
		{"bind", "uwsgi:3031", "must be HOST:PORT"},
		{"bind", "uwsgi:unix:", "must be HOST:PORT"},
		{"bind", "127.0.0.1", "must be HOST:PORT"},
		{"bind", "127.0.0.1:", "must be HOST:PORT"},
		{"bind", "127.0.0.1:70000", "must be HOST:PORT"},
		{"bind", "http://127.0.0.1:80", "must be HOST:PORT"},
		{"bind", ":http", "must be HOST:PORT"},
		{"bind", "unix:", "must be HOST:PORT"},
		{"bind", "::1:80", "must be HOST:PORT"},
	} {
		_, err := readSettings(written(map[string][]string{c.name: {c.value}}, nil))
		if err == nil || !strings.Contains(err.Error(), c.want) || codeOf(err) != exitUsage {
			t.Errorf("--%s %s: error %v, want one with %q", c.name, c.value, err, c.want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	environment := map[string]string{"GOBRIDGE_WORKERS": "3", "GOBRIDGE_LOG_LEVEL": "debug", "GOBRIDGE_BIND": ":1, :2", "GOBRIDGE_VENV": ""}
	s, err := readSettings(written(map[string][]string{"workers": {"5"}}, environment))
	if err != nil {
		t.Fatal(err)
	}
	if s.workers != 5 || s.logLevel != "debug" || !reflect.DeepEqual(s.bind, []string{":1", ":2"}) {
		t.Errorf("read %+v", s)
	}
	s, err = readSettings(written(nil, map[string]string{"GOBRIDGE_HEADER": "A: b, c\nD: e", "GOBRIDGE_NO_SERVER_HEADER": "1", "GOBRIDGE_PROXY_ALLOW_FROM": "unix, ::1"}))
	if err != nil || !reflect.DeepEqual(s.headers, []string{"A: b, c", "D: e"}) || !s.noServer || !reflect.DeepEqual(s.proxyAllow, []string{"unix", "::1"}) {
		t.Errorf("read %+v, %v", s, err)
	}
	_, err = readSettings(written(nil, map[string]string{"GOBRIDGE_THREADS": "lots"}))
	if err == nil || !strings.HasPrefix(err.Error(), "GOBRIDGE_THREADS lots: must be") {
		t.Errorf("a wrong variable: %v", err)
	}
}

// TestRunningPage compares docs/running.md with the table of settings and the exit codes.
func TestRunningPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/running.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, s := range table {
		if row := docRow(&s); !strings.Contains(page, row+"\n") {
			t.Errorf("docs/running.md lacks this row:\n%s", row)
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `--").FindAllString(page, -1)
	if len(rows) != len(table) {
		t.Errorf("docs/running.md describes %d options, there are %d", len(rows), len(table))
	}
	for _, e := range exitCodes {
		if row := fmt.Sprintf("| %d | %s |\n", e.code, e.meaning); !strings.Contains(page, row) {
			t.Errorf("docs/running.md lacks this row:\n%s", row)
		}
	}
}

// docRow is a setting's line in docs/running.md.
func docRow(s *setting) string {
	name := "`--" + s.name + "`"
	if s.short != "" {
		name += ", `-" + s.short + "`"
	}
	initial := s.initial
	if initial != "" {
		initial = "`" + initial + "`"
	}
	value := s.kind.brief
	if value == "" {
		value = s.kind.must
	}
	return fmt.Sprintf("| %s | %s | %s | %s |", name, value, initial, s.help)
}

// samples are values of all kinds; of each setting one is taken, and is not its default.
var samples = []string{"7", "9s", "32K", "64M", "off", "on", "yes", "wsgi", "asgi", "asyncio", "embedded", "warn", "refuse", "v2", "optional", "600",
	"root:root", "10.0.0.1", "forwarded", "/shop", "X-A: b", "X-Trace", "unix:/run/s", "some/path"}

// TestEverySettingIsAFlagAndAVariable: each does the same as the other, and something.
func TestEverySettingIsAFlagAndAVariable(t *testing.T) {
	read := func(from source) *settings {
		s, err := readSettings(from)
		if err != nil {
			return nil
		}
		return s
	}
	usual := read(written(nil, nil))
	for _, row := range table {
		found := false
		for _, value := range samples {
			flag := read(written(map[string][]string{row.name: {value}}, nil))
			if flag == nil || reflect.DeepEqual(flag, usual) {
				continue
			}
			found = true
			if variable := read(written(nil, map[string]string{row.variable(): value})); !reflect.DeepEqual(variable, flag) {
				t.Errorf("--%s %s and %s=%s differ", row.name, value, row.variable(), value)
			}
			break
		}
		if !found {
			t.Errorf("--%s takes none of %q", row.name, samples)
		}
	}
}

// TestNamesThatUsersKnow are those of other servers, or stand in many a script.
func TestNamesThatUsersKnow(t *testing.T) {
	for _, name := range []string{
		"bind", "workers", "threads", "chdir", "preload", "backlog", "log-level", "access-log", "certfile", "keyfile", "ca-certs", "cert-reqs",
		"limit-request-line", "limit-request-fields", "limit-request-field-size", "limit-request-head", "limit-request-body", "limit-concurrency",
		"forwarded-allow-ips", "proxy-protocol", "proxy-allow-from", "root-path", "timeout-keep-alive", "graceful-timeout", "buffer-request",
		"max-requests", "max-requests-jitter", "max-worker-lifetime", "max-worker-memory", "no-server-header", "no-date-header", "header",
	} {
		if !slices.ContainsFunc(table, func(s setting) bool { return s.name == name }) {
			t.Errorf("there is no --%s", name)
		}
	}
}
