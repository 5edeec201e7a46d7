package e2e

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"gobridge/tests/server"
)

// TestLimitConcurrency: what comes beyond the limit is told to come again, on a connection
// that can be used again.
func TestLimitConcurrency(t *testing.T) {
	t.Parallel()
	s, noted, _ := startRenewed(t, "--workers", "1", "--threads", "2", "--limit-concurrency", "3")
	answers := make(chan answer)
	for range 3 { // two run, and one waits
		go func() { answers <- get(s, "/patient") }()
	}
	must(t, server.Await(func() bool { u, err := s.Usage(); return err == nil && u.Streams == 3 }))
	c := connect(t, s)
	for range 3 {
		c.send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if a := c.receive("GET"); a.err != nil || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("a fourth request: %+v", a)
		}
	}
	must(t, os.WriteFile(noted+".go", nil, 0o600))
	for range 3 {
		if a := <-answers; a.err != nil || a.status != http.StatusOK {
			t.Errorf("one of the three: %+v", a)
		}
	}
	must(t, s.AtRest())
	c.send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if a := c.receive("GET"); a.status != http.StatusOK {
		t.Errorf("afterwards: %+v", a)
	}
}

// TestLimitConnectionsPerAddress: a client has so many, others have theirs, and a trusted
// proxy, which 127.0.0.1 is, brings as many as it likes.
func TestLimitConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	s := startHello(t, server.Config{Args: []string{"--workers", "1", "--limit-connections-per-address", "2", "--backlog", "100"}})
	from := func(address string) *connection {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		conn, err := d.Dial("tcp", s.Address())
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		must(t, conn.SetDeadline(time.Now().Add(server.Patience)))
		return &connection{conn, bufio.NewReader(conn)}
	}
	served := func(c *connection) bool {
		// Who is turned down may find the connection closed before the request is sent.
		_, _ = c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		return c.receive("GET").status == http.StatusOK
	}
	first, second := from("127.0.0.2"), from("127.0.0.2")
	if !served(first) || !served(second) {
		t.Error("two connections are not served")
	}
	third := from("127.0.0.2")
	if a := third.receive("GET"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "connections") || a.err != nil {
		t.Errorf("the third is told %+v", a)
	}
	if _, err := s.AwaitLog(`a client has 2 connections, as many as --limit-connections-per-address allows.*client=127\.0\.0\.2`); err != nil {
		t.Error(err)
	}
	if !served(from("127.0.0.3")) {
		t.Error("another client is not served")
	}
	for range 5 {
		if !served(from("127.0.0.1")) {
			t.Error("a trusted proxy is not served")
		}
	}
	first.Close()
	must(t, server.Await(func() bool { return served(from("127.0.0.2")) }))
}
