package conformance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"gobridge/tests/server"
)

// interfacesOf are the applications of apps/interfaces.py: as which each is served of itself, and with
// --interface wsgi, asgi and asgi2. What can be called in any way is what it is said to be.
var interfacesOf = map[string]string{
	"async function":                           "asgi - asgi -",
	"object with an async call":                "asgi - asgi -",
	"async method":                             "asgi - asgi -",
	"object with a plain call of three":        "asgi - asgi -",
	"class of requests that are awaited":       "asgi - asgi -",
	"partial of an async function":             "asgi - asgi -",
	"partial of a plain function":              "asgi - asgi -",
	"decorated async function":                 "asgi wsgi asgi asgi2",
	"function of two":                          "wsgi wsgi - -",
	"object with a call of two":                "wsgi wsgi - -",
	"class of requests that are iterated over": "wsgi wsgi - -",
	"function of two and more":                 "wsgi wsgi asgi -",
	"decorated function of two":                "wsgi wsgi asgi asgi2",
	"class that takes a scope":                 "asgi2 - - asgi2",
	"function of anything":                     "wsgi wsgi asgi asgi2",
	"async factory":                            "- - - -",
	"factory":                                  "- - - -",
}

func interfacesAreTold(t *testing.T, a *asgi) {
	text, err := exec.Command(a.python, filepath.Join("apps", "interfaces.py"), filepath.Join("..", "..", "python")).Output()
	var told map[string]string
	if err == nil {
		err = json.Unmarshal(text, &told)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for name, want := range interfacesOf {
		if told[name] != want {
			t.Errorf("%s: %q, want %q", name, told[name], want)
		}
	}
	if len(told) != len(interfacesOf) {
		t.Errorf("%d applications are told of, of %d", len(told), len(interfacesOf))
	}
	if a.all {
		a.interfaceIsWanted(t)
	}
}

// interfaceIsWanted starts servers with what the options want.
func (a *asgi) interfaceIsWanted(t *testing.T) {
	dir := t.TempDir() // of an environment whose uvloop cannot be imported
	if err := os.WriteFile(filepath.Join(dir, "uvloop.py"), []byte("raise ImportError('it was made for another Python')"), 0o644); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	defer all.Wait()
	for _, c := range []struct {
		application string
		code        int
		log         string
		args        []string
	}{
		{"interfaces:anything", 0, "1 worker of 1 thread", nil},
		{"interfaces:anything", 0, "1 worker of 1 asyncio loop", []string{"--interface", "asgi", "--loop", "asyncio"}},
		{"interfaces:anything", 0, "1 worker of 1 asyncio loop", []string{"--interface", "asgi2", "--loop", "asyncio"}},
		{"interfaces:asgi_function", 3, "is an ASGI application (its call is async), and --interface is wsgi", []string{"--interface", "wsgi"}},
		{"interfaces:wsgi_function", 3, "cannot be called with scope, receive and send", []string{"--interface", "asgi"}},
		{"interfaces:factory", 3, "write interfaces:factory()", nil},
		{"interfaces:asgi_function", 0, "1 worker of 1 asyncio loop", []string{"--loop", "auto"}},
		{"interfaces:asgi_function", 3, "--loop uvloop: it was made for another Python. Install it", []string{"--loop", "uvloop"}},
	} {
		all.Go(func() {
			a.comesUp(t, server.Config{Application: c.application, Args: c.args, Env: []string{"PYTHONPATH=" + dir}}, c.code, c.log)
		})
	}
}

func importsMakeLoops(t *testing.T, a *asgi) {
	seen := func(preload string) string {
		s := server.UntilEnd(t, server.Config{Application: "early:application", Dir: "apps",
			Args: []string{"--python", a.python, "--host", a.host, "--workers", "1", "--preload", preload}})
		return askServer(t, s, "GET", "/", "").body
	}
	if got := seen("auto"); got != "[true, true, true]" {
		t.Errorf("that loop, its task and its lock: %s", got)
	}
	if !a.all {
		return
	}
	if got := seen("on"); got != "[false, false, true]" {
		t.Errorf("behind a fork: %s", got)
	}
}

func stepIsEager(t *testing.T, a *asgi) {
	var step struct {
		AtOnce bool `json:"at once"`
		MayBe  bool `json:"may be"`
	}
	// A request may be taken at another one's end, too, which is no reader's callback.
	err := server.Await(func() bool {
		if err := json.Unmarshal([]byte(askServer(t, a.two, "GET", "/first_step", "").body), &step); err != nil {
			t.Fatal(err)
		}
		return step.AtOnce == step.MayBe
	})
	if err != nil {
		t.Errorf("%+v", step)
	}
}
