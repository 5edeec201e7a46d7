package cgi_test

import (
	"strings"
	"testing"

	"gobridge/bridge"
	"gobridge/protocol/cgi"
	"gobridge/protocol/cgi/cgitest"
)

// FuzzVariables: nothing that was sent gets lost but what is said to, and what others rely on is
// there.
func FuzzVariables(f *testing.F) {
	add := func(mounted bool, variables ...string) { f.Add(strings.Join(variables, "\n"), mounted) }
	add(false, cgitest.Usual...)
	add(true, "SCRIPT_NAME=/a", "PATH_INFO=/a/b", "HTTP_X_FORWARDED_FOR=1", "CONTENT_LENGTH=")
	add(false, "REQUEST_URI=http://x/%41?b", "wsgi.x=1", "UWSGI_SCHEME=https", "REMOTE_ADDR=unix:", "HTTP_HOST=a", "HTTP_HOST=b")
	add(false, "PATH_INFO=/%\xff", "QUERY_STRING=a b", "REMOTE_PORT=123456", "CONTENT_LENGTH=x")
	add(false, "REQUEST_URI=/%4a%zz%Fe", "A=1", "A=2", "HTTP_x=1", "CONTENT_LENGTH=12345678901234567890")
	add(true, "UWSGI_FILE=/x", "REQUEST_URI=http://x", "REQUEST_METHOD=G T", "HTTP_TRANSFER_ENCODING=x", "SERVER_PORT=http")
	add(false, "SCRIPT_NAME=/a", "DOCUMENT_URI=/a/b", "CONTENT_LENGTH=1", "CONTENT_LENGTH=2", "HTTP_ACCEPT=application/json")
	f.Fuzz(func(t *testing.T, text string, mounted bool) {
		variables := cgitest.Fields(strings.Split(text, "\n")...)
		all := map[string][]string{}
		for _, v := range variables {
			all[string(v.Name)] = append(all[string(v.Name)], string(v.Value))
		}
		for _, p := range []*cgi.Protocol{plain, noScript} {
			h, err := cgitest.Head(p, mounted, variables)
			if err != nil {
				cgitest.CheckError(t, err, 400)
				continue
			}
			cgitest.CheckRequest(t, h)
			compare(t, h, all)
		}
	})
}

// isField says whether what stands behind HTTP_ is a header field's name, in another way.
func isField(suffix string) bool {
	return suffix != "" && strings.Trim(suffix, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// compare holds what was sent against the variables and fields of the request.
func compare(t *testing.T, p *cgi.Head, all map[string][]string) {
	got := map[string][]string{}
	add := func(fields []bridge.Field, prefix string) {
		for _, f := range fields {
			name := string(f.Name)
			switch {
			case name == "Content-Type", name == "Content-Length":
				name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
			case prefix != "":
				name = prefix + strings.ReplaceAll(name, "-", "_")
			}
			got[name] = append(got[name], string(f.Value))
		}
	}
	add(p.Request.Fields, "HTTP_")
	add(p.Request.Gateway.Variables, "")
	for name, values := range all {
		last := values[len(values)-1]
		want := last
		if suffix, ok := strings.CutPrefix(name, "HTTP_"); ok && isField(suffix) && suffix != "HOST" && suffix != "CONTENT_TYPE" && suffix != "CONTENT_LENGTH" {
			want = strings.Join(values, "\n")
		}
		switch name {
		case "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_URI", "SERVER_PROTOCOL", "REMOTE_ADDR", "REMOTE_PORT", "SERVER_NAME", "SERVER_PORT", "HTTP_TRANSFER_ENCODING":
			want = ""
		case "HTTPS":
			if want = last; last == "on" {
				want = ""
			}
		}
		if strings.HasPrefix(name, "wsgi.") || strings.HasPrefix(name, "gobridge.") {
			want = ""
		}
		if have := strings.Join(got[name], "\n"); have != want {
			t.Fatalf("%q is %q, want %q", name, have, want)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Fatalf("out of nothing came %q", got)
	}
}
