package conformance

import "testing"

// content is the file that apps/files.py sends.
var content = func() string {
	b := make([]byte, 600000)
	for i := range b {
		b[i] = byte(i * 31 % 251)
	}
	return string(b)
}()

func filesAreSent(t *testing.T, w *wsgi) {
	for _, one := range []struct {
		kind string
		want string
	}{
		{"whole", content}, {"position", content[1000:]}, {"buffered", content[1000:]}, {"length", content[:200000]},
		{"range", content[1000:201000]}, {"small", content[:100]}, {"end", ""}, {"unlinked", content}, {"bytesio", content},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			name, status, want := one.kind+"&"+unique(), 200, one.want
			if one.kind == "range" {
				status = 206
			}
			if method == "HEAD" {
				want = ""
			}
			if a := w.ask(t, method, "/file?"+name, ""); a.status != status || a.body != want || a.cut != nil {
				t.Errorf("%s %s: %v", method, one.kind, a)
			}
			w.awaitNote(t, name, "closed")
			if n := w.notes(t, name); n != "closed\n" {
				t.Errorf("%s %s: %q", method, one.kind, n)
			}
		}
	}
	if a := w.get(t, "/file?reader"); a.body != content {
		t.Errorf("nothing but read(): %v", a)
	}
	name := "short&" + unique()
	if a := w.ask(t, "GET", "/file?"+name, ""); a.body != content || a.cut == nil {
		t.Errorf("shorter than its Content-Length: %v", a)
	}
	w.awaitNote(t, name, "closed")
	name = "text&" + unique()
	if a := w.ask(t, "GET", "/file?"+name, ""); a.status != 500 {
		t.Errorf("in text mode: %v", a)
	}
	w.awaitNote(t, name, "closed")
}
