package frameworks

import (
	"bytes"
	"html"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"gobridge/tests/server"
)

// visitor is a client as a person has one: it keeps cookies, follows redirects and sends
// back what is hidden in forms.
type visitor struct {
	*testing.T
	server *server.Server
	client *http.Client
}

func newVisitor(t *testing.T, s *server.Server) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	client := s.Client()
	client.Transport.(*http.Transport).ExpectContinueTimeout = server.Patience // which nothing but a fault uses up
	client.Jar = jar
	t.Cleanup(client.CloseIdleConnections)
	return &visitor{t, s, client}
}

// page is where a request has led to.
type page struct {
	path   string
	status int
	header http.Header
	body   string
}

// file is one that is uploaded.
type file struct {
	field, name, kind string
	content           []byte
}

func (v *visitor) do(method, path, kind string, body io.Reader) page {
	v.Helper()
	request, err := http.NewRequest(method, v.server.URL(path), body)
	must(v, err)
	if kind != "" {
		request.Header.Set("Content-Type", kind)
		request.Header.Set("Referer", v.server.URL(path)) // as a browser does with a form
	}
	return v.send(request)
}

func (v *visitor) send(request *http.Request) page {
	v.Helper()
	response, err := v.client.Do(request)
	must(v, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.Fatalf("%s %s: %v", request.Method, request.URL, err)
	}
	return page{response.Request.URL.Path, response.StatusCode, response.Header, string(text)}
}

func (v *visitor) get(path string) page {
	v.Helper()
	return v.do("GET", path, "", nil)
}

// mustShow wants a page to be there, with each of the texts.
func (v *visitor) mustShow(p page, texts ...string) page {
	v.Helper()
	if p.status != http.StatusOK {
		v.Fatalf("%s: status %d\n%s", p.path, p.status, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			v.Fatalf("%s does not show %q:\n%s", p.path, text, p.body)
		}
	}
	return p
}

func (v *visitor) see(path string, texts ...string) page {
	v.Helper()
	return v.mustShow(v.get(path), texts...)
}

// find looks for what a page has, and returns the first group of the pattern.
func (v *visitor) find(p page, pattern string) string {
	v.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(p.body)
	if m == nil {
		v.Fatalf("%s has no %s:\n%s", p.path, pattern, p.body)
	}
	return html.UnescapeString(m[1])
}

// post sends a form, with files if there are some.
func (v *visitor) post(path string, fields url.Values, files ...file) page {
	v.Helper()
	if len(files) == 0 {
		return v.do("POST", path, "application/x-www-form-urlencoded", strings.NewReader(fields.Encode()))
	}
	kind, body := v.multipart(fields, files)
	return v.do("POST", path, kind, body)
}

// postChunked does the same without saying how much it is; it sends nothing before it is told
// to go on, if it waits.
func (v *visitor) postChunked(path string, waits bool, fields url.Values, files ...file) page {
	v.Helper()
	kind, body := v.multipart(fields, files)
	request, err := http.NewRequest("POST", v.server.URL(path), struct{ io.Reader }{body}) // of which net/http knows no length
	must(v, err)
	request.Header.Set("Content-Type", kind)
	if waits {
		request.Header.Set("Expect", "100-continue")
	}
	return v.send(request)
}

func (v *visitor) multipart(fields url.Values, files []file) (kind string, body *bytes.Buffer) {
	v.Helper()
	body = new(bytes.Buffer)
	parts := multipart.NewWriter(body)
	for name, values := range fields {
		for _, value := range values {
			must(v, parts.WriteField(name, value))
		}
	}
	for _, f := range files {
		header := textproto.MIMEHeader{
			"Content-Disposition": {multipart.FileContentDisposition(f.field, f.name)},
			"Content-Type":        {f.kind},
		}
		part, err := parts.CreatePart(header)
		must(v, err)
		_, err = part.Write(f.content)
		must(v, err)
	}
	must(v, parts.Close())
	return parts.FormDataContentType(), body
}

// submit fills in the form on a page and sends it there; what is hidden in the form goes
// along. It must lead to a page that is there.
func (v *visitor) submit(path string, fields url.Values, files ...file) page {
	v.Helper()
	all := hidden(v.see(path).body)
	maps.Copy(all, fields)
	p := v.post(path, all, files...)
	if p.status != http.StatusOK {
		v.Fatalf("the form on %s was not taken: status %d at %s\n%s", path, p.status, p.path, p.body)
	}
	return p
}

var (
	inputTag  = regexp.MustCompile(`<input\b[^>]*>`)
	attribute = regexp.MustCompile(`([a-z]+)="([^"]*)"`)
)

// hidden are the hidden fields of a page, each name once.
func hidden(body string) url.Values {
	fields := url.Values{}
	for _, tag := range inputTag.FindAllString(body, -1) {
		has := map[string]string{}
		for _, m := range attribute.FindAllStringSubmatch(tag, -1) {
			has[m[1]] = html.UnescapeString(m[2])
		}
		if has["type"] == "hidden" && has["name"] != "" {
			fields.Set(has["name"], has["value"])
		}
	}
	return fields
}
