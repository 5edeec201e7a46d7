package e2e

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browser is a client as a person has one: it keeps cookies, follows redirects and fills
// in the hidden token of forms.
type browser struct {
	*testing.T
	client *http.Client
	base   string
}

func newBrowser(t *testing.T, client *http.Client, base string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client.Jar = jar
	t.Cleanup(client.CloseIdleConnections)
	return &browser{t, client, base}
}

// page is where a request has led to.
type page struct {
	path   string
	status int
	header http.Header
	body   string
}

func (b *browser) do(request *http.Request) page {
	b.Helper()
	response, err := b.client.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.Fatalf("%s %s: %v", request.Method, request.URL, err)
	}
	return page{response.Request.URL.Path, response.StatusCode, response.Header, string(body)}
}

func (b *browser) request(method, path string, body io.Reader) *http.Request {
	b.Helper()
	request, err := http.NewRequest(method, b.base+path, body)
	if err != nil {
		b.Fatal(err)
	}
	return request
}

func (b *browser) get(path string) page {
	b.Helper()
	return b.do(b.request("GET", path, nil))
}

// see gets a page that must be there and show each of the texts.
func (b *browser) see(path string, texts ...string) page {
	b.Helper()
	p := b.get(path)
	if p.status != http.StatusOK {
		b.Fatalf("GET %s: %d\n%s", path, p.status, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			b.Fatalf("GET %s does not show %q:\n%s", path, text, p.body)
		}
	}
	return p
}

// post sends a form without looking at the page that it is on.
func (b *browser) post(path string, fields url.Values) page {
	b.Helper()
	request := b.request("POST", path, strings.NewReader(fields.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(request)
}

var hiddenToken = regexp.MustCompile(`name="csrfmiddlewaretoken" value="([^"]+)"`)

// token is the one that the form on the page wants back.
func (b *browser) token(path string) string {
	b.Helper()
	m := hiddenToken.FindStringSubmatch(b.see(path).body)
	if m == nil {
		b.Fatalf("the page %s has no form with a token", path)
	}
	return html.UnescapeString(m[1])
}

// submit fills in the form on the page and sends it there. It must lead on to another page.
func (b *browser) submit(path string, fields url.Values) page {
	b.Helper()
	fields.Set("csrfmiddlewaretoken", b.token(path))
	p := b.post(path, fields)
	if p.status != http.StatusOK || p.path == strings.Split(path, "?")[0] {
		b.Fatalf("the form on %s was not taken: %d at %s\n%s", path, p.status, p.path, p.body)
	}
	return p
}
