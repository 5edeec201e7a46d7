package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	tested "gobridge/tests/server"
)

// server is the gobridge that the storm is about.
type server struct {
	*tested.Server
	notes   string // the application's log file
	reached string // made by the worker that comes to the kill point
	fault   string // holds how the application fails at its next import
	control string // the control socket
}

// patience is how long the server may take for what it does in a moment.
const patience = tested.Patience

func startServer(o *options, dir string) (*server, error) {
	root, err := tested.Root()
	if err != nil {
		return nil, err
	}
	s := &server{notes: filepath.Join(dir, "notes"), reached: filepath.Join(dir, "reached"), fault: filepath.Join(dir, "fault"), control: filepath.Join(dir, "control")}
	application := map[string]string{"wsgi": "app:application", "asgi": "asgi_app:application"}[o.iface]
	c := tested.Config{
		Binary: o.gobridge, Application: application, Dir: filepath.Join(root, "tests", "storm"),
		Args: append([]string{"--workers", strconv.Itoa(o.workers), "--threads", strconv.Itoa(o.threads), "--control", s.control}, strings.Fields(o.args)...),
		Env:  []string{"STORM_LOG=" + s.notes, "STORM_FAULT=" + s.fault}, Group: true,
	}
	if o.killpoint != "" {
		c.Env = append(c.Env, "GOBRIDGE_KILLPOINT="+o.killpoint+":"+s.reached)
	}
	s.Server, err = tested.Start(c)
	return s, err
}

// keepLog leaves the log where one can look at it, and says where.
func (s *server) keepLog(path string) string {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(s.Log()), 0o644)
	}
	if err != nil {
		return "the server's log could not be kept: " + err.Error()
	}
	return "the server's log is in " + path
}
