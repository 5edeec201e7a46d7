package frameworks

import (
	"net/url"
	"strings"
)

// visitTrac writes a page in its wiki and attaches a file to it.
func visitTrac(v *visitor, f *framework, content []byte) {
	v.see("/wiki/WikiStart", "Welcome to Trac")
	v.see("/chrome/common/css/trac.css")

	p := v.submit("/wiki/Kochbuch?action=edit", url.Values{"action": {"edit"}, "text": {"Käse & 牛乳"}, "save": {"Submit changes"}})
	if p.path != "/wiki/Kochbuch" {
		v.Fatalf("what was written leads to %s\n%s", p.path, p.body)
	}
	v.mustShow(p, "Käse &amp; 牛乳")

	attachment := file{"attachment", "random.bin", "application/octet-stream", content[:200<<10]}
	p = v.submit("/attachment/wiki/Kochbuch/?action=new", url.Values{"action": {"new"}}, attachment)
	v.mustShow(p, "random.bin")
	raw := "/raw-attachment/wiki/Kochbuch/random.bin"
	mustBeSame(v, raw, []byte(v.see(raw).body), attachment.content)

	p = v.submit("/newticket", url.Values{"field_summary": {"It is cold"}, "field_description": {"in here"}, "submit": {"Create ticket"}})
	if !strings.HasPrefix(p.path, "/ticket/") {
		v.Fatalf("a new ticket leads to %s\n%s", p.path, p.body)
	}
	v.see("/search?q=cold", "It is cold")
	mustFail(v, "/error")
	f.mustHandOver(v, "/chrome/common/css/trac.css")
	f.mustHandOver(v, raw)
}
