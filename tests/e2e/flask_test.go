package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gobridge/tests/server"
)

func TestFlask(t *testing.T) {
	onEach(t, func(t *testing.T, p *python, host string) {
		s := start(t, server.Config{
			Application: "app:app", Dir: root(t, "examples", "flask"),
			Args: []string{"--python", p.path, "--host", host, "--workers", "2", "--threads", "2", "--reactors", reactorsFor(host)},
		})
		b := newBrowser(t, s.Client(), s.URL(""))
		b.see("/", "Hello!")
		if p := b.post("/name", url.Values{"name": {"Grüße & co"}}); p.path != "/" || !strings.Contains(p.body, "Grüße &amp; co") {
			t.Errorf("the session does not know the name: %s", p.body)
		}
		for _, chunked := range []bool{false, true} {
			uploadToFlask(b, chunked)
		}
		if got, want := b.see("/count/20000").body, numbers(20000); got != want {
			t.Errorf("the stream has %d bytes, want %d", len(got), len(want))
		}
		var info map[string]any
		must(t, json.Unmarshal([]byte(b.see("/info?a=b%20c").body), &info))
		want := map[string]any{"method": "GET", "url": s.URL("/info?a=b%20c"), "remote": "127.0.0.1", "multithread": true, "multiprocess": true}
		for name, value := range want {
			if info[name] != value {
				t.Errorf("%s is %v, want %v", name, info[name], value)
			}
		}
		if p := b.post("/count/3", nil); p.status != http.StatusMethodNotAllowed {
			t.Errorf("a POST to a page that only has GET: %d", p.status)
		}
	})
}

func uploadToFlask(b *browser, chunked bool) {
	const size = 3<<20 + 17
	hash := sha256.New()
	body := io.TeeReader(randomBytes(size), hash)
	request := b.request("POST", "/upload", body)
	if request.ContentLength = size; chunked {
		request.ContentLength = -1
	}
	var got struct {
		Size   int
		SHA256 string
	}
	p := b.do(request)
	must(b, json.Unmarshal([]byte(p.body), &got))
	if want := hex.EncodeToString(hash.Sum(nil)); got.Size != size || got.SHA256 != want {
		b.Errorf("an upload (chunked %v) arrived as %d bytes %s, want %d bytes %s", chunked, got.Size, got.SHA256, size, want)
	}
}

// numbers is what the examples' counting pages stream.
func numbers(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintln(&text, i)
	}
	return text.String()
}
