package serve

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListen(t *testing.T) {
	tests := []struct{ bind, url, failure string }{
		{"127.0.0.1:0", "http://127.0.0.1:", ""},
		{"localhost:0", "http://127.0.0.1:", ""},
		{"[::1]:0", "http://[::1]:", ""},
		{":0", "http://", ""},
		{"0.0.0.0:0", "http://0.0.0.0:", ""},
		{"uwsgi:127.0.0.1:0", "uwsgi://127.0.0.1:", ""},
		{"uwsgi:unix:@x", "", "unix:./@x"},
		{"8000", "", "write 127.0.0.1:8000, or :8000"},
		{"127.0.0.1", "", "write 127.0.0.1:8000"},
		{"::1", "", "write [::1]:8000"},
		{"/run/x", "", "write unix:/run/x"},
		{"127.0.0.1:http", "", "not a number"},
		{"127.0.0.1:65536", "", "not a number"},
		{"192.0.2.1:0", "", "no address of this machine"},
		{"unix:", "", "no path"},
		{"unix:" + strings.Repeat("x", 200), "", "choose a shorter one"},
		{"unix:/nowhere/at/all", "", "the folder of the socket does not exist"},
		{"unix:listen.go", "", "not a socket"},
		{"unix:@x", "", "unix:./@x"},
	}
	for _, test := range tests {
		t.Run(test.bind, func(t *testing.T) {
			l, err := Listen(test.bind)
			if test.failure != "" {
				if err == nil || !strings.Contains(err.Error(), test.failure) || !strings.Contains(err.Error(), test.bind) {
					t.Fatalf("got %v, want %q", err, test.failure)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if !strings.HasPrefix(l.URL(), test.url) || strings.HasSuffix(l.URL(), ":0") {
				t.Fatalf("URL %q", l.URL())
			}
		})
	}
}

func TestPortInUse(t *testing.T) {
	first, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	at := strings.TrimPrefix(first.URL(), "http://")
	_, port, _ := net.SplitHostPort(at)
	_, err = Listen(at)
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "port "+port+" is in use") || !strings.Contains(err.Error(), "choose another port") {
		t.Fatalf("got %v", err)
	}
	free := tempSocket(t)
	if _, err := DefaultListening().ListenAll([]string{"unix:" + free, at}); err == nil {
		t.Fatal("both were opened")
	}
	if _, err := os.Lstat(free); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("a socket is left of binds that failed")
	}
}

func TestUnixSocketFiles(t *testing.T) {
	path := tempSocket(t)
	open := func() *Listener {
		t.Helper()
		l, err := Listen("unix:" + path)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := open()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != os.FileMode(DefaultSocketFile().Mode) {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if _, err := Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "another program listens") {
		t.Fatalf("got %v", err)
	}
	unix.Close(l.fd) // as if the program had been killed: the file stays
	l.fd = -1
	l = open()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the file is left: %v", err)
	}
	l = open()
	other := open2(t, path)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatal("the file of another server was removed")
	}
	other.Close()
}

// open2 opens a socket in the place of one that was moved away.
func open2(t *testing.T, path string) *Listener {
	t.Helper()
	if err := os.Rename(path, filepath.Join(filepath.Dir(path), "old")); err != nil {
		t.Fatal(err)
	}
	l, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestUnixSocketServes(t *testing.T) {
	withReactors(t, func(t *testing.T, reactors int) {
		l, err := Listen("unix:" + tempSocket(t))
		if err != nil {
			t.Fatal(err)
		}
		s := startOn(t, l, reactors, demo)
		body := string(pattern(3 << 20))
		for range 4 {
			c := s.dial(t)
			for range 3 {
				c.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
				c.want("GET", 200, "hello")
				c.sending("POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n" + body)
				c.want("POST", 200, body)
			}
			c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
			c.Close()
		}
		eventually(t, "the connections' end", func() bool { return s.Connections() == 0 })
	})
}

// The kernel keeps as many connections waiting as it is told to.
func TestBacklog(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, want := range []int{DefaultBacklog, 7} {
		if want != DefaultBacklog {
			if err := l.SetBacklog(want); err != nil {
				t.Fatal(err)
			}
		}
		// Of a socket that listens this field is its backlog (tcp_get_info in the kernel).
		info, err := unix.GetsockoptTCPInfo(l.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil || int(info.Sacked) != want || l.backlog != want {
			t.Errorf("backlog %d, %v, want %d", info.Sacked, err, want)
		}
	}
}
