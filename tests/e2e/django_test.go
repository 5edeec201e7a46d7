package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"gobridge/tests/server"
)

// uploadSize is that of the file that goes up and comes down again.
const uploadSize = 50 << 20

func TestDjango(t *testing.T) {
	onMain(t, func(t *testing.T, p *python, host string) {
		data := djangoData(t, p.path)
		s := startDjango(t, p.path, data, "--host", host, "--workers", "2", "--reactors", reactorsFor(host))
		visitDjango(t, newBrowser(t, s.Client(), s.URL("")), "by "+host)
	})
}

// TestRunScript starts the example as make run does, twice: the second time finds what the
// first has set up.
func TestRunScript(t *testing.T) {
	data := t.TempDir()
	for _, name := range []string{"at first", "again"} {
		t.Run(name, func(t *testing.T) {
			s, err := server.Start(server.Config{
				Command: []string{root(t, "examples", "django", "run")}, Dir: t.TempDir(), Env: []string{"DATA_DIR=" + data},
			})
			must(t, err)
			defer s.Kill()
			if !strings.Contains(s.Output(), "log in as demo, password demo") {
				t.Errorf("it does not say how to log in:\n%s", s.Output())
			}
			visitDjango(t, newBrowser(t, s.Client(), s.URL("")), name)
			must(t, s.Stop())
		})
	}
}

// reactorsFor has each interpreter's two hosts share the two numbers.
func reactorsFor(host string) string {
	if host == "embedded" {
		return "3"
	}
	return "1"
}

// djangoData is a folder of its own with the example's database, which has its demo user.
func djangoData(t *testing.T, python string) string {
	t.Helper()
	example := root(t, "examples", "django")
	made, _ := databases.LoadOrStore(python, sync.OnceValues(func() ([]byte, error) { return djangoDatabase(python, example) }))
	text, err := made.(func() ([]byte, error))()
	must(t, err)
	data := t.TempDir()
	must(t, os.WriteFile(filepath.Join(data, database), text, 0o600))
	return data
}

const database = "db.sqlite3"

// databases are functions that return the database as an interpreter has made it, once.
var databases sync.Map

func djangoDatabase(python, example string) ([]byte, error) {
	data, err := os.MkdirTemp("", "django")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(data)
	for _, command := range [][]string{{"migrate", "--verbosity", "0"}, {"demo"}, {"demo"}} {
		c := exec.Command(python, append([]string{"manage.py"}, command...)...)
		c.Dir = example
		c.Env = append(os.Environ(), "DATA_DIR="+data, "PYTHONDONTWRITEBYTECODE=1")
		if out, err := c.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("manage.py %v: %w\n%s", command, err, out)
		}
	}
	return os.ReadFile(filepath.Join(data, database))
}

func startDjango(t *testing.T, python, data string, args ...string) *server.Server {
	t.Helper()
	return start(t, server.Config{
		Application: "mysite.wsgi:application", Dir: root(t, "examples", "django"),
		Args: append(args, "--python", python), Env: []string{"DATA_DIR=" + data},
	})
}

// visitDjango does what a person does there: log in to the admin, add and change an
// object, upload a file on the site and download it again. The name makes it unlike other
// visits to the same database.
func visitDjango(t *testing.T, b *browser, name string) {
	b.see("/", "Notes")
	if p := b.see("/static/admin/css/base.css"); p.header.Get("Content-Type") != "text/css" {
		t.Errorf("the admin's style sheet is of type %q", p.header.Get("Content-Type"))
	}
	logIn(b)
	addAndChange(b, name)
	uploadAndDownload(b, "file "+name, uploadSize)
	if p := b.get("/nowhere/"); p.status != http.StatusNotFound {
		t.Errorf("a page that is not there has status %d", p.status)
	}
}

func logIn(b *browser) {
	login := "/admin/login/?next=/admin/"
	if p := b.see("/admin/"); p.path != "/admin/login/" {
		b.Fatalf("without a login the admin leads to %s", p.path)
	}
	fields := url.Values{"username": {"demo"}, "password": {"demo"}, "next": {"/admin/"}}
	if p := b.post(login, fields); p.status != http.StatusForbidden {
		b.Fatalf("a form without its token is answered with %d", p.status)
	}
	if p := b.submit(login, fields); p.path != "/admin/" {
		b.Fatalf("the login leads to %s", p.path)
	}
	b.see("/admin/", "Site administration", "Notes")
}

var changeLink = regexp.MustCompile(`href="(/admin/notes/note/\d+/change/)[^"]*"`)

func addAndChange(b *browser, name string) {
	title, changed := "Groceries "+name, "Shopping "+name
	b.submit("/admin/notes/note/add/", url.Values{"title": {title}, "text": {"bread, Käse & 牛乳"}})
	list := b.see("/admin/notes/note/?"+url.Values{"q": {title}}.Encode(), title)
	link := changeLink.FindStringSubmatch(list.body)
	if link == nil {
		b.Fatalf("the list has no link to the new object:\n%s", list.body)
	}
	b.see(link[1], "bread, Käse &amp; 牛乳")
	b.submit(link[1], url.Values{"title": {changed}, "text": {"bread only"}})
	b.see(link[1], changed, "bread only")
	if list := b.see("/admin/notes/note/?" + url.Values{"q": {title}}.Encode()); changeLink.MatchString(list.body) {
		b.Fatal("the object is still there under its old title")
	}
}

// randomBytes is a stream of bytes that can be had again.
func randomBytes(size int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
}

func uploadAndDownload(b *browser, title string, size int64) {
	b.Helper()
	var form bytes.Buffer
	fields := multipart.NewWriter(&form)
	must(b, fields.WriteField("csrfmiddlewaretoken", b.token("/add/")))
	must(b, fields.WriteField("title", title))
	_, err := fields.CreateFormFile("file", "random.bin")
	must(b, err)
	head := bytes.Clone(form.Bytes())
	form.Reset()
	must(b, fields.Close())
	request := b.request("POST", "/add/", io.MultiReader(bytes.NewReader(head), randomBytes(size), &form))
	request.ContentLength = int64(len(head)+form.Len()) + size
	request.Header.Set("Content-Type", fields.FormDataContentType())
	if p := b.do(request); p.status != http.StatusOK || p.path != "/" {
		b.Fatalf("the upload leads to %s with %d\n%s", p.path, p.status, p.body)
	}
	row := regexp.MustCompile(regexp.QuoteMeta(title) + `</b>[^<]*<a href="(/file/\d+/)">`)
	link := row.FindStringSubmatch(b.see("/").body)
	if link == nil {
		b.Fatal("the list does not link to the uploaded file")
	}
	response, err := b.client.Do(b.request("GET", link[1], nil))
	must(b, err)
	defer response.Body.Close()
	if response.ContentLength != size {
		b.Errorf("the download has the length %d, want %d", response.ContentLength, size)
	}
	must(b, sameBytes(response.Body, randomBytes(size)))
}

// sameBytes compares two streams to their ends.
func sameBytes(got, want io.Reader) error {
	a, b := make([]byte, 1<<16), make([]byte, 1<<16)
	for at := 0; ; {
		n, err := io.ReadFull(got, a)
		m, _ := io.ReadFull(want, b)
		if n != m || !bytes.Equal(a[:n], b[:m]) {
			return fmt.Errorf("what came is not what was sent, at or after byte %d: %w", at, err)
		}
		if n < len(a) {
			return nil
		}
		at += n
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
