package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/serve"
)

func TestFlagsFirst(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"gobridge", "gobridge"},
		{"gobridge run a:b", "gobridge run a:b"},
		{"gobridge run a:b --workers 2", "gobridge run --workers 2 a:b"},
		{"gobridge run a:b -w 2 --bind=:1 x", "gobridge run -w 2 --bind=:1 a:b x"},
		{"gobridge run --help a:b", "gobridge run --help a:b"},
		{"gobridge run a:b --help", "gobridge run --help a:b"},
		{"gobridge run a:b --wrokers 2", "gobridge run --wrokers a:b 2"},
		{"gobridge run a:b --workers", "gobridge run --workers a:b"},
		{"gobridge run -- --workers a:b", "gobridge run -- --workers a:b"},
		{"gobridge run a:b --no-date-header x", "gobridge run --no-date-header a:b x"},
		{"gobridge run x -w 1 -- y", "gobridge run -w 1 -- x y"},
		{"gobridge run x -w4 -b:8000 -C/srv -bunix:/run/s", "gobridge run -w 4 -b :8000 -C /srv -b unix:/run/s x"},
		{"gobridge run x -w=4 -workers 4 -wrokers 4", "gobridge run -w=4 -workers 4 -wrokers x 4"},
		{"gobridge reload a:b --timeout 5 -C x", "gobridge reload --timeout 5 -C x a:b"},
		{"gobridge status --json a:b", "gobridge status --json a:b"},
	} {
		if got := strings.Join(flagsFirst(strings.Fields(c.in)), " "); got != c.want {
			t.Errorf("%q became %q, want %q", c.in, got, c.want)
		}
	}
}

// TestMistakes runs the command line with one mistake each: one message, code 2.
func TestMistakes(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ line, want string }{
		{"rnu a:b", "rnu is no command: did you mean run?"},
		{"serve-it-all", "is no command: there are run, reload, status, request, version"},
		{"app:app", "app:app is no command: to serve it, write gobridge run app:app"},
		{"run", "which application? Name its module and the attribute in it: gobridge run myproject.wsgi:application"},
		{"run a:b c:d", "one application only"},
		{"run myproject.wsgi", "must be MODULE:ATTRIBUTE, like myproject.wsgi:application"},
		{"run src/app.py", "like src.app:application"},
		{"run a:b --wrokers 2", "--wrokers is no option: did you mean --workers?"},
		{"run a:b --lgo-level=debug", "did you mean --log-level?"},
		{"run a:b --port 9", "--port is no option: here it is --bind"},
		{"run a:b --reload", "--reload is no option: here it is --touch-reload"},
		{"run a:b --pythonpath src", "--pythonpath is no option: variables like PYTHONPATH are taken from the environment"},
		{"run a:b --factory", "--factory is no option: a factory is named with its call"},
		{"reload --factory", "--factory is no option: `gobridge reload --help` lists them"},
		{"run a:b --bind localhost --bind 127.0.0.1:8000", "--bind localhost: must be HOST:PORT"},
		{"run a:b --quux", "--quux is no option: `gobridge run --help` lists them"},
		{"run a:b --workers", "--workers a:b: must be a number"},
		{"run --workers", "--workers needs a value: a number from 1 to 256, or auto"},
		{"run a:b --workers=two", "--workers two: must be a number from 1 to 256, or auto"},
		{"run a:b --chdir /no/such/folder", "--chdir /no/such/folder"},
		{"--verbose run", "--verbose is no option"},
		{"reload nonsense", "nonsense is not an application's name"},
		{"reload a:b c:d", "one application only"},
		{"reload --timeout soon", "--timeout soon: must be a time"},
		{"reload a:b --timeout", "--timeout a:b: must be a time"},
		{"reload --workers 2", "--workers is no option"},
		{"reload --control off", "with --control off"},
		{"status --timeout 1", "--timeout is no option"},
		{"status --stuck-after soon", "--stuck-after soon: must be a time"},
		{"request", "which server? Name its address"},
		{"request :1 / more", "one address and one path"},
		{"request uwsgi:nowhere", "uwsgi:nowhere: must be an address, like http:127.0.0.1:8000"},
		{"request uwsgi:unix:", "uwsgi:unix:: must be an address"},
		{"request :99999", ":99999: must be an address"},
		{"request wss://example.org/", "wss is not spoken here: it asks for answers"},
		{"request https:unix:", "https:unix:: must be an address"},
		{"request sfastcgi::1", "sfastcgi::1: must be an address"},
		{"request :1 -k", "--insecure is for TLS: the address begins with https: or suwsgi: then"},
		{"request uwsgi::1 --cert x --cacert y", "--cacert is for TLS"},
		{"request https::1 --key x", "--key goes with --cert, which is missing"},
		{"request https::1 --cacert /no/such/file", "--cacert: open /no/such/file"},
		{"request https::1 --cacert /dev/null", "--cacert /dev/null: there is no certificate in PEM in it"},
		{"request https::1 --cert /dev/null", "--cert: use the certificate in /dev/null"},
		{"request https::1 -k --cacert x", "--insecure takes any certificate, and --cacert says which to take: one of them"},
		{"request :1 path", "path is no path: it begins with a slash"},
		{"request :1 / -H nonsense", "--header nonsense: must be like 'Accept: text/html'"},
		{"request :1 / -d @/no/such/file", "--data @/no/such/file: open /no/such/file"},
		{"request :1 / --var A=B", "--var is for the protocols of web servers"},
		{"request uwsgi::1 / --var A", "--var A: must be like REMOTE_USER=ada"},
		{"request :1 / -X G,T", `"G,T" is no method`},
		{"request :1 / -m soon", "--timeout soon: must be a time"},
		{"request :1 / --workers 2", "--workers is no option"},
		{"request :1 / --dat x", "--dat is no option: did you mean --data?"},
		{"request -d", "--data needs a value"},
		{"status --chdir /no/such/folder", "--chdir /no/such/folder"},
	} {
		app := newApp()
		app.Writer, app.ErrWriter = new(bytes.Buffer), new(bytes.Buffer)
		err := app.Run(flagsFirst(append([]string{"gobridge"}, strings.Fields(c.line)...)))
		if err == nil || !strings.Contains(err.Error(), c.want) || codeOf(err) != exitUsage {
			t.Errorf("gobridge %s: error %v (code %d), want one with %q", c.line, err, codeOf(err), c.want)
		}
		if out := fmt.Sprintf("%s%s", app.Writer, app.ErrWriter); out != "" {
			t.Errorf("gobridge %s: printed beside its error: %s", c.line, out)
		}
	}
}

func TestHelpListsEverySetting(t *testing.T) {
	app := newApp()
	out := new(bytes.Buffer)
	app.Writer = out
	if err := app.Run([]string{"gobridge", "run", "--help"}); err != nil {
		t.Fatal(err)
	}
	for _, s := range table {
		if n := strings.Count(out.String(), " --"+s.name+" "+s.kind.placeholder); n != 1 {
			t.Errorf("help names --%s %s %d times", s.name, s.kind.placeholder, n)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, line := range []string{"version", "--version"} {
		app := newApp()
		out := new(bytes.Buffer)
		app.Writer = out
		if err := app.Run([]string{"gobridge", line}); err != nil || !strings.Contains(out.String(), version) {
			t.Errorf("gobridge %s: %q, %v", line, out, err)
		}
	}
}

func TestGuessApplication(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"", "", "myproject.wsgi:application"},
		{"shop/wsgi.py", "application = get_wsgi_application()", "shop.wsgi:application"},
		{"wsgi.py", "", "wsgi:application"},
		{"app.py", "", "app:app"},
		{"app.py", "import x\ndef application(environ, start_response):\n", "app:application"},
		{"main.py", "app: Flask = Flask(__name__)", "main:app"},
		{"main.py", "application_name = 1\n    app = 2", "main:app"},
	} {
		dir := t.TempDir()
		if c.file != "" {
			file := filepath.Join(dir, c.file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := guessApplication(dir); got != c.want {
			t.Errorf("with %q: %s, want %s", c.file, got, c.want)
		}
		if _, err := checkApplication([]string{c.want}, dir); err != nil {
			t.Errorf("the guess is refused: %v", err)
		}
	}
}

func TestApplicationNames(t *testing.T) {
	for name, good := range map[string]bool{
		"a:b": true, "a.b.c:d.e": true, "_a1:_b": true, "größe.wsgi:application": true, "my-shop.2fa:app": true,
		"a": false, ":b": false, "a:": false, "a.:b": false, "-a:b": false, "a:1b": false, "a:b-c": false, "a:b(": false, "a b:c": false, "": false, "a/b:c": false,
	} {
		if _, err := checkApplication([]string{name}, t.TempDir()); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"bind", "workers", "threads", "log-level", "access-log"}
	for written, want := range map[string]string{
		"wrokers": "workers", "worker": "workers", "thread": "threads", "loglevel": "log-level", "bnid": "bind", "zzzzzz": "", "": "",
	} {
		if got := nearest(written, names); got != want {
			t.Errorf("nearest to %q: %q, want %q", written, got, want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want exitCode
	}{
		{nil, exitOK},
		{errors.New("x"), exitInternal},
		{fmt.Errorf("y: %w", usage("x")), exitUsage},
		{fmt.Errorf("y: %w", &bridge.StartError{Text: "x", Code: 3}), exitApplication},
		{&bridge.StartError{Text: "x"}, exitInternal},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("code of %v: %d, want %d", c.err, got, c.want)
		}
	}
	for i, e := range exitCodes {
		if int(e.code) != i {
			t.Errorf("code %d is the %d. of the list", e.code, i)
		}
	}
}

func TestAPortInUseIsItsOwnExitCode(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	listeners, err := listen([]string{"127.0.0.1:0", taken.Addr().String()}, 16, serve.DefaultListening())
	if err == nil || len(listeners) != 0 || codeOf(err) != exitListen || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("listeners %v, error %v (code %d)", listeners, err, codeOf(err))
	}
}

func TestLevels(t *testing.T) {
	var s settings
	for _, row := range table {
		if row.name != "log-level" {
			continue
		}
		for level := range strings.SplitSeq(row.kind.placeholder, "|") {
			_, end, err := newLogger(os.Stderr, level)
			if err != nil {
				t.Error(err)
				continue
			}
			end()
		}
		if !reflect.DeepEqual(row.into(&s), &s.logLevel) {
			t.Error("the level goes elsewhere")
		}
	}
}
