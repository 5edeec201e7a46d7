package conformance

import (
	"fmt"
	"strings"
	"testing"

	"gobridge/tests/server"
)

func faultsAreAnswered(t *testing.T, w *wsgi) {
	pid := w.get(t, "/pid").body
	for how, logged := range map[string]string{ // behind the request's line; a wrong body has no traceback of its own
		"error": `Traceback(?s:.*)ValueError: NAME`, "exit": `Traceback(?s:.*)SystemExit: NAME`, "interrupt": `Traceback(?s:.*)KeyboardInterrupt: NAME`,
		"generator": `Traceback(?s:.*)GeneratorExit: NAME`, "base": `Traceback(?s:.*)BaseException: NAME`, "recursion": `Traceback(?s:.*)RecursionError`,
		"none": `not None`, "text": `not 'text'`, "bytes": `not b'bytes'`, "number": `TypeError`, "nones": `not None`, "texts": `not 'text'`,
		"later": `not 'text'`, "arrays": `not bytearray`,
	} {
		name := unique()
		a := w.ask(t, "GET", "/fails?"+name+"&"+how, "")
		if a.status != 500 || a.cut != nil || a.get("X-First") != "" || strings.Contains(a.body, name) || strings.Contains(a.body, "Error:") {
			t.Errorf("%s: %v", how, a)
		}
		w.logged(t, `GET /fails\?`+name+`(?s:.*)`+strings.ReplaceAll(logged, "NAME", name))
	}
	for _, how := range []string{"chunked", "counted", "exit", "text"} {
		if a := w.ask(t, "GET", "/fails_later?"+unique()+"&"+how, ""); a.status != 200 || a.body != "out" || a.cut == nil {
			t.Errorf("later, %s: %v", how, a)
		}
	}
	if again := w.get(t, "/pid").body; again != pid {
		t.Error("the worker is another one")
	}
	together(t, w.threads) // both threads are there
}

// left is how many descriptors the worker has open, and how many environs of /computes are
// still there.
func (w *wsgi) left(t *testing.T) (descriptors, environs int) {
	t.Helper()
	body := w.get(t, "/left").body
	if _, err := fmt.Sscan(body, &descriptors, &environs); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return descriptors, environs
}

func leavingIsBorne(t *testing.T, w *wsgi) {
	before, _ := w.left(t)
	for range 3 {
		name, c := unique(), dial(t, w.threads)
		c.send(t, "GET /computes?%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
		w.awaitNote(t, name, "computing")
		c.Close()
		w.open(t, name)
		w.awaitNote(t, name, "finished")
		if n := w.notes(t, name); !strings.Contains(n, "write raised OSError\n") && !strings.Contains(n, "all is dropped\n") {
			t.Errorf("%q", n)
		}
	}
	err := server.Await(func() bool {
		descriptors, environs := w.left(t)
		return descriptors <= before && environs == 0
	})
	if err != nil {
		descriptors, environs := w.left(t)
		t.Errorf("%d descriptors after %d, and %d environs of requests that are over", descriptors, before, environs)
	}
	together(t, w.threads)
}
