package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

// settings say what load it is.
type settings struct {
	mode, address, path string
	connections, size   int
	duration            time.Duration
}

func main() {
	runtime.GOMAXPROCS(1)
	var s settings
	seconds := 0
	flag.StringVar(&s.mode, "mode", "echo", "echo, broadcast or idle")
	flag.StringVar(&s.address, "address", "127.0.0.1:8000", "HOST:PORT of the server")
	flag.StringVar(&s.path, "path", "/", "path of the WebSocket")
	flag.IntVar(&s.connections, "connections", 64, "WebSockets")
	flag.IntVar(&s.size, "size", 64, "bytes of a message")
	flag.IntVar(&seconds, "seconds", 2, "how long, but for idle")
	flag.Parse()
	s.duration = time.Duration(seconds) * time.Second
	if err := run(&s); err != nil {
		fmt.Fprintln(os.Stderr, "wsload:", err)
		os.Exit(1)
	}
}

func run(s *settings) error {
	if s.size < authorDigits || s.connections < 1 {
		return fmt.Errorf("%d connections with messages of %d bytes: there must be one, and %d bytes for its number", s.connections, s.size, authorDigits)
	}
	switch s.mode {
	case "echo", "broadcast":
		result, err := load(s)
		if err != nil {
			return err
		}
		return tell(result)
	case "idle":
		return idle(s)
	}
	return fmt.Errorf("there is no mode %q", s.mode)
}

// tell prints a line of JSON.
func tell(what any) error { return json.NewEncoder(os.Stdout).Encode(what) }
