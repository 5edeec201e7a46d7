package peers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gobridge/tests/nginx"
	"gobridge/tests/server"
)

// site is an application under a server, behind nginx.
type site struct {
	t      *testing.T
	name   string // as nginx's sockets are called
	socket string // its server's
	notes  string // what its application notes
	asks   string // by which directives nginx passes requests on
	whole  bool   // its application is called when a request is whole
}

// pair is an application under both servers.
type pair struct {
	app          string
	theirs, ours *site
}

const (
	byUwsgi = "include /etc/nginx/uwsgi_params; uwsgi_pass unix:%s;"
	// As the documentation of uvicorn has it.
	byHTTP = "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;" +
		"proxy_set_header X-Forwarded-Proto $scheme; proxy_pass http://unix:%s:;"
)

// newSite has a folder for the server's socket and its notes.
func newSite(t *testing.T, name, asks string) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "gobridge-peer")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755)) // nginx is somebody else
	return &site{t: t, name: name, socket: filepath.Join(dir, "app"), notes: filepath.Join(dir, "notes"), asks: asks}
}

// tool is a program of the environment that scripts/setup makes.
func tool(t *testing.T, name string) string {
	t.Helper()
	path := root(t, ".tools", "peers", "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v (make peers brings it)", err)
	}
	return path
}

// serve runs the application under gobridge, which takes bodies in for WSGI.
func serve(t *testing.T, module string, whole bool) *site {
	t.Helper()
	s := newSite(t, module+"-gobridge", byUwsgi)
	s.whole = whole
	g, err := server.Start(server.Config{Application: module + ":application", Dir: apps(t), Bind: "uwsgi:unix:" + s.socket, Env: []string{"NOTES=" + s.notes},
		Args: []string{"--python", tool(t, "python"), "--workers", "2"}})
	must(t, err)
	t.Cleanup(func() {
		defer g.Kill()
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("gobridge with %s:\n%s", module, g.Log())
		}
	})
	return s
}

// peer runs the application under another server, which is to listen on the site's socket.
func peer(t *testing.T, s *site, program string, args ...string) *site {
	t.Helper()
	log, err := os.Create(s.socket + ".log")
	must(t, err)
	command := exec.Command(tool(t, program), args...)
	command.Dir, command.Stdout, command.Stderr = apps(t), log, log
	command.Env = append(os.Environ(), "NOTES="+s.notes, "PYTHONDONTWRITEBYTECODE=1")
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // uWSGI takes SIGTERM for a wish to reload
	must(t, command.Start())
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	t.Cleanup(func() {
		if err := command.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
		<-ended
		log.Close()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("%s:\n%s", s.name, text)
		}
	})
	alive := true
	err = server.Await(func() bool {
		select {
		case <-ended:
			alive = false
		default:
		}
		conn, err := net.Dial("unix", s.socket)
		if err == nil {
			conn.Close()
		}
		return err == nil || !alive
	})
	if err != nil || !alive {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("%s did not start:\n%s", program, text)
	}
	return s
}

// uwsgi runs it under uWSGI, with the options without which it is no comparison: as many
// processes, a master, and no server without an application. It waits a second for a body, and not four.
func uwsgi(t *testing.T, module string) *site {
	t.Helper()
	s := newSite(t, module+"-uwsgi", byUwsgi)
	return peer(t, s, "uwsgi", "--socket", s.socket, "--chmod-socket=666", "--master", "--processes", "2", "--need-app", "--socket-timeout", "1", "--module", module+":application")
}

func uvicorn(t *testing.T, module string) *site {
	t.Helper()
	s := newSite(t, module+"-uvicorn", byHTTP)
	return peer(t, s, "uvicorn", "--uds", s.socket, "--proxy-headers", "--forwarded-allow-ips=*", module+":application")
}

// config is nginx's before all of the sites. It tries nothing twice.
func config(dir string, sites []*site) string {
	var servers strings.Builder
	for _, s := range sites {
		for _, way := range []string{buffered, streamed} {
			fmt.Fprintf(&servers, "server { listen unix:%s/%s-%s; ", dir, s.name, way)
			if way == streamed {
				servers.WriteString("uwsgi_request_buffering off; uwsgi_buffering off; proxy_request_buffering off; proxy_buffering off; ")
			}
			fmt.Fprintf(&servers, "location / { "+s.asks+" } }\n", s.socket)
		}
	}
	return fmt.Sprintf(nginx.Base+`	client_max_body_size 1m;
	large_client_header_buffers 4 20k;
	uwsgi_next_upstream off;
	proxy_next_upstream off;
	proxy_http_version 1.1;
	set_real_ip_from unix:;
	real_ip_header X-Client;
	%[2]s
}
`, dir, servers.String())
}

// before puts an nginx before the pairs. What it says of their servers is theirs to answer for.
func before(t *testing.T, pairs []pair) (dir string) {
	t.Helper()
	dir, account := nginx.Folder(t)
	var sites []*site
	for _, p := range pairs {
		sites = append(sites, p.theirs, p.ours)
	}
	nginx.Start(t, dir, account, config(dir, sites), sites[0].name+"-"+streamed, "[error]", "[warn]", "[info]", "uwsgi request is too big")
	return dir
}

func root(t *testing.T, below ...string) string {
	t.Helper()
	dir, err := server.Root()
	must(t, err)
	return filepath.Join(append([]string{dir}, below...)...)
}

func apps(t *testing.T) string { return root(t, "tests", "peers", "apps") }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
