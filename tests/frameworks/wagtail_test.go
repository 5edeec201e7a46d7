package frameworks

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// TestWagtail serves the project that Wagtail starts with, as it was made: a site with its
// database, an editors' interface, and Django's admin.
func TestWagtail(t *testing.T) {
	t.Parallel()
	mustBeTold(t, "Wagtail", versions(t, "requirements-applications.txt")["wagtail"])
	site := t.TempDir()
	ofApplications.run(t, site, []string{keepsBytecode}, "wagtail", "start", "mysite", site)
	ofApplications.run(t, site, []string{keepsBytecode}, "python", root(t, "tests", "frameworks", "apps", "prepare_wagtail.py"))
	v := ofApplications.serve(t, server.Config{Application: "mysite.wsgi:application", Dir: site, Env: []string{keepsBytecode}})

	v.see("/", "Welcome to your new Wagtail site!")
	logInToWagtail(v)
	publish(v)
	uploadDocument(v, someBytes(contentSize))
	uploadImage(v)
	v.see("/django-admin/auth/user/", "editor@example.org")
	if p := v.get("/nowhere/"); p.status != http.StatusNotFound {
		v.Errorf("a page that is not there: status %d", p.status)
	}
}

func logInToWagtail(v *visitor) {
	if p := v.see("/admin/"); p.path != "/admin/login/" {
		v.Fatalf("without a login the admin leads to %s", p.path)
	}
	p := v.submit("/admin/login/", url.Values{"username": {"editor"}, "password": {"secret"}})
	if p.path != "/admin/" {
		v.Fatalf("the login leads to %s", p.path)
	}
	style := v.find(p, `href="(/static/wagtailadmin/css/core\.css[^"]*)"`)
	if p := v.see(style); p.header.Get("Content-Type") != "text/css" {
		v.Errorf("%s is of type %q", style, p.header.Get("Content-Type"))
	}
}

// publish writes a page, changes it, and finds it on the site.
func publish(v *visitor) {
	home := v.find(v.see("/admin/pages/"), `href="/admin/pages/(\d+)/"`)
	fields := url.Values{"title": {"Neues aus Köln"}, "slug": {"neues"}, "action-publish": {"action-publish"}}
	v.mustShow(v.submit("/admin/pages/add/home/homepage/"+home+"/", fields), "Neues aus Köln", "published")
	v.see("/neues/", "Neues aus Köln")
	v.see("/search/?query=neues", "Neues aus Köln")
	if p := v.get("/neues"); p.path != "/neues/" {
		v.Errorf("without its slash the page leads to %s", p.path)
	}
}

func uploadDocument(v *visitor, content []byte) {
	p := v.submit("/admin/documents/add/", url.Values{"title": {"Bytes"}, "tags": {""}},
		file{"file", "random.zip", "application/zip", content})
	if p.path != "/admin/documents/" {
		v.Fatalf("the upload leads to %s\n%s", p.path, p.body)
	}
	link := v.find(v.see("/admin/documents/", "Bytes"), `href="(/documents/\d+/random[^"]*)"`)
	mustBeSame(v, link, []byte(v.see(link).body), content)
}

// uploadImage has Pillow scale an image in a worker.
func uploadImage(v *visitor) {
	picture := image.NewRGBA(image.Rect(0, 0, 640, 480))
	for x := range 640 {
		picture.Set(x, x*480/640, color.RGBA{200, 0, 0, 255})
	}
	var content bytes.Buffer
	must(v, png.Encode(&content, picture))
	v.submit("/admin/images/add/", url.Values{"title": {"A line"}, "tags": {""}},
		file{"file", "line.png", "image/png", content.Bytes()})
	small := v.find(v.see("/admin/images/", "A line"), `src="(/media/images/line[^"]*)"`)
	p := v.see(small)
	got, err := png.Decode(strings.NewReader(p.body))
	must(v, err)
	if width := got.Bounds().Dx(); p.header.Get("Content-Type") != "image/png" || width >= 640 {
		v.Errorf("%s is %d pixels wide and of type %q", small, width, p.header.Get("Content-Type"))
	}
}
