package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gobridge/tests/nginx"
	"gobridge/tests/server"
)

// nginxBase begins configurations that let long bodies through.
const nginxBase = nginx.Base + "\tclient_max_body_size 100m;\n"

// nginxConfig passes everything to one gobridge on a unix socket, in the two ways in which
// nginx can deal with uploads. It listens on sockets too: no port can be taken meanwhile.
const nginxConfig = nginxBase + `	proxy_http_version 1.1;
	proxy_set_header Connection "";
	proxy_set_header Host $http_host;
	proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
	proxy_set_header X-Forwarded-Proto $scheme;
	upstream app {
		server unix:%[2]s;
		keepalive 8;
	}
	server {
		listen unix:%[1]s/buffered;
		location / { proxy_pass http://app; }
	}
	server {
		listen unix:%[1]s/streamed;
		location / {
			proxy_pass http://app;
			proxy_request_buffering off;
			proxy_buffering off;
		}
	}
}
`

func TestDjangoBehindNginx(t *testing.T) {
	dir, account := unprivileged(t)
	python := anyPython(t)
	s := start(t, server.Config{
		Application: "mysite.wsgi:application", Dir: root(t, "examples", "django"), Bind: "unix:" + filepath.Join(dir, "app"),
		Args: []string{"--python", python, "--workers", "2"}, Env: []string{"DATA_DIR=" + djangoData(t, python)},
	})
	startNginx(t, dir, account, fmt.Sprintf(nginxConfig, dir, s.Address()), "streamed")
	for _, way := range []string{"buffered", "streamed"} {
		t.Run(way, func(t *testing.T) {
			visitDjango(t, newBrowser(t, clientOf(dir, way), "http://localhost"), way)
		})
	}
}

// TestEarlyAnswersBehindNginx: an answer that comes before the request's body has, from the
// application or from the front, reaches the client, although nobody takes the rest of the
// body. A reset instead of an orderly end would have nginx answer 502.
func TestEarlyAnswersBehindNginx(t *testing.T) {
	t.Parallel()
	dir, account := unprivileged(t)
	s := start(t, server.Config{Application: "bodies:application", Bind: "unix:" + filepath.Join(dir, "app"),
		Args: []string{"--workers", "1", "--buffer-request", "off", "--limit-request-body", "60M"}})
	startNginx(t, dir, account, fmt.Sprintf(nginxConfig, dir, s.Address()), "streamed")
	piece := make([]byte, 1<<20)
	for range 3 {
		for size, status := range map[int]int{50: http.StatusOK, 70: http.StatusRequestEntityTooLarge} {
			conn, err := net.Dial("unix", filepath.Join(dir, "streamed"))
			must(t, err)
			defer conn.Close()
			must(t, conn.SetDeadline(time.Now().Add(server.Patience)))
			_, err = fmt.Fprintf(conn, "POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size<<20)
			must(t, err)
			go func() { // as much as nginx takes
				for range size {
					if _, err := conn.Write(piece); err != nil {
						return
					}
				}
			}()
			if a := read(http.ReadResponse(bufio.NewReader(conn), nil)); a.status != status {
				t.Errorf("with %d MiB that nobody wants: %+v", size, a)
			}
		}
	}
}

// clientOf is a client of the nginx that listens on the socket of that name.
func clientOf(dir, socket string) *http.Client { return nginx.Client(dir, socket) }

// unprivileged makes a folder for a peer, and the account that it runs as.
func unprivileged(t *testing.T) (dir string, account *syscall.Credential) {
	t.Helper()
	return nginx.Folder(t)
}

// startNginx runs nginx until the end of the test, and wants it to have had nothing to
// complain about. It listens on the socket of that name in the folder.
func startNginx(t *testing.T, dir string, account *syscall.Credential, text, socket string) {
	t.Helper()
	nginx.Start(t, dir, account, text, socket)
}
