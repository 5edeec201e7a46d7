package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// The control socket is how the commands reload and status speak with a running server. It
// is a unix socket that only the server's user and root may use. The command sends one line
// of JSON and the server answers with lines of JSON: some of progress, and a last one.

// controlRequest is what a command asks for.
type controlRequest struct {
	Do string `json:"do"` // reload, status
}

// controlAnswer is one line of the answer. The last line is done.
type controlAnswer struct {
	Progress string        `json:"progress,omitempty"` // for people; not in the last line
	Done     bool          `json:"done"`
	Code     exitCode      `json:"code"`           // to exit with
	Text     string        `json:"text,omitempty"` // for people: what happened, or why not
	Status   *serverStatus `json:"status,omitempty"`
}

// controlled is who does what is asked for.
type controlled interface {
	reloadAsked(say func(progress string)) controlAnswer
	status() *serverStatus
}

// control is the server's end.
type control struct {
	path     string
	file     os.FileInfo
	listener *net.UnixListener
	log      zerolog.Logger
	does     controlled
	asking   sync.WaitGroup
}

const (
	controlAskTime = 5 * time.Second // for a request to come whole
	controlEndTime = time.Second     // for answers to go out when the server ends
	controlLine    = 4 << 10         // bytes of a request
)

// openControl claims a path, for run to serve there. The error is errTaken if another server does.
func openControl(path string, does controlled, log zerolog.Logger) (*control, error) {
	listener, file, err := claim(path)
	if err != nil {
		return nil, err
	}
	return &control{path: path, file: file, listener: listener, log: log, does: does}, nil
}

// run answers until close.
func (c *control) run() {
	for {
		conn, err := c.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			c.log.Error().Err(err).Msg("the control socket could not be served")
			time.Sleep(controlEndTime)
			continue
		}
		c.asking.Go(func() { c.serve(conn) })
	}
}

// serve answers one command.
func (c *control) serve(conn *net.UnixConn) {
	defer conn.Close()
	out := json.NewEncoder(conn)
	say := func(a controlAnswer) { // a command that does not wait changes nothing
		if err := out.Encode(a); err != nil {
			c.log.Debug().Err(err).Msg("a command has left before its answer")
		}
	}
	request, err := readRequest(conn) // first: who is cut while writing does not read why
	if err == nil {
		if err = mayControl(conn); err != nil {
			c.log.Warn().Err(err).Msg("somebody was kept from the control socket")
		}
	}
	if err != nil {
		say(controlAnswer{Done: true, Code: exitUsage, Text: err.Error()})
		return
	}
	say(c.answer(request, func(progress string) { say(controlAnswer{Progress: progress}) }))
}

func (c *control) answer(r controlRequest, say func(string)) controlAnswer {
	switch r.Do {
	case "reload":
		a := c.does.reloadAsked(say)
		a.Done = true
		return a
	case "status":
		return controlAnswer{Done: true, Status: c.does.status()}
	}
	return controlAnswer{Done: true, Code: exitUsage, Text: fmt.Sprintf("gobridge %s does not know the request %q", version, r.Do)}
}

func readRequest(conn *net.UnixConn) (r controlRequest, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(controlAskTime)); err != nil {
		return r, err
	}
	line, err := bufio.NewReader(io.LimitReader(conn, controlLine)).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		return r, fmt.Errorf("the request is no line of JSON: %w", err)
	}
	return r, nil
}

// mayControl says no to everyone but the server's own user and root.
func mayControl(conn *net.UnixConn) error {
	who, err := peerOf(conn)
	if err != nil {
		return err
	}
	return allowed(who.Uid, uint32(os.Geteuid()))
}

func allowed(peer, own uint32) error {
	if peer != own && peer != 0 {
		return fmt.Errorf("user %d may not control a server of user %d", peer, own)
	}
	return nil
}

// peerOf is the process at the other end, as it was when it connected or began to listen.
func peerOf(conn *net.UnixConn) (who *unix.Ucred, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	if e := raw.Control(func(fd uintptr) { who, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, fmt.Errorf("ask who is at the other end of the control socket: %w", err)
	}
	return who, nil
}

// close ends the control, after a moment for answers that are on their way, and removes the
// socket's file if it is still ours.
func (c *control) close() {
	c.listener.Close()
	answered := make(chan struct{})
	go func() { c.asking.Wait(); close(answered) }()
	select {
	case <-answered:
	case <-time.After(controlEndTime):
	}
	if now, err := os.Lstat(c.path); err == nil && os.SameFile(now, c.file) {
		if err := os.Remove(c.path); err != nil {
			c.log.Warn().Err(err).Msg("the control socket's file stays behind")
		}
	}
}

// at is the socket's path; "" without one.
func (c *control) at() string {
	if c == nil {
		return ""
	}
	return c.path
}
